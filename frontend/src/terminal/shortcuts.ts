/** The keys that the page takes before the terminal sees them. */
import { copyText } from "../lib/clipboard";
import { isMac } from "../lib/dom";
import type { Pane } from "./pane";

export interface Shortcuts {
  current: () => Pane | null;
  /** Whether the keyboard belongs to the terminals: elsewhere the same keys mean other things. */
  owns: () => boolean;
  newTab: () => void;
  find: () => void;
  choose: (index: number) => void;
  step: (by: number) => void;
}

/** Handle them at the window, in the capture phase. */
export function installShortcuts(target: Shortcuts): void {
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || !target.owns()) return;
    const action = actionFor(event, target);
    if (!action) return;
    event.stopPropagation();
    if (action === "native") return;
    event.preventDefault();
    action();
  }, { capture: true });
}

/** "native": the browser's own action, which xterm.js must not turn into a control character. */
function actionFor(event: KeyboardEvent, target: Shortcuts): (() => void) | "native" | null {
  const { ctrlKey, altKey, shiftKey, metaKey, code } = event;
  if (ctrlKey && shiftKey && !altKey && !metaKey) {
    if (code === "KeyC") return () => {
      const text = target.current()?.terminal.getSelection();
      if (text) void copyText(text);
    };
    if (code === "KeyV") return "native";
    if (code === "KeyF") return target.find;
  }
  if (isMac && metaKey && !ctrlKey && !altKey && code === "KeyF") return target.find;
  if (altKey && shiftKey && !ctrlKey && !metaKey && code === "KeyT") return target.newTab;
  if (altKey && !shiftKey && !ctrlKey && !metaKey && /^Digit[1-9]$/.test(code)) return () => target.choose(Number(code.slice(5)) - 1);
  if (ctrlKey && !altKey && !shiftKey && !metaKey && code === "PageUp") return () => target.step(-1);
  if (ctrlKey && !altKey && !shiftKey && !metaKey && code === "PageDown") return () => target.step(1);
  return null;
}
