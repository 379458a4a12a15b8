/** The panel of files: the tree with its buttons, its menu and its keys. */
import { copyText } from "../../lib/clipboard";
import { h, iconButton, isMac } from "../../lib/dom";
import { popMenu, type MenuItem } from "../../lib/menu";
import { toast } from "../../lib/toast";
import type { Files } from "../files";
import type { Memory } from "../memory";
import { nameOf, parentOf, relativeTo, shorten } from "../paths";
import { Tree } from "./tree";
import { TreeActions, type ActionHooks } from "./actions";
import { installDrag } from "./drag";
import { TreeModel, type TreeNode } from "./model";
import type { Change, Decoration, OpenOptions, Panel } from "../workbench";

export interface ExplorerHooks extends ActionHooks {
  open: (path: string, options: OpenOptions) => void;
  terminalIn: (folder: string) => void;
  dropped: (folder: string, data: DataTransfer) => void;
  items: (paths: string[], folder: string) => (MenuItem | null)[];
  decoration: (path: string, folder: boolean) => Decoration | null;
  /** Which folders are seen is another matter now. */
  watch: () => void;
  rooted: (folder: string) => void;
}

export class Explorer implements Panel {
  readonly id = "files";
  readonly title = "Files";
  readonly icon = "files";
  readonly key = "Mod+Shift+E";
  readonly element: HTMLElement;
  readonly tree: Tree;
  readonly model: TreeModel;
  readonly actions: TreeActions;
  private readonly heading = h("h2", { class: "title" });
  private readonly place = h("button", { type: "button", class: "button quiet tiny", onclick: () => void this.setRoot(this.home) }, "Show the whole home");

  constructor(private readonly home: string, root: string, files: Files, memory: Memory, private readonly hooks: ExplorerHooks) {
    this.tree = new Tree({
      open: (node, options) => hooks.open(node.path, options),
      menu: (at) => this.menu(at),
      key: (event) => this.onKey(event),
      decoration: hooks.decoration,
    });
    this.model = new TreeModel(root, files, memory, () => { this.tree.redraw(); hooks.watch(); });
    this.tree.model = this.model;
    this.actions = new TreeActions(this.tree, this.model, files, hooks);
    installDrag(this.tree, this.model, this.actions, hooks.dropped);
    this.element = h("div", { class: "panel files" },
      h("header", {}, this.heading,
        iconButton("New file", "file-plus", () => void this.actions.create("file")),
        iconButton("New folder", "folder-plus", () => void this.actions.create("folder")),
        iconButton("Look again", "refresh-cw", () => this.take(null)),
        iconButton("Fold all", "chevrons-down-up", () => this.model.foldAll())),
      this.place, this.tree.element);
    this.sayRoot();
  }

  shown(): void {
    this.tree.redraw();
  }

  focus(): void {
    this.tree.element.focus();
  }

  /** List what is to be seen; the first time, and when the workspace is there again. */
  begin(): void {
    void this.model.load(this.model.root);
  }

  take(changes: Change[] | null): void {
    this.model.take(changes);
  }

  /** Choose a path in the tree, without taking the keyboard. */
  async follow(path: string): Promise<void> {
    if (await this.model.reveal(path)) this.tree.choose(path);
  }

  async setRoot(folder: string): Promise<void> {
    this.hooks.rooted(folder);
    await this.model.setRoot(folder);
    this.sayRoot();
  }

  private sayRoot(): void {
    const { path } = this.model.root;
    this.heading.textContent = path === this.home ? "Files" : nameOf(path) || "/";
    this.heading.title = shorten(path, this.home);
    this.place.hidden = path === this.home;
  }

  private onKey(event: KeyboardEvent): boolean {
    const command = isMac ? event.metaKey : event.ctrlKey;
    if (event.key === "F2") this.actions.rename();
    else if (event.key === "Delete" || (isMac && command && event.key === "Backspace")) void this.actions.remove();
    else if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) this.menuByKey();
    else if (!command || event.shiftKey || event.altKey) return false;
    else if (event.key === "c") this.actions.copy(false);
    else if (event.key === "x") this.actions.copy(true);
    else if (event.key === "v" && this.actions.canPaste) void this.actions.paste();
    else return false;
    return true;
  }

  private menuByKey(): void {
    const box = (this.element.querySelector(".focused") ?? this.tree.element).getBoundingClientRect();
    this.menu({ x: box.left + 40, y: box.bottom });
  }

  private menu(at: { x: number; y: number }): void {
    const nodes = this.tree.selection();
    const node = nodes[0];
    const folder = this.actions.folder();
    const mod = isMac ? "⌘" : "Ctrl+";
    const one = nodes.length === 1 ? node : undefined;
    popMenu(this.tree.element, "Entry", [
      ...(one ? this.openItems(one) : []),
      { label: "New file …", icon: "file-plus", run: () => void this.actions.create("file") },
      { label: "New folder …", icon: "folder-plus", run: () => void this.actions.create("folder") },
      { label: "Open a terminal here", icon: "terminal", run: () => this.hooks.terminalIn(folder.path) },
      null,
      ...(node ? [
        { label: "Cut", icon: "scissors", key: `${mod}X`, run: () => this.actions.copy(true) },
        { label: "Copy", icon: "copy", key: `${mod}C`, run: () => this.actions.copy(false) },
      ] : []),
      ...(this.actions.canPaste ? [{ label: "Paste", icon: "clipboard-paste", key: `${mod}V`, run: () => void this.actions.paste() }] : []),
      ...(one ? [
        { label: "Copy the path", icon: "clipboard", run: () => void this.copyPath(one.path) },
        { label: "Copy the relative path", icon: "clipboard", run: () => void this.copyPath(relativeTo(one.path, this.model.root.path)) },
      ] : []),
      ...this.extra(nodes, folder),
      ...(one ? [null, { label: "Rename …", icon: "pencil", key: "F2", run: () => this.actions.rename(one) }] : []),
      ...(node ? [{ label: "Delete …", icon: "trash-2", key: "Delete", danger: true, run: () => void this.actions.remove(nodes) }] : []),
    ], at);
  }

  private openItems(node: TreeNode): (MenuItem | null)[] {
    if (node.folder) return [{ label: "Show this folder alone", icon: "corner-left-up", run: () => void this.setRoot(node.path) }, null];
    return [
      { label: "Open", icon: "file", run: () => this.hooks.open(node.path, { preview: false }) },
      { label: "Open at the side", icon: "columns-2", run: () => this.hooks.open(node.path, { preview: false, beside: true }) },
      null,
    ];
  }

  private extra(nodes: TreeNode[], folder: TreeNode): (MenuItem | null)[] {
    const items = this.hooks.items(nodes.map((node) => node.path), folder.path);
    return items.length ? [null, ...items] : [];
  }

  private async copyPath(path: string): Promise<void> {
    if (await copyText(path)) toast("Copied the path", { seconds: 1.6, kind: "ok" });
    this.focus();
  }

  /** The folder of what is chosen, for what others put into it. */
  get folder(): string {
    const node = this.tree.focusedNode();
    return node ? (node.folder ? node.path : parentOf(node.path)) : this.model.root.path;
  }
}
