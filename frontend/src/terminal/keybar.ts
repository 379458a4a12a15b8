/** The row of keys that a phone's keyboard lacks, with sticky Ctrl and Alt. */
import { h, icon } from "../lib/dom";
import type { Pane } from "./pane";

export interface Keybar {
  /** Apply the sticky modifiers to typed text, and let them go. */
  typed: (text: string) => string;
}

const REPEAT_AFTER_MS = 380;
const REPEAT_MS = 70;

const ARROWS: Record<string, string> = { "←": "D", "↑": "A", "↓": "B", "→": "C" };
const NAMES: Record<string, string> = { "←": "Left", "↑": "Up", "↓": "Down", "→": "Right", "/": "Slash", "-": "Minus", "|": "Pipe", "~": "Tilde", Esc: "Escape" };
const PLAIN: Record<string, string> = { Esc: "\x1b", Tab: "\t", "/": "/", "-": "-", "|": "|", "~": "~" };
const KEYS = ["Esc", "Tab", "Ctrl", "Alt", "←", "↑", "↓", "→", "/", "-", "|", "~"];

/** Ctrl with a character (ECMA-48 C0), or null where there is none. */
function control(character: string): string | null {
  const code = character.toUpperCase().charCodeAt(0);
  if (character === " ") return "\0";
  return code >= 0x40 && code <= 0x5f ? String.fromCharCode(code & 0x1f) : character === "?" ? "\x7f" : null;
}

/** Fill the bar; it shows itself where the first pointer is a finger. */
export function keybar(element: HTMLElement, current: () => Pane | null): Keybar {
  const held = { Ctrl: false, Alt: false };
  const sticky: Record<string, HTMLElement> = {};
  const hold = (key: "Ctrl" | "Alt", on: boolean): void => {
    held[key] = on;
    sticky[key]?.setAttribute("aria-pressed", String(on));
  };
  const typed = (text: string): string => {
    let result = text;
    if (held.Ctrl && text.length === 1) result = control(text) ?? text;
    if (held.Alt && !text.startsWith("\x1b")) result = `\x1b${result}`;
    hold("Ctrl", false);
    hold("Alt", false);
    return result;
  };
  const press = (key: string): void => {
    const pane = current();
    if (!pane) return;
    if (key === "Ctrl" || key === "Alt") return hold(key, !held[key]);
    const arrow = ARROWS[key];
    if (!arrow) return pane.type(typed(PLAIN[key] ?? key));
    // xterm's modifier parameter: 1 + alt 2 + ctrl 4.
    const modifier = 1 + (held.Alt ? 2 : 0) + (held.Ctrl ? 4 : 0);
    const lead = pane.terminal.modes.applicationCursorKeysMode ? "\x1bO" : "\x1b[";
    pane.type(modifier > 1 ? `\x1b[1;${modifier}${arrow}` : `${lead}${arrow}`);
    hold("Ctrl", false);
    hold("Alt", false);
  };

  for (const key of KEYS) {
    const button = h("button", { type: "button", tabindex: -1, "aria-label": NAMES[key] ?? key, "aria-pressed": key === "Ctrl" || key === "Alt" ? "false" : null }, key);
    if (key === "Ctrl" || key === "Alt") sticky[key] = button;
    let timer = 0;
    const release = (): void => clearTimeout(timer);
    button.addEventListener("pointerdown", (event) => {
      // The terminal keeps the focus, so that the phone's keyboard stays open.
      event.preventDefault();
      press(key);
      if (!ARROWS[key]) return;
      const again = (): void => { press(key); timer = window.setTimeout(again, REPEAT_MS); };
      timer = window.setTimeout(again, REPEAT_AFTER_MS);
    });
    for (const kind of ["pointerup", "pointercancel", "pointerleave"]) button.addEventListener(kind, release);
    button.addEventListener("mousedown", (event) => event.preventDefault());
    // A keyboard or a screen reader clicks without a pointer.
    button.addEventListener("click", (event) => { if (event.detail === 0) press(key); });
    element.append(button);
  }
  if (navigator.clipboard) {
    const paste = h("button", { type: "button", tabindex: -1, "aria-label": "Paste", onclick: () => void navigator.clipboard.readText().then((text) => current()?.terminal.paste(text), () => undefined) }, icon("clipboard-paste"));
    paste.addEventListener("mousedown", (event) => event.preventDefault());
    element.append(paste);
  }
  const touch = matchMedia("(pointer: coarse)");
  const follow = (): void => { element.hidden = !touch.matches; };
  touch.addEventListener("change", follow);
  follow();
  return { typed };
}
