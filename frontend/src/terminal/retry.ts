/** When to try again: 0.5 s doubling to 15 s, with jitter, and at once when the network or the page comes back. */

const FIRST_SECONDS = 0.5;
const LAST_SECONDS = 15;

export class Retry {
  private attempts = 0;
  private timer = 0;
  private due = 0;

  constructor(private readonly attempt: () => void, private readonly countdown: (seconds: number) => void) {
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") this.hurry(); });
  }

  get waiting(): boolean {
    return this.due > 0;
  }

  /** Plan the next attempt, later each time. */
  plan(): void {
    if (this.waiting) return;
    const seconds = Math.min(LAST_SECONDS, FIRST_SECONDS * 2 ** this.attempts) * (0.75 + Math.random() / 2);
    this.attempts += 1;
    this.due = Date.now() + seconds * 1000;
    this.tick();
  }

  /** Do not wait any longer, if an attempt is planned. */
  hurry(): void {
    if (!this.waiting) return;
    this.cancel();
    this.attempt();
  }

  cancel(): void {
    clearTimeout(this.timer);
    this.due = 0;
  }

  /** It worked: begin with short waits next time. */
  succeed(): void {
    this.cancel();
    this.attempts = 0;
  }

  private tick(): void {
    const left = (this.due - Date.now()) / 1000;
    if (left <= 0) return this.hurry();
    this.countdown(left);
    this.timer = window.setTimeout(() => this.tick(), Math.min(1000, left * 1000));
  }
}
