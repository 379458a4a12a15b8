/** Text of files and their names made safe to look at: what cannot be seen, or turns text around, is written out. */
import { h } from "./dom";

// Controls but tab, soft hyphen, zero-width and direction marks, line separators, lone surrogates,
// and what stands for a byte of a name that is no UTF-8: the API gives U+10FF00 + byte.
const UNSEEN = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\u{10ff00}-\u{10ffff}]/gu;
const BYTE = 0x10ff00;
const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\u001b": "\\e", "\u0000": "\\0" };

function escape(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  const code = point >= BYTE ? point - BYTE : point;
  return SHORT[character] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`);
}

/** "a\u202eb" -> "a\\u202eb", for labels and sentences. */
export function visibleText(text: string): string {
  return text.replace(UNSEEN, escape).replaceAll("\t", "\\t");
}

/** The same for the page: what was written out is told from a backslash that is really there. */
export function visible(text: string, keepTabs = false): (string | HTMLElement)[] {
  const parts: (string | HTMLElement)[] = [];
  let at = 0;
  const pattern = keepTabs ? UNSEEN : new RegExp(`\\t|${UNSEEN.source}`, "gu");
  for (const match of text.matchAll(pattern)) {
    if (match.index > at) parts.push(text.slice(at, match.index));
    parts.push(h("span", { class: "escaped" }, match[0] === "\t" ? "\\t" : escape(match[0])));
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}
