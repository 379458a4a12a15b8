/** What to say about a home that is nearly full, full, or held by the server's brake. */
import { h, icon } from "./dom";
import { bytes, percent } from "./format";
import { toast, type Toast } from "./toast";
import type { Home } from "./types";

export interface LevelNotice {
  kind: "warn" | "error";
  title: string;
  text: string;
}

/** The share of the allowance that is used, in percent. */
export function usedPercent(home: Home): number {
  return home.allowance_bytes ? (100 * home.used_bytes) / home.allowance_bytes : 0;
}

/** The word on a home's space, or null when there is room. */
export function levelNotice(home: Home): LevelNotice | null {
  if (home.level === "full")
    return { kind: "error", title: "Your home is full", text: home.capped ? "Programs can no longer write files. Delete files you do not need, old snapshots or what you publish; signing in, deleting, restoring and downloading still work." : "Delete files you do not need, old snapshots or what you publish." };
  if (home.level === "nearly-full")
    return { kind: "warn", title: `Your home is nearly full: ${percent(Math.floor(usedPercent(home)))} used`, text: `${bytes(Math.max(0, home.allowance_bytes - home.used_bytes))} are left. Delete files you do not need, old snapshots or what you publish, before programs fail to write.` };
  return null;
}

/** The word on the server's own disk, or null. */
export function brakeNotice(home: Home): LevelNotice | null {
  return home.braked ? { kind: "error", title: "The server's disk is nearly full", text: "So that nothing is damaged, homes cannot grow for now: programs that write fail. Your files are safe. An administrator has to free space." } : null;
}

export function noticeElement(notice: LevelNotice, ...more: Node[]): HTMLElement {
  return h("div", { class: `notice ${notice.kind}`, role: "status" }, icon(notice.kind === "error" ? "circle-alert" : "triangle-alert"), h("div", { class: "grow" }, h("strong", {}, notice.title), notice.text), ...more);
}

const KEY = "rootblood.home-level";
let shown: Toast | null = null;

/** Say once a browser tab and level that space runs out, on pages that have no room for a notice. */
export function warnOfLevel(home: Home): void {
  if (sessionStorage.getItem(KEY) === home.level) return;
  sessionStorage.setItem(KEY, home.level);
  shown?.close();
  const notice = levelNotice(home);
  shown = notice && toast(notice.title, { kind: notice.kind, text: notice.text, seconds: 0, actions: [{ label: "Make room", run: () => { location.href = "/home"; } }] });
}
