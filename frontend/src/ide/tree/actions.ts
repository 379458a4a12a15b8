/** What can be done to entries of the tree: make, rename, copy, move, delete. */
import { explain, Problem } from "../../lib/api";
import { confirmThat } from "../../lib/dialog";
import { announce } from "../../lib/dom";
import { toast } from "../../lib/toast";
import { visibleText } from "../../lib/visible";
import type { Files } from "../files";
import { join, nameOf, parentOf, within } from "../paths";
import type { Tree } from "./tree";
import { nameEdit } from "./edit";
import type { TreeModel, TreeNode } from "./model";

export interface ActionHooks {
  /** Something is at another place now; open tabs follow. */
  moved: (from: string, to: string) => void;
  removed: (path: string) => void;
  /** A file was made: show it. */
  made: (path: string) => void;
}

const COPIES_MOST = 100;

export class TreeActions {
  private clipboard: { paths: string[]; cut: boolean } = { paths: [], cut: false };

  constructor(private readonly tree: Tree, private readonly model: TreeModel, private readonly files: Files, private readonly hooks: ActionHooks) {}

  get canPaste(): boolean {
    return this.clipboard.paths.length > 0;
  }

  /** The folder that something new goes into. */
  folder(): TreeNode {
    const node = this.tree.focusedNode();
    if (!node) return this.model.root;
    return node.folder ? node : this.model.find(parentOf(node.path)) ?? this.model.root;
  }

  /** Ask for a name in the tree and make a file or a folder; "a/b" makes the folder, too. */
  async create(kind: "file" | "folder", into = this.folder()): Promise<void> {
    if (into !== this.model.root) await this.model.unfold(into);
    const edit = nameEdit({
      depth: into.depth + 1, folder: kind === "folder", name: "", label: kind === "file" ? "Name of the new file" : "Name of the new folder", nested: true,
      taken: (name) => (into.children ?? []).some((child) => child.entry.name === name),
      done: async (name) => {
        const path = join(into.path, name);
        if (kind === "folder") await this.files.makeFolder(path);
        else {
          if (name.includes("/")) await this.files.makeFolder(parentOf(path));
          await this.files.write(path, new Uint8Array(), null);
        }
        await this.model.load(into);
        await this.model.reveal(path);
        this.tree.endEdit();
        this.tree.choose(path);
        if (kind === "file") this.hooks.made(path);
      },
      end: () => this.endEdit(),
    });
    this.tree.startEdit(into.path, true, edit.element);
    edit.focus();
  }

  rename(node = this.tree.focusedNode()): void {
    if (!node) return;
    const folder = parentOf(node.path);
    const edit = nameEdit({
      depth: node.depth, folder: node.folder, name: node.entry.name, label: `New name of ${visibleText(node.entry.name)}`, nested: false,
      taken: (name) => (this.model.find(folder)?.children ?? []).some((child) => child.entry.name === name),
      done: async (name) => {
        const to = join(folder, name);
        await this.files.move(node.path, to);
        this.hooks.moved(node.path, to);
        await this.reload(folder);
        this.tree.endEdit();
        this.tree.choose(to);
      },
      end: () => this.endEdit(),
    });
    this.tree.startEdit(node.path, false, edit.element);
    edit.focus();
  }

  async remove(nodes = this.tree.selection()): Promise<void> {
    const list = outermost(nodes.map((node) => node.path));
    if (!list.length) return;
    const what = list.length === 1 ? `“${visibleText(nameOf(list[0]!))}”` : `${list.length} entries`;
    const inside = nodes.some((node) => node.folder) ? " with all that is in it" : "";
    if (!(await confirmThat(`Delete ${what}${inside}? This cannot be undone here; a snapshot of your home may still have it.`, "Delete", true))) return this.tree.element.focus();
    const rows = this.model.rows;
    const last = rows.findIndex((node) => node.path === list.at(-1));
    const next = rows.slice(last).find((node) => !list.some((path) => within(node.path, path))) ?? rows.slice(0, Math.max(0, last)).findLast((node) => !list.some((path) => within(node.path, path)));
    for (const path of list) await this.trying(`“${visibleText(nameOf(path))}” is still there`, async () => { await this.files.remove(path); this.hooks.removed(path); });
    await this.reload(...list.map(parentOf));
    if (next) this.tree.choose(next.path);
    this.tree.element.focus();
    announce(`Deleted ${what}`);
  }

  copy(cut: boolean, nodes = this.tree.selection()): void {
    this.clipboard = { paths: outermost(nodes.map((node) => node.path)), cut };
    this.tree.cut = new Set(cut ? this.clipboard.paths : []);
    this.tree.redraw();
    announce(`${cut ? "Cut" : "Copied"} ${this.clipboard.paths.length === 1 ? visibleText(nameOf(this.clipboard.paths[0]!)) : `${this.clipboard.paths.length} entries`}`);
  }

  async paste(into = this.folder()): Promise<void> {
    const { paths, cut } = this.clipboard;
    if (cut) this.clipboard = { paths: [], cut: false };
    this.tree.cut.clear();
    await this.bring(paths, into, cut ? "move" : "copy");
  }

  /** Move or copy entries into a folder; a copy of what is there gets a name of its own. */
  async bring(paths: string[], into: TreeNode, how: "move" | "copy"): Promise<void> {
    let last = "";
    for (const path of outermost(paths)) {
      const to = join(into.path, nameOf(path));
      if (how === "move" && (to === path || within(into.path, path))) continue;
      await this.trying(`“${visibleText(nameOf(path))}” is where it was`, async () => {
        if (how === "copy") last = await this.copyTo(path, into.path);
        else if (await this.moveTo(path, to)) last = to;
      });
    }
    await this.reload(into.path, ...(how === "move" ? paths.map(parentOf) : []));
    if (last && (await this.model.reveal(last))) this.tree.choose(last);
    this.tree.element.focus();
  }

  private async moveTo(from: string, to: string): Promise<boolean> {
    try {
      await this.files.move(from, to);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 409) throw error;
      if (!(await confirmThat(`Replace “${visibleText(nameOf(to))}”? There is one of that name already.`, "Replace", true))) return false;
      await this.files.move(from, to, true);
    }
    this.hooks.moved(from, to);
    return true;
  }

  private async copyTo(path: string, folder: string): Promise<string> {
    for (let n = 0; ; n += 1) {
      const to = join(folder, copyName(nameOf(path), n));
      if (to === path) continue;
      try {
        await this.files.copy(path, to);
        return to;
      } catch (error) {
        if (!(error instanceof Problem) || error.status !== 409 || n > COPIES_MOST) throw error;
      }
    }
  }

  private async trying(title: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      toast(title, { kind: "error", text: explain(error) });
    }
  }

  private async reload(...folders: string[]): Promise<void> {
    await Promise.all([...new Set(folders)].map((folder) => { const node = this.model.find(folder); return node?.children || node === this.model.root ? this.model.load(node!) : null; }));
  }

  private endEdit(): void {
    this.tree.endEdit();
    if (!document.activeElement || document.activeElement === document.body || this.tree.element.contains(document.activeElement)) this.tree.element.focus();
  }
}

/** Leave out what lies in another one of them. */
export function outermost(paths: string[]): string[] {
  return paths.filter((path) => !paths.some((other) => other !== path && within(path, other)));
}

/** "a.txt" -> "a copy.txt", "a copy 2.txt" … */
export function copyName(name: string, n: number): string {
  if (n === 0) return name;
  const dot = name.lastIndexOf(".");
  const [stem, rest] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  return `${stem} copy${n > 1 ? ` ${n}` : ""}${rest}`;
}
