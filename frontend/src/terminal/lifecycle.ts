/** Watches the workspace behind the terminals: starts it, says why it is down, and brings the connections back. */
import { api, explain, Problem } from "../lib/api";
import { announce, byId } from "../lib/dom";
import { duration, secondsUntil } from "../lib/format";
import { toast, type Toast } from "../lib/toast";
import type { Workspace } from "../lib/types";
import type { Banner } from "./banner";
import { diagnose } from "./diagnosis";
import { lockedContent } from "./locked";
import type { Overlay } from "./overlay";
import type { Pane } from "./pane";
import { Retry } from "./retry";

const WARN_SECONDS = 120;
const STEADY_MS = 5000;

export interface Panes {
  /** Those that were shown, and so should have a connection. */
  live: () => Pane[];
  /** A session's shell has ended. */
  ended: (pane: Pane) => void;
  /** The workspace was started: what had ended begins anew. */
  revive: () => void;
  /** Give the keyboard back to the terminal in front. */
  focus: () => void;
  /** The workspace is not what it was. */
  changed: (workspace: Workspace) => void;
}

function stoppedBecause(reason: string): string {
  if (!reason) return "This workspace is stopped";
  return /^stopped/i.test(reason) ? reason.replace(/\.$/, "") : `Stopped: ${reason.replace(/\.$/, "")}`;
}

export class Lifecycle {
  private refused = 0;
  private checking = false;
  private steady = 0;
  private readonly retry: Retry;
  private warning: Toast | null = null;
  private startedAt = 0;
  private gone = false;
  /** The overlay asks for the password: only a workspace that runs after all takes it away. */
  private asking = false;
  /** Whether the last failure looked like a proxy's doing. */
  private blocked = false;

  constructor(public workspace: Workspace, private readonly panes: Panes, private readonly banner: Banner, private readonly overlay: Overlay) {
    this.retry = new Retry(() => this.reconnect(), (seconds) => this.sayWaiting(seconds));
    setInterval(() => this.tick(), 1000);
    this.mark();
  }

  /** Begin: opening the page is what wakes a workspace. */
  begin(): void {
    if (this.workspace.state === "running") this.reconnect();
    else void this.start();
  }

  /** A pane's connection answers. */
  connected(pane: Pane): void {
    pane.era = this.workspace.started_at;
    this.refused = 0;
    clearTimeout(this.steady);
    this.steady = window.setTimeout(() => this.retry.succeed(), STEADY_MS);
    if (!this.retry.waiting) this.banner.hide();
  }

  /** A pane's connection is gone: find out why, once for all panes that lost theirs together. */
  async disconnected(opened: boolean): Promise<void> {
    clearTimeout(this.steady);
    if (!opened) this.refused += 1;
    if (this.checking || this.gone || this.overlay.open) return;
    this.checking = true;
    const result = await diagnose(this.workspace.name, this.refused > 1);
    this.checking = false;
    if (result.kind === "running") {
      this.workspace = result.workspace;
      this.mark();
      const lost = this.panes.live().filter((pane) => pane.connection.state === "closed");
      for (const pane of lost)
        // A session that is missing although its workspace went on running: its shell has ended.
        if (opened && result.sessions && pane.era === result.workspace.started_at && !result.sessions.some(({ name }) => name === pane.session)) this.panes.ended(pane);
      if (this.panes.live().some((pane) => pane.connection.state === "closed")) this.retry.plan();
      else this.banner.hide();
    } else if (result.kind === "down") this.update(result.workspace);
    else if (result.kind === "signed-out") this.signedOut();
    else if (result.kind === "gone") this.sayGone();
    else {
      this.blocked = result.kind === "blocked";
      this.retry.plan();
    }
  }

  /** Take what the server says of the workspace. */
  update(workspace: Workspace): void {
    const was = this.workspace;
    this.workspace = workspace;
    this.mark();
    if (workspace.state === "running") {
      if (was.state !== "running" && !this.startedAt) this.up();
      return;
    }
    if (this.startedAt || this.asking || (this.overlay.open && was.state === workspace.state && was.reason === workspace.reason)) return;
    this.retry.cancel();
    this.banner.hide();
    if (workspace.state === "starting") this.showStarting();
    else if (workspace.state === "stopping") this.overlay.show({ icon: "square", title: "Stopping", text: "What runs gets a moment to save its work.", busy: true });
    else if (workspace.state === "failed" && was.state === "running") this.overlay.show({ icon: "triangle-alert", title: "This workspace has ended", text: workspace.reason, hint: "Your files are kept. Programs that ran in it have ended.", log: workspace.log, action: { label: "Start", icon: "play", run: () => void this.start() } });
    else if (workspace.state === "failed") this.showFailed(workspace.reason, "", workspace.log);
    else if (workspace.state === "deleting") this.sayGone();
    else this.overlay.show({ icon: "square", title: stoppedBecause(workspace.reason), text: "Your files are kept. Programs that ran in it have ended.", action: { label: "Start", icon: "play", run: () => void this.start() } });
    announce(`Workspace ${workspace.state}`);
  }

  /** Start or restart the workspace, and connect when it runs. */
  async start(verb: "start" | "restart" = "start"): Promise<void> {
    if (this.startedAt) return;
    this.startedAt = Date.now();
    this.workspace = { ...this.workspace, state: "starting" };
    this.mark();
    this.retry.cancel();
    this.banner.hide();
    this.showStarting();
    try {
      this.workspace = await api.act(this.workspace.name, verb);
      this.startedAt = 0;
      this.mark();
      this.up();
    } catch (error) {
      this.startedAt = 0;
      const problem = error instanceof Problem ? error : null;
      if (problem?.status === 401) return this.signedOut();
      if (problem?.slug === "home-locked") return this.showLocked(verb);
      this.workspace = { ...this.workspace, state: "failed" };
      this.mark();
      this.showFailed(explain(error), problem?.hint ?? "", problem?.log ?? "");
    }
  }

  signedOut(): void {
    this.gone = true;
    this.retry.cancel();
    // Whoever sits here now may be somebody else. What is unsaved is kept for its owner.
    document.documentElement.classList.add("signed-out");
    document.title = "RootBlood";
    for (const dialog of document.querySelectorAll<HTMLDialogElement>("dialog[open]")) dialog.close();
    this.banner.show("You are signed out.", { icon: "log-in", action: { label: "Sign in", href: `/login?next=${encodeURIComponent(location.pathname)}` } });
  }

  private up(): void {
    this.asking = false;
    this.overlay.hide();
    announce("Workspace running");
    this.panes.revive();
    this.reconnect();
    this.panes.focus();
  }

  private reconnect(): void {
    for (const pane of this.panes.live()) pane.connect();
  }

  private mark(): void {
    byId("dot").className = `dot ${this.workspace.state}`;
    byId("state-word").textContent = this.workspace.state;
    this.panes.changed(this.workspace);
  }

  private showStarting(): void {
    this.overlay.show({ icon: "play", title: "Starting", text: "A second or two as a rule.", busy: true });
  }

  private showFailed(text: string, hint: string, log: string): void {
    this.overlay.show({ icon: "triangle-alert", title: "It did not start", text, hint, log, action: { label: "Try again", icon: "rotate-cw", run: () => void this.start() } });
  }

  private showLocked(verb: "start" | "restart"): void {
    this.workspace = { ...this.workspace, state: "stopped" };
    this.mark();
    this.asking = true;
    this.overlay.show(lockedContent(() => {
      this.asking = false;
      void this.start(verb);
    }));
    announce("Your home is locked");
  }

  private sayGone(): void {
    this.gone = true;
    this.retry.cancel();
    this.overlay.show({ icon: "trash-2", title: "This workspace is gone", text: "It was deleted or renamed. Your home is kept.", away: true });
  }

  private sayWaiting(seconds: number): void {
    const action = { label: "Now", run: () => this.retry.hurry() };
    const wait = `Next try in ${Math.ceil(seconds)} s.`;
    if (this.blocked) this.banner.show(`Something between you and this server, a proxy as a rule, blocks WebSockets; pages work, terminals cannot. ${wait}`, { action: { label: "Find out why", href: "/doctor" }, icon: "triangle-alert" });
    else this.banner.show(`Connection lost. What runs goes on running. ${wait}`, { action });
  }

  private tick(): void {
    if (this.startedAt) this.overlay.retitle(`Starting · ${duration((Date.now() - this.startedAt) / 1000)}`);
    const stopsAt = this.workspace.state === "running" ? this.workspace.activity.stops_at : null;
    const left = stopsAt ? secondsUntil(stopsAt) : Infinity;
    if (left > WARN_SECONDS || left < -5) {
      this.warning?.close();
      this.warning = null;
      return;
    }
    this.warning ??= toast("", { kind: "warn", seconds: 0, sticky: true, text: "Nothing was typed for a while. Any key keeps it.", actions: [{ label: "Keep it for an hour", run: () => void this.snooze() }] });
    const title = this.warning.body.querySelector(".title");
    if (title) title.textContent = `This workspace stops in ${duration(left)}`;
  }

  private async snooze(): Promise<void> {
    this.touched();
    this.panes.focus();
    try {
      this.workspace = await api.snooze(this.workspace.name, 60);
    } catch (error) {
      toast("Snooze failed", { kind: "error", text: explain(error) });
    }
  }

  /** Somebody is there: the warning no longer holds, whatever the server says next. */
  touched(): void {
    if (!this.warning) return;
    this.warning.close();
    this.warning = null;
    this.workspace = { ...this.workspace, activity: { ...this.workspace.activity, stops_at: null } };
  }
}
