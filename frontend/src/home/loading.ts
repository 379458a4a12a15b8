/** Waiting for the server: quick answers show nothing, slow ones a moving line, failures a way to try again. */
import { explain, Problem } from "../lib/api";
import { button, h, icon } from "../lib/dom";
import { askForPassword } from "../lib/unlock";

const SLOW_MS = 300;

/** Fills a place with what a call returns; a later call overtakes an earlier one. */
export class Loader {
  private turn = 0;

  constructor(private readonly place: HTMLElement, private readonly locked: string) {}

  async show<T>(call: () => Promise<T>, render: (result: T) => Node[]): Promise<void> {
    this.turn += 1;
    const turn = this.turn;
    this.place.setAttribute("aria-busy", "true");
    const slow = setTimeout(() => { if (turn === this.turn) this.put(h("div", { class: "loading", role: "status" }, h("div", { class: "progress" }, h("span")), h("p", { class: "muted" }, "One moment …"))); }, SLOW_MS);
    let nodes: Node[];
    try {
      nodes = render(await call());
    } catch (error) {
      nodes = [this.failed(error, () => void this.show(call, render))];
    }
    clearTimeout(slow);
    if (turn !== this.turn) return;
    this.put(...nodes);
    this.place.removeAttribute("aria-busy");
  }

  private put(...nodes: Node[]): void {
    const focused = this.place.contains(document.activeElement);
    this.place.replaceChildren(...nodes);
    if (focused && !this.place.contains(document.activeElement)) this.place.focus();
  }

  private failed(error: unknown, again: () => void): HTMLElement {
    if (error instanceof Problem && error.slug === "home-locked")
      return h("div", { class: "empty" }, h("span", { class: "emblem" }, icon("lock")), h("p", {}, this.locked), button("Unlock", "lock-open", "primary", () => void askForPassword().then((home) => { if (home) again(); })));
    const hint = error instanceof Problem ? error.hint : "";
    return h("div", { class: "empty" }, h("span", { class: "emblem" }, icon("circle-alert")), h("h2", {}, explain(error)), hint ? h("p", {}, hint) : null, button("Try again", "rotate-cw", "", again));
  }
}
