/** Commands by key: "Mod+Shift+P" is Cmd on a Mac and Ctrl elsewhere. Two strokes are written "Mod+K V". */
import { isMac } from "../lib/dom";
import type { Command } from "./workbench";

const CHORD_MS = 1500;

/**
 * The name of a key press in the notation of commands: a letter is what the layout says, as the person
 * reads it on the key; where that is none of ours (Cyrillic, or Option on a Mac), and for the rest, its place.
 */
export function strokeOf(event: KeyboardEvent): string {
  const mod = isMac ? event.metaKey : event.ctrlKey;
  const other = isMac ? event.ctrlKey : event.metaKey;
  const key = /^[a-z]$/i.test(event.key) ? event.key.toUpperCase() : /^Key[A-Z]$/.test(event.code) ? event.code.slice(3) : /^Digit\d$/.test(event.code) ? event.code.slice(5) : event.code === "Backquote" ? "`" : event.code === "Backslash" ? "\\" : event.code === "Comma" ? "," : event.code === "Equal" ? "=" : event.code === "Minus" ? "-" : event.key;
  return [mod && "Mod", other && (isMac ? "Ctrl" : "Meta"), event.altKey && "Alt", event.shiftKey && "Shift", key].filter(Boolean).join("+");
}

/** As people read it: "⇧⌘P" or "Ctrl+Shift+P". */
export function keyLabel(key: string): string {
  const first = key.split(", ")[0]!;
  if (!isMac) return first.replaceAll("Mod", "Ctrl");
  const signs: Record<string, string> = { Mod: "⌘", Ctrl: "⌃", Alt: "⌥", Shift: "⇧" };
  return first.split(" ").map((stroke) => stroke.split("+").map((part) => signs[part] ?? part).join("")).join(" ");
}

export class Keys {
  readonly commands = new Map<string, Command>();
  private readonly strokes = new Map<string, Command[]>();
  private prefix = "";
  private timer = 0;

  /** `inTerminal`: the keyboard belongs to a shell, which has its own use for most keys. */
  constructor(private readonly inTerminal: () => boolean) {
    addEventListener("keydown", (event) => this.onKey(event), { capture: true });
  }

  /** Several keys of a command are separated by ", ". */
  add(command: Command): void {
    this.commands.set(command.id, command);
    for (const key of command.key?.split(", ") ?? []) {
      const list = this.strokes.get(normal(key)) ?? [];
      this.strokes.set(normal(key), [command, ...list.filter((other) => other.id !== command.id)]);
    }
  }

  run(id: string): void {
    const command = this.commands.get(id);
    if (command && (command.when?.() ?? true)) command.run();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.isComposing || ["Control", "Shift", "Alt", "Meta"].includes(event.key) || document.querySelector("dialog[open]")) return;
    const stroke = this.prefix ? `${this.prefix} ${strokeOf(event)}` : strokeOf(event);
    const shell = this.inTerminal();
    const command = this.strokes.get(stroke)?.find((one) => (one.overTerminal || !shell) && (one.when?.() ?? true));
    const begins = !this.prefix && !shell && [...this.strokes.keys()].some((key) => key.startsWith(`${stroke} `));
    const chord = this.prefix !== "";
    clearTimeout(this.timer);
    this.prefix = "";
    if (!command && !begins && !chord) return;
    event.preventDefault();
    event.stopPropagation();
    if (command) command.run();
    else if (begins) {
      this.prefix = stroke;
      this.timer = window.setTimeout(() => { this.prefix = ""; }, CHORD_MS);
    }
  }
}

/** "Ctrl+`" is the same key as "Mod+`" where Mod is Ctrl. */
function normal(key: string): string {
  return isMac ? key : key.replaceAll("Ctrl+", "Mod+");
}
