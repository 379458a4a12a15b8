/** The file tree as data: what was listed, what is unfolded, and the rows that this makes. */
import { explain } from "../../lib/api";
import { isFolder, type Entry, type Files } from "../files";
import type { Memory } from "../memory";
import { byName, join, nameOf, parentOf, within } from "../paths";
import type { Change } from "../workbench";

export interface TreeNode {
  path: string;
  entry: Entry;
  /** 1 for what lies in the root. */
  depth: number;
  folder: boolean;
  open: boolean;
  /** Null until it was listed. */
  children: TreeNode[] | null;
  /** What went wrong, or that there is more than is shown. */
  note: string;
  position: number;
  siblings: number;
}

/** A folder that is being listed, and whether it must be once more. */
interface Listing {
  done: Promise<void>;
  again: Promise<void> | null;
}

/** Above this, a comparison that knows numbers and languages takes too long. */
const COLLATE_MOST = 3000;
const REFRESH_MS = 120;

export class TreeModel {
  root: TreeNode;
  rows: TreeNode[] = [];
  private readonly open: Set<string>;
  private readonly loading = new Map<string, Listing>();
  private readonly stale = new Set<string>();
  private timer = 0;

  constructor(root: string, private readonly files: Files, private readonly memory: Memory, private readonly changed: () => void) {
    this.open = new Set(memory.get<{ open: string[] }>("tree", { open: [] }).open);
    this.root = this.node(root, { name: nameOf(root), type: "folder", size: 0, mtime: 0, mode: 0 }, 0);
    this.root.open = true;
  }

  /** Show another folder as the root. */
  async setRoot(path: string): Promise<void> {
    this.root = this.node(path, { name: nameOf(path), type: "folder", size: 0, mtime: 0, mode: 0 }, 0);
    this.root.open = true;
    await this.load(this.root);
  }

  /** The folders whose changes can be seen. */
  watched(): string[] {
    return [this.root.path, ...this.rows.filter((node) => node.folder && node.open).map((node) => node.path)];
  }

  find(path: string): TreeNode | null {
    if (path === this.root.path) return this.root;
    if (!within(path, this.root.path)) return null;
    let node: TreeNode | null = this.root;
    while (node && node.path !== path) node = node.children?.find((child) => within(path, child.path)) ?? null;
    return node;
  }

  /** Unfold a folder and list it; what was unfolded in it before is unfolded again. */
  async unfold(node: TreeNode): Promise<void> {
    node.open = true;
    this.remember(node.path, true);
    // Before it is listed: it is watched from about then on.
    this.lay();
    if (!node.children) await this.load(node);
  }

  fold(node: TreeNode): void {
    node.open = false;
    this.remember(node.path, false);
    this.lay();
  }

  foldAll(): void {
    this.open.clear();
    const walk = (node: TreeNode): void => { for (const child of node.children ?? []) { child.open = false; walk(child); } };
    walk(this.root);
    this.memory.set("tree", { open: [] });
    this.lay();
  }

  /** Unfold whatever leads to a path; null when it is not there. */
  async reveal(path: string): Promise<TreeNode | null> {
    if (!within(path, this.root.path) || path === this.root.path) return null;
    const way: string[] = [];
    for (let up = parentOf(path); up !== this.root.path; up = parentOf(up)) way.unshift(up);
    if (!this.root.children) await this.load(this.root);
    for (const step of way) {
      const node = this.find(step);
      if (!node) return null;
      if (!node.open || !node.children) await this.unfold(node);
    }
    return this.find(path);
  }

  /** List a folder, keeping what is unfolded in it; one that is just being listed is listed once more. */
  load(node: TreeNode): Promise<void> {
    const running = this.loading.get(node.path);
    if (running) return (running.again ??= running.done.then(() => this.load(node)));
    const listing: Listing = { done: this.list(node).finally(() => this.loading.delete(node.path)), again: null };
    this.loading.set(node.path, listing);
    return listing.done;
  }

  /** Take what changed in the workspace; null: anything may have. */
  take(changes: Change[] | null): void {
    if (changes === null) for (const path of this.watched()) this.stale.add(path);
    else for (const { path, kind } of changes) if (kind !== "changed") this.stale.add(parentOf(path));
    if (!this.stale.size || this.timer) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      const paths = [...this.stale];
      this.stale.clear();
      for (const path of paths) {
        const node = this.find(path);
        if (node && (node.children || this.loading.has(path))) void this.load(node);
      }
    }, REFRESH_MS);
  }

  /** Work out the rows anew. */
  lay(): void {
    const rows: TreeNode[] = [];
    const stack: TreeNode[] = [...(this.root.children ?? [])].reverse();
    for (let node = stack.pop(); node; node = stack.pop()) {
      rows.push(node);
      if (node.open && node.children) for (let i = node.children.length - 1; i >= 0; i -= 1) stack.push(node.children[i]!);
    }
    this.rows = rows;
    this.changed();
  }

  private node(path: string, entry: Entry, depth: number): TreeNode {
    return { path, entry, depth, folder: isFolder(entry), open: false, children: null, note: "", position: 1, siblings: 1 };
  }

  private async list(node: TreeNode): Promise<void> {
    try {
      const { entries, truncated } = await this.files.list(node.path);
      const before = new Map((node.children ?? []).map((child) => [child.entry.name, child]));
      const children = sorted(entries).map((entry) => {
        const old = before.get(entry.name);
        if (!old || old.folder !== isFolder(entry)) return this.node(join(node.path, entry.name), entry, node.depth + 1);
        old.entry = entry;
        return old;
      });
      children.forEach((child, i) => { child.position = i + 1; child.siblings = children.length; });
      node.children = children;
      node.note = truncated ? `Only the first ${children.length} entries are shown.` : "";
    } catch (error) {
      node.note = explain(error);
      node.children ??= [];
    }
    this.lay();
    const again = node.children.filter((child) => child.folder && this.open.has(child.path) && !(child.open && child.children));
    await Promise.all(again.map((child) => this.unfold(child)));
  }

  private remember(path: string, open: boolean): void {
    if (open) this.open.add(path);
    else this.open.delete(path);
    this.memory.set("tree", { open: [...this.open].slice(-200) });
  }
}

/** Folders first, then by name. */
function sorted(entries: Entry[]): Entry[] {
  if (entries.length <= COLLATE_MOST) return entries.sort((a, b) => Number(isFolder(b)) - Number(isFolder(a)) || byName(a.name, b.name));
  const keyed = entries.map((entry) => ({ entry, key: (isFolder(entry) ? "0" : "1") + entry.name.toLowerCase() }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ entry }) => entry);
}
