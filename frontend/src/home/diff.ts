/** A unified diff as lines with their numbers, old and new. */
import { h } from "../lib/dom";
import type { FileDiff } from "../lib/types";
import { visible } from "../lib/visible";

const LINES_MAX = 3000;
const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;

export interface Line {
  kind: "added" | "removed" | "same" | "hunk" | "note";
  old: number | null;
  new: number | null;
  text: string;
}

/** Read a unified diff; its two lines of names are left out. */
export function parse(text: string): Line[] {
  const lines: Line[] = [];
  let [old, fresh, inHunk] = [0, 0, false];
  for (const raw of text.replace(/\n$/, "").split("\n")) {
    const hunk = HUNK.exec(raw);
    const rest = raw.slice(1);
    if (hunk) {
      [old, fresh, inHunk] = [Number(hunk[1]), Number(hunk[2]), true];
      lines.push({ kind: "hunk", old: null, new: null, text: raw });
    } else if (!inHunk) continue;
    else if (raw.startsWith("+")) lines.push({ kind: "added", old: null, new: fresh++, text: rest });
    else if (raw.startsWith("-")) lines.push({ kind: "removed", old: old++, new: null, text: rest });
    else if (raw.startsWith("\\")) lines.push({ kind: "note", old: null, new: null, text: rest.trim() });
    else lines.push({ kind: "same", old: old++, new: fresh++, text: rest });
  }
  return lines;
}

const SIGNS: Record<Line["kind"], string> = { added: "+", removed: "−", same: "", hunk: "", note: "" };
const SPOKEN: Partial<Record<Line["kind"], string>> = { added: "Added: ", removed: "Removed: " };

/** The diff for the page, with the words for what cannot be compared. */
export function diffElement(diff: FileDiff, equal: string): HTMLElement {
  const say = (text: string): HTMLElement => h("p", { class: "say muted" }, text);
  if (diff.binary) return say("This is not text, so its changes cannot be shown as lines. It can be restored and downloaded all the same.");
  if (diff.too_large) return say("It is too large to compare here. It can be restored and downloaded all the same.");
  if (!diff.text) return say(equal);
  const lines = parse(diff.text);
  const counts = { added: 0, removed: 0 };
  for (const { kind } of lines) if (kind === "added" || kind === "removed") counts[kind] += 1;
  const body = h("tbody", {}, ...lines.slice(0, LINES_MAX).map(row));
  return h("div", { class: "diff" },
    h("p", { class: "counts" }, h("span", { class: "added" }, `+${counts.added}`), " ", h("span", { class: "removed" }, `−${counts.removed}`), h("span", { class: "visually-hidden" }, ` lines: ${counts.added} added, ${counts.removed} removed`)),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Changes" }, h("table", {}, h("thead", { class: "visually-hidden" }, h("tr", {}, h("th", {}, "Old line"), h("th", {}, "New line"), h("th", {}, "Text"))), body)),
    lines.length > LINES_MAX ? say(`The first ${LINES_MAX.toLocaleString()} of ${lines.length.toLocaleString()} lines are shown.`) : null);
}

function row(line: Line): HTMLElement {
  const said = SPOKEN[line.kind];
  if (line.kind === "hunk" || line.kind === "note") return h("tr", { class: line.kind }, h("td", { colspan: 3 }, ...visible(line.text, true)));
  return h("tr", { class: line.kind },
    h("td", { class: "n" }, line.old), h("td", { class: "n" }, line.new),
    h("td", { class: "code" }, h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[line.kind]), said ? h("span", { class: "visually-hidden" }, said) : null, ...visible(line.text, true)));
}
