/** One workspace's card. Its parts are rebuilt when the state changes and updated in place otherwise. */
import { button, h, icon, iconButton, setText } from "../lib/dom";
import { ago, bytes, duration, instant, limits, percent, secondsUntil } from "../lib/format";
import { popMenu } from "../lib/menu";
import { sparkline, type Sparkline } from "../lib/sparkline";
import type { SharedPort, Template, Workspace } from "../lib/types";
import type { Actions } from "./actions";
import { samplesOf } from "./samples";

const WORDS: Record<Workspace["state"], string> = { running: "Running", stopped: "Stopped", starting: "Starting", stopping: "Stopping", failed: "Failed", deleting: "Deleting" };
const SOON_SECONDS = 300;

/** The server's explanation ("stops in 12 min: no input for 18 min") with its time counting down. */
function countdown(explanation: string, left: number | null): string {
  const live = left === null ? explanation : explanation.replace(/^(stops in|kept for) [^:]+/, (_all, verb: string) => `${verb} ${duration(left)}`);
  // A number and its unit stay on one line.
  return live.charAt(0).toUpperCase() + live.slice(1).replace(/(\d) (?=[a-zB%])/g, "$1\u00a0");
}

/** Why it stopped, without the word that the card says already. */
function whyStopped(reason: string): string {
  return reason.replace(/^stopped(:| as)?\s+/i, "").replace(/\.$/, "");
}

function sharedWith(one: SharedPort): string {
  const who = one.share === "public" ? "Everybody who has the address may open this port" : "Who is signed in may open this port";
  return one.expires ? `${who} until ${instant(one.expires)}` : who;
}

export class Card {
  readonly element: HTMLElement;
  private workspace: Workspace;
  private readonly dot = h("span", { class: "dot" });
  private readonly title: HTMLHeadingElement;
  private readonly state = h("span", { class: "state" });
  private readonly chips = h("div", { class: "chips" });
  private readonly middle = h("div", { class: "middle" });
  private readonly apps = h("div", { class: "apps-row" });
  private readonly foot = h("div", { class: "foot" });
  private shape = "";
  private spark: Sparkline | null = null;
  private readonly cpu = h("b");
  private readonly memory = h("b");
  private readonly clock = h("span", { class: "grow" });
  private readonly idle = h("div", { class: "idle" });

  constructor(workspace: Workspace, private readonly actions: Actions, private readonly templateOf: (name: string) => Template | undefined) {
    this.workspace = workspace;
    const id = `workspace-${workspace.name}`;
    this.title = h("h2", { id }, h("a", { href: workspace.url }, workspace.name));
    this.element = h("section", { class: "card workspace", "aria-labelledby": id }, h("div", { class: "top" }, this.dot, this.title, this.state), this.chips, this.middle, this.apps, this.foot);
    this.update(workspace);
  }

  update(workspace: Workspace): void {
    this.workspace = workspace;
    this.dot.className = `dot ${workspace.state}`;
    this.state.className = `state ${workspace.state}`;
    setText(this.state, WORDS[workspace.state]);
    const shape = `${workspace.state} ${workspace.reason} ${workspace.log.length} ${limits(workspace.limits)} ${JSON.stringify(workspace.shared)}`;
    if (shape !== this.shape) this.rebuild(shape);
    if (workspace.state === "running") this.measure();
    this.tick();
  }

  /** Move the clocks; called every second. */
  tick(): void {
    const { activity, state, started_at, stopped_at } = this.workspace;
    if (state === "starting") setText(this.clock, started_at ? `Starting for ${duration(-secondsUntil(started_at))} …` : "Starting …");
    else if (state === "stopped") setText(this.clock, stopped_at ? `Stopped ${ago(stopped_at)}` : "Never started");
    else if (state === "running") {
      const left = activity.stops_at ? secondsUntil(activity.stops_at) : null;
      setText(this.clock, countdown(activity.explanation, left));
      this.clock.title = activity.explanation;
      this.idle.classList.toggle("soon", left !== null && left < SOON_SECONDS);
      const snooze = this.idle.querySelector("button");
      if (snooze) snooze.hidden = !activity.explanation.startsWith("stops in");
    }
  }

  private measure(): void {
    const usage = this.workspace.usage;
    setText(this.cpu, usage ? percent(usage.cpu_percent) : "–");
    setText(this.memory, usage ? bytes(usage.memory_bytes) : "–");
    this.spark?.draw(samplesOf(this.workspace.name));
  }

  private rebuild(shape: string): void {
    const hadFocus = this.element.contains(document.activeElement) && document.activeElement !== null;
    this.shape = shape;
    const template = this.templateOf(this.workspace.template);
    this.chips.replaceChildren(
      h("span", { class: "chip", title: template?.image ?? "" }, template?.title || this.workspace.template),
      h("span", { class: "chip" }, limits(this.workspace.limits)),
      ...(template?.ports ?? []).map((port) => h("span", { class: "chip", title: "A port that this template uses" }, `:${port}`)),
      ...this.workspace.shared.map((one) => h("a", { class: "chip", href: one.path, target: "_blank", rel: "noopener", title: sharedWith(one) }, icon(one.share === "public" ? "globe" : "users"), `:${one.port}`)));
    const part = { running: () => this.running(), stopped: () => this.stopped(), failed: () => this.failed(), starting: () => this.waiting(), stopping: () => this.waiting(), deleting: () => this.waiting() }[this.workspace.state];
    part();
    this.apps.replaceChildren(...this.appLinks());
    if (hadFocus) (this.foot.querySelector<HTMLElement>("a, button") ?? this.title.querySelector("a"))?.focus();
  }

  private running(): void {
    const cores = Math.max(0.1, this.workspace.limits.cpus) * 100;
    this.spark = sparkline("CPU over the last minutes", (values) => Math.min(cores, Math.max(5, ...values) * 1.15));
    this.idle.replaceChildren(this.clock, h("button", { type: "button", class: "button tiny", title: "Keep it on for an hour", onclick: () => void this.actions.snooze(this.workspace) }, icon("alarm-clock"), "Snooze"));
    this.middle.replaceChildren(this.spark.element, h("div", { class: "numbers" }, h("span", {}, "CPU ", this.cpu), h("span", {}, "Memory ", this.memory)), this.idle);
    this.foot.replaceChildren(
      h("a", { class: "button primary", href: this.workspace.url }, icon("terminal"), "Open"),
      h("a", { class: "button", href: `${this.workspace.url}#new` }, icon("plus"), "Terminal"),
      iconButton(`Stop ${this.workspace.name}`, "square", () => void this.actions.stop(this.workspace)),
      this.more());
  }

  /** Links that start an app, and the workspace where that is stopped. */
  private appLinks(): HTMLElement[] {
    if (this.workspace.state !== "running" && this.workspace.state !== "stopped") return [];
    const apps = this.templateOf(this.workspace.template)?.apps ?? [];
    return apps.filter((one) => one.installed).map((one) => h("a", { class: "button", href: `${this.workspace.url}apps/${one.id}`, target: "_blank", rel: "noopener", title: `Open ${one.title}` }, icon(one.icon), one.title));
  }

  private stopped(): void {
    const reason = this.workspace.reason;
    this.middle.replaceChildren(h("p", { class: "quiet-text" }, this.clock, reason ? h("span", {}, h("br"), whyStopped(reason)) : null, h("br"), "Files are kept"));
    this.clock.title = this.workspace.stopped_at ? instant(this.workspace.stopped_at) : "";
    this.foot.replaceChildren(button("Start", "play", "", () => void this.actions.start(this.workspace)), this.more());
  }

  private failed(): void {
    const { reason, log } = this.workspace;
    const lines = log.trimEnd().split("\n").slice(-12).join("\n");
    this.middle.replaceChildren(h("p", { class: "why" }, reason || "It did not start."), ...(lines ? [h("details", { class: "log" }, h("summary", {}, "Last lines of its log"), h("pre", { tabindex: 0 }, lines))] : []));
    this.foot.replaceChildren(button("Retry", "rotate-cw", "", () => void this.actions.start(this.workspace)), this.more());
  }

  private waiting(): void {
    if (this.workspace.state !== "starting") setText(this.clock, this.workspace.state === "stopping" ? "Stopping what runs …" : "Deleting; your home is kept");
    this.middle.replaceChildren(h("p", { class: "quiet-text" }, this.clock), h("div", { class: "progress" }, h("span")));
    const open = h("a", { class: "button", href: this.workspace.url }, icon("terminal"), "Open");
    this.foot.replaceChildren(...(this.workspace.state === "starting" ? [open, this.more()] : []));
  }

  private more(): HTMLButtonElement {
    const anchor = iconButton(`More for ${this.workspace.name}`, "ellipsis", () => {
      const workspace = this.workspace;
      const running = workspace.state === "running";
      popMenu(anchor, `Actions for ${workspace.name}`, [
        running ? { label: "Restart", icon: "rotate-cw", run: () => void this.actions.restart(workspace) } : { label: "Start", icon: "play", run: () => void this.actions.start(workspace) },
        ...(running ? [{ label: "Keep on for an hour", icon: "alarm-clock", run: () => void this.actions.snooze(workspace) }] : []),
        null,
        { label: "Rename …", icon: "pencil", run: () => this.actions.rename(workspace) },
        { label: "Limits …", icon: "sliders-horizontal", run: () => this.actions.limits(workspace) },
        null,
        { label: "Delete …", icon: "trash-2", danger: true, run: () => this.actions.remove(workspace) },
      ]);
    });
    anchor.setAttribute("aria-haspopup", "menu");
    return anchor;
  }
}
