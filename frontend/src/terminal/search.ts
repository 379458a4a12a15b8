/**
 * Searches tmux's whole history. tmux does the work behind four private key sequences
 * (container_image/files/tmux.conf); the text may be sent only once its prompt shows.
 */
import { byId } from "../lib/dom";
import type { Pane } from "./pane";

const OPEN = "\x1b[9001~";
const LEAVE = "\x1b[9002~";
const OLDER = "\x1b[9003~";
const NEWER = "\x1b[9004~";
const PROMPT = "(search)";
const PROMPT_MS = 2000;

export interface Finder {
  open: () => void;
  close: () => void;
}

/** Wire the find bar to whichever pane is in front. */
export function finder(current: () => Pane | null): Finder {
  const bar = byId<HTMLFormElement>("findbar");
  const input = byId<HTMLInputElement>("find-text");
  let found: { pane: Pane; text: string } | null = null;

  const leave = (): void => {
    found?.pane.type(LEAVE);
    found = null;
  };
  const step = (key: string): void => {
    const pane = current();
    const text = input.value.replace(/\p{Cc}/gu, "");
    if (!pane || !text) return;
    if (found?.pane === pane && found.text === text) return pane.type(key);
    found = { pane, text };
    whenPrompted(pane, () => pane.type(`${text}\r`));
    pane.type(OPEN);
  };
  const close = (): void => {
    leave();
    bar.hidden = true;
    current()?.fit();
    current()?.terminal.focus();
  };
  bar.addEventListener("submit", (event) => { event.preventDefault(); step(OLDER); });
  bar.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") close();
    else if (event.key === "ArrowUp" || (event.key === "Enter" && !event.shiftKey && event.target === input)) step(OLDER);
    else if (event.key === "ArrowDown" || (event.key === "Enter" && event.shiftKey && event.target === input)) step(NEWER);
    else return;
    event.preventDefault();
  });
  byId("find-older").addEventListener("click", () => step(OLDER));
  byId("find-newer").addEventListener("click", () => step(NEWER));
  byId("find-close").addEventListener("click", close);
  return {
    open() {
      bar.hidden = false;
      current()?.fit();
      input.focus();
      input.select();
    },
    close() {
      if (!bar.hidden) close();
    },
  };
}

/** Call back when tmux shows its prompt on the last line; give up quietly when it never does. */
function whenPrompted(pane: Pane, then: () => void): void {
  const { terminal } = pane;
  const subscription = terminal.onWriteParsed(() => {
    const line = terminal.buffer.active.getLine(terminal.buffer.active.viewportY + terminal.rows - 1);
    if (!line?.translateToString(true).startsWith(PROMPT)) return;
    stop();
    then();
  });
  const timer = setTimeout(() => stop(), PROMPT_MS);
  const stop = (): void => {
    clearTimeout(timer);
    subscription.dispose();
  };
}
