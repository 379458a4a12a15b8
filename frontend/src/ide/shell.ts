/** Puts the IDE together: what each part needs of the others goes through here. */
import type { EditorView } from "@codemirror/view";
import type { Extension } from "@codemirror/state";
import { byId } from "../lib/dom";
import type { MenuItem } from "../lib/menu";
import { toast } from "../lib/toast";
import type { Workspace } from "../lib/types";
import { ActivityBar } from "./activity";
import { Disk } from "./editor/disk";
import { openDock, type Dock } from "./dock";
import { Drafts } from "./editor/drafts";
import { Editors } from "./tabs/editors";
import { Explorer } from "./tree/explorer";
import { FileTab, type FileTabHost } from "./editor/file-tab";
import { Files } from "./files";
import { Keys } from "./keys";
import { Layout } from "./layout";
import { Memory } from "./memory";
import { askToSave } from "./editor/may-close";
import { Names } from "./quick/names";
import { join, nameOf, parentOf } from "./paths";
import { PreviewTab } from "./preview/tab";
import { QuickOpen } from "./quick/quickopen";
import { Saver } from "./editor/save";
import { Signal } from "./signal";
import { StatusBar } from "./status/bar";
import { StatusOfFile } from "./status/file";
import { Symbols, type SymbolProvider } from "./symbols";
import type { Tab } from "./tabs/tab";
import { Watch } from "./watch";
import { welcome } from "./welcome";
import type { Change, Command, Decoration, DiffSide, OpenOptions, Panel, Workbench } from "./workbench";

export class Shell implements Workbench {
  readonly files: Files;
  readonly layout: Layout;
  readonly keys: Keys;
  readonly editors: Editors;
  readonly explorer: Explorer;
  readonly dock: Dock;
  readonly quick: QuickOpen;
  readonly saver: Saver;
  readonly bar: StatusBar;
  readonly memory: Memory;
  private readonly activity: ActivityBar;
  private readonly watch: Watch;
  private readonly disk: Disk;
  private readonly drafts: Drafts;
  private readonly names: Names;
  private readonly symbols = new Symbols();
  private readonly statusOfFile: StatusOfFile;
  private readonly buffers: FileTabHost["buffers"] = new Map();
  private readonly onFilesSignal = new Signal<[Change[] | null]>();
  private readonly onGitSignal = new Signal<[]>();
  private readonly onActiveSignal = new Signal<[string | null]>();
  private readonly onSavedSignal = new Signal<[string]>();
  private readonly onRunningSignal = new Signal<[boolean]>();
  private readonly decorators: ((path: string, folder: boolean) => Decoration | null)[] = [];
  private readonly extenders: ((path: string) => Extension | null | Promise<Extension | null>)[] = [];
  private readonly actions: ((paths: string[], folder: string) => (MenuItem | null)[])[] = [];
  private readonly takers: ((folder: string, data: DataTransfer) => void)[] = [];
  private isRunning = false;
  private begun = false;
  private wrapped: boolean;
  private last: string | null = null;
  root: string;

  constructor(readonly workspace: string, readonly home: string) {
    this.memory = new Memory(workspace);
    this.files = new Files(workspace);
    this.drafts = new Drafts(workspace);
    this.names = new Names(this.files);
    this.layout = new Layout(this.memory);
    this.root = this.memory.get("root", { path: home }).path;
    this.wrapped = this.memory.get("editor", { wrap: false }).wrap;
    this.bar = new StatusBar(byId("statusbar"));
    this.keys = new Keys(() => this.ownsTerminal());
    this.activity = new ActivityBar(this.layout, (key, run) => this.keys.add({ id: `panel.${key}`, title: "Show a panel", icon: "panel-left", group: "View", key, hidden: true, overTerminal: key !== "Mod+Shift+F", run }));
    this.saver = new Saver(this.files, {
      saved: (path) => { this.onSavedSignal.send(path); this.editors.redraw(); },
      show: (tab) => this.editors.openTab(tab),
      close: (key) => { for (const tab of this.editors.tabs) if (tab.key === key) void this.editors.close(tab, false); },
      narrow: () => this.layout.onPhone,
      drop: (path) => this.drafts.drop(path),
    });
    this.statusOfFile = new StatusOfFile(this.bar, () => this.quick.toggle(":"));
    const start = welcome(home, () => this.editors.recentPaths, (path) => void this.open(path), () => { this.showPanel("files"); void this.explorer.actions.create("file"); });
    byId("editors").append(start.element);
    this.editors = new Editors(byId("editors"), this.memory, this.fileHost(), {
      active: (tab) => this.activated(tab),
      arranged: () => { this.rewatch(); start.draw(); },
      reveal: () => this.layout.showEditors(),
      narrow: () => this.layout.onPhone,
      mayClose: (tab) => askToSave(tab.title, () => this.saveTab(tab), () => this.drafts.drop(tab.path)),
      previewOf: (path) => Promise.resolve(this.previewTab(path)),
      menu: (tab) => this.menuOf(tab),
    });
    this.disk = new Disk(this.files, this.saver, () => this.editors.fileTabs);
    this.explorer = new Explorer(home, this.root, this.files, this.memory, {
      open: (path, options) => void this.open(path, options),
      terminalIn: (folder) => this.dock.newTab(folder),
      dropped: (folder, data) => { for (const take of this.takers) take(folder, data); },
      items: (paths, folder) => this.actions.flatMap((provide) => provide(paths, folder)),
      decoration: (path, folder) => this.decorationOf(path, folder),
      watch: () => this.rewatch(),
      rooted: (folder) => { this.root = folder; this.memory.set("root", { path: folder }); },
      moved: (from, to) => this.editors.moved(from, to),
      removed: (path) => this.editors.removed(path),
      made: (path) => void this.open(path, { preview: false }),
    });
    this.activity.add(this.explorer);
    this.quick = new QuickOpen(this.names, this.keys, {
      root: () => this.root,
      recent: () => this.editors.recentPaths,
      open: (path, options) => void this.open(path, options),
      lines: () => this.view?.state.doc.lines ?? null,
      symbols: () => (this.view && this.fileTab ? this.symbols.of(this.fileTab.path, this.view) : null),
      goTo: (place) => { if (this.last) void this.open(this.last, place); },
    });
    this.watch = new Watch(`${location.origin.replace(/^http/, "ws")}${this.files.base}/watch`, {
      files: (changes) => this.changed(changes),
      git: () => this.onGitSignal.send(),
      problem: (text) => this.bar.set("watch", text && "Does not follow the disk", text),
      settled: (folders, files) => {
        this.explorer.take(folders.map((folder) => ({ path: join(folder, "."), kind: "created" })));
        this.disk.settle(files);
      },
    });
    this.dock = openDock({
      workspace: (workspace) => this.took(workspace),
      online: (online) => this.statusOfFile.online(online),
      reveal: () => this.layout.showTerminal(),
      palette: () => this.quick.toggle(">"),
      owns: () => this.ownsTerminal() || document.activeElement === document.body,
    });
    this.took(this.dock.workspace());
    this.layout.onChange(() => this.activity.draw());
  }

  /** The editor in front, where it has text. */
  get view(): EditorView | null {
    const { active } = this.editors;
    return active instanceof FileTab ? active.view : null;
  }

  get fileTab(): FileTab | null {
    const { active } = this.editors;
    return active instanceof FileTab ? active : null;
  }

  /** Bring back what was open. */
  async restore(): Promise<void> {
    const focus = this.layout.lastFocus;
    await this.editors.restore(await this.drafts.load());
    if (focus === "editor" && !this.layout.onPhone && this.layout.dock !== "only") this.editors.active?.focus();
  }

  open(path: string, options: OpenOptions = {}): Promise<EditorView | null> {
    return this.editors.open(path, { preview: true, ...options });
  }

  async openDiff(title: string, left: DiffSide, right: DiffSide): Promise<void> {
    const { DiffTab } = await import("./editor/diff");
    const buffer = right.path && this.buffers.get(right.path);
    const textOf = async (side: DiffSide): Promise<string> => side.text ?? (side.path ? await this.readText(side.path) : "");
    const key = `diff:${title}:${right.path ?? left.path ?? ""}:${left.label}`;
    // One that is open shows what was then.
    const old = this.editors.tabs.find((tab) => tab.key === key);
    if (old) await this.editors.close(old, false);
    await this.editors.openTab(new DiffTab({
      key, title, path: right.path ?? left.path ?? null, narrow: this.layout.onPhone,
      left: { label: left.label, text: await textOf(left) },
      right: buffer ? { label: right.label, buffer } : { label: right.label, text: await textOf(right) },
    }));
  }

  openTab(tab: Tab, beside = false): Promise<void> {
    return this.editors.openTab(tab, beside);
  }

  textOf(path: string): string | null {
    return this.buffers.get(path)?.text() ?? null;
  }

  activeFile(): string | null {
    return this.fileTab?.path ?? null;
  }

  openFiles(): { path: string; dirty: boolean }[] {
    return [...new Map(this.editors.fileTabs.map((tab) => [tab.path, { path: tab.path, dirty: tab.dirty }])).values()];
  }

  async saveAll(): Promise<boolean> {
    const unsaved = [...new Map(this.editors.fileTabs.filter((tab) => tab.dirty).map((tab) => [tab.path, tab])).values()];
    return (await Promise.all(unsaved.map((tab) => this.saveTab(tab)))).every(Boolean);
  }

  refresh(path?: string): void {
    this.changed(path ? [{ path: `${path}/`, kind: "created" }] : null);
  }

  onFiles(listener: (changes: Change[] | null) => void): () => void { return this.onFilesSignal.on(listener); }
  onGit(listener: () => void): () => void { return this.onGitSignal.on(listener); }
  onActive(listener: (path: string | null) => void): () => void { return this.onActiveSignal.on(listener); }
  onSaved(listener: (path: string) => void): () => void { return this.onSavedSignal.on(listener); }

  onRunning(listener: (running: boolean) => void): () => void {
    listener(this.isRunning);
    return this.onRunningSignal.on(listener);
  }

  addPanel(panel: Panel): void { this.activity.add(panel); }
  showPanel(id: string): void { this.activity.show(id); }
  badge(panel: string, count: number): void { this.activity.badge(panel, count); }
  status(slot: string, text: string, title = "", run?: () => void): void { this.bar.set(slot, text, title, run); }
  command(...commands: Command[]): void { for (const command of commands) this.keys.add(command); }
  extendEditors(provider: (path: string) => Extension | null | Promise<Extension | null>): void {
    this.extenders.push(provider);
    for (const tab of this.editors.fileTabs) void tab.extend();
  }
  symbolsFrom(provider: SymbolProvider): void { this.symbols.add(provider); }
  decorate(provider: (path: string, folder: boolean) => Decoration | null): void { this.decorators.push(provider); this.redecorate(); }
  redecorate(): void { this.explorer.tree.redraw(); }
  fileActions(provider: (paths: string[], folder: string) => (MenuItem | null)[]): void { this.actions.push(provider); }
  onDrop(handler: (folder: string, data: DataTransfer) => void): void { this.takers.push(handler); }

  /** Save the file in front. */
  async save(): Promise<void> {
    if (this.fileTab) await this.saver.save(this.fileTab);
  }

  preview(beside: boolean): void {
    const path = this.activeFile();
    if (path) void this.editors.openTab(this.previewTab(path), beside);
  }

  async toggleWrap(): Promise<void> {
    this.wrapped = !this.wrapped;
    this.memory.set("editor", { wrap: this.wrapped });
    const { setWrap } = await import("./editor/editor");
    for (const tab of this.editors.fileTabs) if (tab.view && !tab.plain) setWrap(tab.view, this.wrapped);
  }

  /** Whether a shell has the keyboard. */
  ownsTerminal(): boolean {
    return byId("dock").contains(document.activeElement);
  }

  private fileHost(): FileTabHost {
    return {
      files: this.files, drafts: this.drafts, buffers: this.buffers,
      wrap: () => this.wrapped,
      extensions: async (path) => (await Promise.all(this.extenders.map((provide) => Promise.resolve(provide(path)).catch(() => null)))).filter((one): one is Extension => one !== null),
      moved: (tab) => { if (tab === this.editors.active) this.statusOfFile.draw(tab); },
      edited: () => { this.watch.typed(); this.dock.touched(); },
      changed: () => this.editors.redraw(),
      compare: (tab) => { if (tab.buffer) void this.saver.compare(tab.buffer); },
      save: (tab) => void this.saver.save(tab),
      reload: (tab) => { if (tab.buffer) void this.saver.reload(tab.buffer); },
    };
  }

  /** Save a tab, also one that nobody looked at since its draft came back. */
  private async saveTab(tab: FileTab): Promise<boolean> {
    if (!tab.buffer) await tab.load();
    return this.saver.save(tab);
  }

  private previewTab(path: string): PreviewTab {
    return new PreviewTab(path, { files: this.files, buffer: (of) => this.buffers.get(of) ?? null, open: (other) => void this.open(other) });
  }

  private menuOf(tab: Tab): (MenuItem | null)[] {
    if (!(tab instanceof FileTab)) return [];
    const { path, buffer } = tab;
    return [
      { label: "Save", icon: "save", run: () => void this.saver.save(tab) },
      ...(tab.dirty && buffer ? [{ label: "Compare with what is on the disk", icon: "file-diff", run: () => void this.compareSaved(path) }, { label: "Undo all since it was saved", icon: "undo-2", run: () => void this.saver.reload(buffer) }] : []),
      { label: "Show it in the tree", icon: "folder", run: () => { this.showPanel("files"); void this.explorer.follow(path); } },
      { label: "Download", icon: "download", href: this.files.contentUrl(path) },
    ];
  }

  private async compareSaved(path: string): Promise<void> {
    await this.openDiff(`${nameOf(path)} (unsaved)`, { label: "On the disk", text: await this.readText(path) }, { label: "Yours", path });
  }

  private async readText(path: string): Promise<string> {
    const { BYTES_MOST, decode } = await import("./editor/text");
    const content = await this.files.read(path, BYTES_MOST);
    return "bytes" in content ? decode(content.bytes).text.replaceAll("\r\n", "\n") : "";
  }

  private decorationOf(path: string, folder: boolean): Decoration | null {
    for (const decorate of this.decorators) {
      const decoration = decorate(path, folder);
      if (decoration) return decoration;
    }
    return null;
  }

  private activated(tab: Tab | null): void {
    const path = tab instanceof FileTab ? tab.path : null;
    this.statusOfFile.draw(tab instanceof FileTab ? tab : null);
    if (path === this.last) return;
    this.last = path;
    this.onActiveSignal.send(path);
    if (path && this.layout.sideShown) void this.explorer.follow(path);
  }

  private changed(changes: Change[] | null): void {
    this.explorer.take(changes);
    this.disk.take(changes);
    for (const tab of this.editors.tabs) if (tab instanceof PreviewTab && (changes === null || changes.some((change) => change.path === tab.path))) tab.later();
    this.onFilesSignal.send(changes);
  }

  private rewatch(): void {
    const paths = this.editors.fileTabs.map((tab) => tab.path);
    this.watch.set([...this.explorer.model.watched(), ...paths.map(parentOf)], paths);
  }

  private took(workspace: Workspace): void {
    const running = workspace.state === "running";
    this.statusOfFile.workspace(workspace, () => this.dock.start());
    // A workspace that is being started answers in a moment, and one that cannot start is reached by other means.
    if (!this.begun && !["starting", "stopping"].includes(workspace.state) && (running || workspace.state === "failed")) {
      this.begun = true;
      this.explorer.begin();
      void this.restore();
    }
    if (running === this.isRunning) return;
    this.isRunning = running;
    this.watch.setRunning(running);
    this.onRunningSignal.send(running);
    if (running) this.names.prepareLater(this.root);
    if (!running && this.begun) toast("The workspace does not run", { kind: "warn", text: "Files can be read and saved all the same; search, git and terminals cannot be used.", seconds: 6 });
  }
}
