/**
 * What the IDE offers to its panels, and what a panel is: the one thing that both sides import.
 *
 * A path is absolute, as the workspace sees it. A byte of a name that is no UTF-8 is U+10FF00 + byte
 * (the API says so, and `lib/visible` writes it out).
 */
import type { Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import type { MenuItem } from "../lib/menu";
import type { SymbolProvider } from "./symbols";
import type { Tab } from "./tabs/tab";

export interface Change {
  path: string;
  kind: "created" | "changed" | "removed" | "moved";
}

/** Where to go in a file: lines and columns count from 1. */
export interface Place {
  line: number;
  column?: number;
  /** Characters to select. */
  length?: number;
}

export interface OpenOptions extends Partial<Place> {
  /** In the tab that the next preview takes over; false keeps it. */
  preview?: boolean;
  /** In the other half of the split. */
  beside?: boolean;
  /** Leave the keyboard where it is. */
  background?: boolean;
}

export interface Command {
  /** As VS Code names it where it has it, such as "workbench.action.quickOpen". */
  id: string;
  title: string;
  icon: string;
  group: string;
  /** Further words to find it by. */
  words?: string;
  /** "Mod+Shift+E" (Mod: Cmd on a Mac, else Ctrl), "F2", two strokes "Mod+K V"; several are separated by ", ". */
  key?: string;
  /** The key works in the terminal, too: only for keys that no shell knows. */
  overTerminal?: boolean;
  /** Whether it can be done just now; default always. */
  when?: () => boolean;
  /** Not in the palette: a key alone. */
  hidden?: boolean;
  run: () => void;
}

/** A panel of the side bar. */
export interface Panel {
  id: string;
  title: string;
  icon: string;
  /** The key that shows it, in the notation of `Command`. */
  key?: string;
  element: HTMLElement;
  /** It is in front: load what is stale, take the keyboard. */
  shown(): void;
  /** A number on its button, such as of changed files; see `Workbench.badge`. */
  badge?: number;
}

/** What git, or anybody, has to say of an entry of the tree. */
export interface Decoration {
  /** One character behind the name; a folder shows a dot. */
  letter: string;
  kind: "added" | "changed" | "removed" | "conflict" | "ignored";
  title: string;
}

/** One side of a comparison. Of the right one, `path` makes it the file itself, editable. */
export interface DiffSide {
  label: string;
  path?: string;
  text?: string;
}

export interface Workbench {
  readonly workspace: string;
  /** "/home/ann" */
  readonly home: string;
  /** The folder that the tree shows, the home as a rule. */
  readonly root: string;

  /** Open a file in a tab; null where it has no text (a picture, a binary) or could not be read. */
  open(path: string, options?: OpenOptions): Promise<EditorView | null>;
  openDiff(title: string, left: DiffSide, right: DiffSide): Promise<void>;
  /** Show a tab that is no file, or the one of the same key that is there. */
  openTab(tab: Tab, beside?: boolean): Promise<void>;
  /** The text of a file as its tab has it, unsaved edits and all; null when it is not open. */
  textOf(path: string): string | null;
  activeFile(): string | null;
  openFiles(): { path: string; dirty: boolean }[];
  /** Save what is unsaved; false when one could not be. */
  saveAll(): Promise<boolean>;
  /** Look again at what is on the disk: entries of the tree below this folder, and open files. */
  refresh(path?: string): void;

  /** Files changed in the workspace, by whomever; returns how to stop. Null: anything may have. */
  onFiles(listener: (changes: Change[] | null) => void): () => void;
  /** HEAD, the index or a branch of a watched repository changed. */
  onGit(listener: () => void): () => void;
  /** Another tab came to the front, or was saved. */
  onActive(listener: (path: string | null) => void): () => void;
  /** A file was saved from a tab. */
  onSaved(listener: (path: string) => void): () => void;
  /** The workspace began or ceased to run; called at once with how it is. */
  onRunning(listener: (running: boolean) => void): () => void;

  addPanel(panel: Panel): void;
  showPanel(id: string): void;
  /** Set the number on a panel's button; 0 removes it. */
  badge(panel: string, count: number): void;
  /** Say something in the status bar; "" clears it. `run` makes it a button. */
  status(slot: string, text: string, title?: string, run?: () => void): void;
  /** Offer commands in the palette and on their keys. */
  command(...commands: Command[]): void;

  /** Give every text editor something more; asked once an editor, and awaited after it shows. */
  extendEditors(provider: (path: string) => Extension | null | Promise<Extension | null>): void;
  /** Tell what files declare. */
  symbolsFrom(provider: SymbolProvider): void;
  /** Mark entries of the tree; call `redecorate` when what it would say has changed. */
  decorate(provider: (path: string, folder: boolean) => Decoration | null): void;
  redecorate(): void;
  /** Put items into the tree's context menu. */
  fileActions(provider: (paths: string[], folder: string) => (MenuItem | null)[]): void;
  /** Take what is dropped from outside of the page. */
  onDrop(handler: (folder: string, data: DataTransfer) => void): void;
}
