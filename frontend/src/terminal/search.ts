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
const CANCEL = "\x03";
const PROMPT = "(search)";
const PROMPT_MS = 10_000; // far away, or busy

export interface Finder {
  open: () => void;
  close: () => void;
}

/** Wire the find bar to whichever pane is in front. */
export function finder(current: () => Pane | null): Finder {
  const bar = byId<HTMLFormElement>("findbar");
  const input = byId<HTMLInputElement>("find-text");
  let found: { pane: Pane; text: string } | null = null;
  let asked: Question | null = null;

  const step = (key: string): void => {
    const pane = current();
    const text = input.value.replace(/\p{Cc}/gu, "");
    if (!pane || !text) return;
    if (!asked && found?.pane === pane && found.text === text) return pane.type(key);
    found = { pane, text };
    if (asked) {
      asked.answer = `${text}\r`;
      return;
    }
    asked = new Question(pane, `${text}\r`, () => { asked = null; });
    pane.type(OPEN);
  };
  const hide = (): void => {
    asked = null;
    found = null;
    bar.hidden = true;
    current()?.fit();
    current()?.terminal.focus();
  };
  const close = (): void => {
    if (asked) {
      // What is typed before the prompt shows would land in it: the keyboard is given back after it.
      asked.answer = `${CANCEL}${LEAVE}`;
      asked.done = hide;
      return;
    }
    found?.pane.type(LEAVE);
    hide();
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

/** What is sent when tmux shows its prompt on the last line; given up quietly when it never does. */
class Question {
  constructor(pane: Pane, public answer: string, public done: () => void) {
    const { terminal } = pane;
    const subscription = terminal.onWriteParsed(() => {
      const line = terminal.buffer.active.getLine(terminal.buffer.active.viewportY + terminal.rows - 1);
      if (!line?.translateToString(true).startsWith(PROMPT)) return;
      stop();
      pane.type(this.answer);
    });
    const stop = (): void => {
      clearTimeout(timer);
      subscription.dispose();
      this.done();
    };
    const timer = setTimeout(stop, PROMPT_MS);
  }
}
