/** What the status bar says of the file in front and of the workspace. */
import { popMenu } from "../../lib/menu";
import { duration, secondsUntil } from "../../lib/format";
import type { Workspace } from "../../lib/types";
import type { FileTab } from "../editor/file-tab";
import type { StatusBar } from "./bar";
import type { Encoding, LineEnd } from "../editor/text";

const ENCODINGS: Encoding[] = ["UTF-8", "UTF-8 with BOM", "Latin-1"];
const LINE_ENDS: LineEnd[] = ["LF", "CRLF"];
/** Below this the countdown is worth its place. */
const IDLE_SECONDS = 3600;

export class StatusOfFile {
  private of: Workspace | null = null;
  private isOnline = true;
  private start = (): void => undefined;
  private frame = 0;

  constructor(private readonly bar: StatusBar, private readonly goToLine: () => void) {
    setInterval(() => this.countDown(), 1000);
  }

  /** Say where the cursor is and how the file is written; null clears it. */
  draw(tab: FileTab | null): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => void this.drawNow(tab));
  }

  workspace(workspace: Workspace, start: () => void): void {
    this.of = workspace;
    this.start = start;
    this.sayConnection();
    this.countDown();
  }

  /** Whether the server answers. */
  online(online: boolean): void {
    this.isOnline = online;
    this.sayConnection();
  }

  private sayConnection(): void {
    const state = this.of?.state ?? "running";
    const down = state === "stopped" || state === "failed";
    if (!this.isOnline) this.bar.set("connection", "Offline", "The server does not answer");
    else if (down) this.bar.set("connection", state === "failed" ? "Failed" : "Stopped", "Start the workspace", this.start);
    else this.bar.set("connection", state === "running" ? "Connected" : `${state[0]!.toUpperCase()}${state.slice(1)}`);
  }

  private async drawNow(tab: FileTab | null): Promise<void> {
    const { buffer, view } = tab ?? {};
    if (!tab || !buffer || !view) {
      for (const slot of ["position", "indent", "encoding", "eol", "language"]) this.bar.set(slot, "");
      return;
    }
    const { indentName, languageName, position } = await import("../editor/editor");
    if (tab.view !== view) return;
    this.bar.set("position", position(view), "Go to a line", this.goToLine);
    this.bar.set("indent", indentName(view), "Indentation");
    this.bar.set("encoding", buffer.encoding, "How its characters are written", () => this.chooseForm(tab, "encoding"));
    this.bar.set("eol", buffer.lineEnd, "How its lines end", buffer.lineEnd === "mixed" ? undefined : () => this.chooseForm(tab, "eol"));
    this.bar.set("language", languageName(tab.path, view.state.doc.line(1).text.slice(0, 200)), "Language");
  }

  private chooseForm(tab: FileTab, slot: "encoding" | "eol"): void {
    const { buffer } = tab;
    const anchor = document.querySelector<HTMLElement>(`[data-slot="${slot}"]`);
    if (!buffer || !anchor) return;
    const set = (encoding: Encoding, lineEnd: LineEnd) => (): void => { buffer.setForm(encoding, lineEnd); this.draw(tab); };
    popMenu(anchor, "Save it as", slot === "encoding"
      ? ENCODINGS.map((one) => ({ label: `Save as ${one}`, icon: "save", checked: one === buffer.encoding, run: set(one, buffer.lineEnd) }))
      : LINE_ENDS.map((one) => ({ label: one === "LF" ? "LF, as on Linux" : "CRLF, as on Windows", icon: "corner-left-up", checked: one === buffer.lineEnd, run: set(buffer.encoding, one) })));
  }

  private countDown(): void {
    const stopsAt = this.of?.state === "running" ? this.of.activity.stops_at : null;
    const left = stopsAt ? secondsUntil(stopsAt) : Infinity;
    this.bar.set("idle", left > 0 && left < IDLE_SECONDS ? `Stops in ${duration(left)}` : "", this.of?.activity.explanation ?? "");
  }
}
