/** Work on the home: what goes on with its progress, and what came of it while nobody looked. */
import { explainFully, homeApi, Problem } from "../lib/api";
import { announce, h, icon, iconButton } from "../lib/dom";
import { ago, bytes, percent } from "../lib/format";
import { toast } from "../lib/toast";
import type { Job } from "../lib/types";
import { visibleText } from "../lib/visible";
import type { Store } from "./store";

const POLL_MS = 1000;
const DISMISSED = "rootblood.jobs-seen";
const RUNNING: Record<Job["kind"], string> = { snapshot: "Taking a snapshot", restore: "Restoring", delete: "Deleting a snapshot" };
const FAILED: Record<Job["kind"], string> = { snapshot: "The snapshot could not be taken", restore: "The restore did not work", delete: "The snapshot could not be deleted" };
const DONE: Record<Job["kind"], string> = { snapshot: "Snapshot taken", restore: "Restored", delete: "Snapshot deleted" };

/** An event may come a moment after the answer that says the same. */
const ECHO_MS = 5000;

type Outcome = Pick<Job, "kind" | "snapshot_id" | "text"> & Partial<Job>;

/** What a job is known by: one that a request waited for is told of by its answer and by an event. */
function keyOf(job: Outcome): string {
  return job.kind === "restore" || job.state === "failed" ? `${job.kind}-${job.id}` : `${job.kind}-${job.snapshot_id}`;
}

export class Jobs {
  readonly element = h("div", { class: "jobs" });
  private readonly rows = new Map<string, HTMLElement>();
  private readonly begun = new Map<string, { kind: Job["kind"]; text: string }>();
  /** When requests of this page were answered; infinite while one waits. */
  private readonly answered = new Map<Job["kind"], number>();
  private readonly running = new Set<string>();
  private readonly told = new Set<string>();
  private serial = 0;

  constructor(private readonly store: Store) {}

  /** Something was asked of the server, which may take a while to show up as a job. Call what is returned when it answered. */
  begin(kind: Job["kind"], text: string): () => void {
    this.serial += 1;
    const id = `begun-${this.serial}`;
    this.begun.set(id, { kind, text });
    this.answered.set(kind, Infinity);
    this.update();
    return () => {
      if (!this.begun.has(id)) return;
      this.answered.set(kind, Date.now());
      this.begun.delete(id);
      this.update();
    };
  }

  /** Ask for a job until it ends, in case the page gets no events. */
  async follow(job: Job): Promise<void> {
    let latest = job;
    if (latest.state === "running") this.running.add(latest.id);
    while (latest.state === "running") {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      try {
        latest = await homeApi.job(job.id);
      } catch (error) {
        // Away for a moment: the job goes on without us. Gone: its end was told by an event.
        if (error instanceof Problem && error.status === 404) return;
        continue;
      }
      this.take(latest);
    }
    this.ended(latest);
  }

  /** Say the outcome of a job once. */
  ended(job: Outcome): void {
    const key = keyOf(job);
    if (this.told.has(key)) return;
    this.told.add(key);
    if (job.id) this.running.delete(job.id);
    if (job.state === "failed") toast(FAILED[job.kind], { kind: "error", text: failure(job) });
    void this.store.refresh().then(() => {
      if (job.state === "failed") return;
      const snapshot = this.store.snapshots.find((one) => one.id === job.snapshot_id);
      // Nobody asked for it, and the timeline shows it.
      if (job.kind === "snapshot" && snapshot?.reason === "scheduled") return announce("A scheduled snapshot was taken");
      toast(DONE[job.kind], { kind: "ok", text: job.text === DONE[job.kind] ? "" : visibleText(job.text) });
    });
  }

  update(): void {
    const { jobs } = this.store.home;
    for (const job of jobs) {
      if (job.state === "running") this.running.add(job.id);
      // The answer to this page's request says what was wrong.
      else if (job.state === "failed" && Date.now() - (this.answered.get(job.kind) ?? 0) < ECHO_MS) this.running.delete(job.id);
      else if (this.running.has(job.id)) this.ended(job);
    }
    const busy = new Set(jobs.filter((job) => job.state === "running").map((job) => job.kind));
    const gone = dismissed();
    const shown = new Map<string, () => HTMLElement>();
    for (const [id, { kind, text }] of this.begun) if (!busy.has(kind)) shown.set(id, () => progressRow(RUNNING[kind], text, null));
    for (const job of jobs) {
      if (job.state === "running") shown.set(job.id, () => progressRow(job.text ? visibleText(job.text) : RUNNING[job.kind], "", job));
      // Finished snapshots and deletions are seen in the timeline.
      else if ((job.state === "failed" || job.kind === "restore") && !gone.includes(job.id)) shown.set(job.id, () => this.outcome(job));
    }
    for (const [id, row] of this.rows) if (!shown.has(id)) { row.remove(); this.rows.delete(id); }
    for (const [id, make] of shown) {
      const fresh = make();
      const old = this.rows.get(id);
      if (old?.dataset["state"] === "running" && fresh.dataset["state"] === "running") old.replaceChildren(...fresh.childNodes);
      else if (old && old.dataset["state"] === fresh.dataset["state"]) continue;
      else if (old) { old.replaceWith(fresh); this.rows.set(id, fresh); }
      else { this.element.append(fresh); this.rows.set(id, fresh); }
    }
    this.element.hidden = this.rows.size === 0;
  }

  private take(job: Job): void {
    const { home } = this.store;
    const jobs = home.jobs.some((other) => other.id === job.id) ? home.jobs.map((other) => (other.id === job.id ? job : other)) : [...home.jobs, job];
    this.store.takeHome({ ...home, jobs });
  }

  private outcome(job: Job): HTMLElement {
    const failed = job.state === "failed";
    const row = h("div", { class: `job ${job.state}`, "data-state": job.state }, icon(failed ? "circle-alert" : "circle-check"),
      h("div", { class: "grow" }, h("strong", {}, failed ? FAILED[job.kind] : DONE[job.kind]), h("span", { class: "muted small" }, ` ${ago(job.started_at)}`), h("div", { class: "small" }, failed ? failure(job) : job.text === DONE[job.kind] ? "" : visibleText(job.text))),
      iconButton("Dismiss", "x", () => {
        sessionStorage.setItem(DISMISSED, JSON.stringify([...dismissed(), job.id].slice(-50)));
        this.update();
      }));
    return row;
  }
}

function progressRow(title: string, text: string, job: Job | null): HTMLElement {
  const done = job?.percent ?? null;
  const numbers = [
    done === null ? "" : percent(done),
    job && job.done_bytes ? `${bytes(job.done_bytes)}${job.total_bytes ? ` of ${bytes(job.total_bytes)}` : ""}` : "",
  ].filter(Boolean).join(" · ");
  const bar = h("div", { class: `bar${done === null ? " unknown" : ""}`, role: "progressbar", "aria-label": title, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": done === null ? null : Math.round(done) }, h("span", { style: done === null ? null : `width: ${done}%` }));
  return h("div", { class: "job running", "data-state": "running" }, h("div", { class: "grow" }, h("div", { class: "line" }, h("strong", {}, title), text ? h("span", { class: "muted" }, text) : null, h("span", { class: "numbers" }, numbers)), bar));
}

function failure(job: Partial<Job>): string {
  const error = job.error;
  return error ? explainFully(new Problem(error.title, 500, error.detail, error.slug, error.hint)) : visibleText(job.text ?? "");
}

function dismissed(): string[] {
  try {
    return JSON.parse(sessionStorage.getItem(DISMISSED) ?? "[]") as string[];
  } catch {
    return [];
  }
}
