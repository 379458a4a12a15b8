/** Bytes of a file as text and back, without changing what was not edited. */

export type Encoding = "UTF-8" | "UTF-8 with BOM" | "Latin-1";
export type LineEnd = "LF" | "CRLF" | "mixed";

export interface Decoded {
  text: string;
  encoding: Encoding;
  lineEnd: LineEnd;
  /** Characters of the longest line. */
  longest: number;
}

/** Read and edited in the page; what is larger is offered as a download. */
export const BYTES_MOST = 20 * 1024 * 1024;
const COLOUR_MOST = 2 * 1024 * 1024;
const COLOUR_LINE_MOST = 20_000;
const LOOK_BYTES = 8192;

/** Whether bytes are no text: git's rule, a NUL near the beginning (xdiff-interface.c). */
export function isBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, LOOK_BYTES).includes(0);
}

/** Decode a text; Latin-1, which knows every byte, where it is no UTF-8. */
export function decode(bytes: Uint8Array): Decoded {
  const bom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  let text: string;
  let encoding: Encoding = bom ? "UTF-8 with BOM" : "UTF-8";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    text = latin1(bytes);
    encoding = "Latin-1";
  }
  return { text, encoding, ...lines(text) };
}

/** TextDecoder's "latin1" is windows-1252, which loses bytes on the way back. */
function latin1(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += LOOK_BYTES) parts.push(String.fromCharCode(...bytes.subarray(at, at + LOOK_BYTES)));
  return parts.join("");
}

function lines(text: string): { lineEnd: LineEnd; longest: number } {
  let crlf = 0;
  let lf = 0;
  let longest = 0;
  let start = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", start)) {
    if (text.charCodeAt(at - 1) === 13) crlf += 1;
    else lf += 1;
    longest = Math.max(longest, at - start);
    start = at + 1;
  }
  longest = Math.max(longest, text.length - start);
  const alone = crlf ? (text.match(/\r(?!\n)/g)?.length ?? 0) : text.includes("\r") ? 1 : 0;
  return { lineEnd: alone || (crlf && lf) ? "mixed" : crlf ? "CRLF" : "LF", longest };
}

/** Encode a text whose lines end in "\n" ("mixed": as it is). Raises: Error where the encoding lacks a character. */
export function encode(text: string, encoding: Encoding, lineEnd: LineEnd): Uint8Array<ArrayBuffer> {
  const whole = lineEnd === "CRLF" ? text.replaceAll("\n", "\r\n") : text;
  if (encoding !== "Latin-1") return new TextEncoder().encode(encoding === "UTF-8" ? whole : `\ufeff${whole}`);
  const bytes = new Uint8Array(whole.length);
  for (let i = 0; i < whole.length; i += 1) {
    const code = whole.charCodeAt(i);
    if (code > 255) throw new Error(`“${String.fromCodePoint(whole.codePointAt(i)!)}” is no character of Latin-1. Choose UTF-8 in the status bar to save it.`);
    bytes[i] = code;
  }
  return bytes;
}

/** Why a text is shown without colours and clever help, or "". */
export function plainBecause(decoded: Decoded): string {
  if (decoded.longest > COLOUR_LINE_MOST) return `A line has ${decoded.longest.toLocaleString("en")} characters`;
  if (decoded.text.length > COLOUR_MOST) return `This file has ${(decoded.text.length / 1024 / 1024).toFixed(1)} MB`;
  return "";
}

/** The indentation a text seems to use. */
export function indentOf(text: string): string {
  const steps = new Map<string, number>();
  let last = 0;
  for (const line of text.slice(0, 40_000).split("\n", 400)) {
    const indent = /^[ \t]+(?=\S)/.exec(line)?.[0] ?? "";
    if (indent.startsWith("\t")) steps.set("\t", (steps.get("\t") ?? 0) + 1);
    else {
      const step = Math.abs(indent.length - last);
      if (line.trim() && [2, 3, 4, 8].includes(step)) steps.set(" ".repeat(step), (steps.get(" ".repeat(step)) ?? 0) + 1);
    }
    if (line.trim()) last = indent.startsWith("\t") ? 0 : indent.length;
  }
  return [...steps].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "    ";
}
