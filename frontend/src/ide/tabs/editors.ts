/** The editors' half of the page: tabs in one, two or three groups side by side. */
import type { EditorView } from "@codemirror/view";
import { popMenu, type MenuItem } from "../../lib/menu";
import { FileTab, type FileTabHost } from "../editor/file-tab";
import { Group } from "./group";
import type { Memory } from "../memory";
import { within } from "../paths";
import type { KeptTab, Tab } from "./tab";
import type { OpenOptions } from "../workbench";

export interface EditorsHooks {
  /** Another tab is in front, or nothing. */
  active: (tab: Tab | null) => void;
  /** The number of tabs or groups is another. */
  arranged: () => void;
  /** Bring the editors into view. */
  reveal: () => void;
  /** Whether the page is too narrow for groups side by side. */
  narrow: () => boolean;
  /** Whether a tab with unsaved text may go. */
  mayClose: (tab: FileTab) => Promise<boolean>;
  previewOf: (path: string) => Promise<Tab>;
  menu: (tab: Tab) => (MenuItem | null)[];
}

interface Session {
  groups: { tabs: KeptTab[]; active: string }[];
  recent: string[];
}

const GROUPS_MOST = 3;
const RECENT_MOST = 30;

export class Editors {
  groups: Group[] = [];
  group: Group;
  private recent: string[];
  private closed: KeptTab[] = [];
  private restoring = true;

  constructor(private readonly element: HTMLElement, private readonly memory: Memory, private readonly files: FileTabHost, private readonly hooks: EditorsHooks) {
    this.recent = memory.get<Session>("tabs", { groups: [], recent: [] }).recent;
    this.group = this.addGroup();
  }

  get active(): Tab | null {
    return this.group.active;
  }

  get tabs(): Tab[] {
    return this.groups.flatMap((group) => group.tabs);
  }

  get fileTabs(): FileTab[] {
    return this.tabs.filter((tab): tab is FileTab => tab instanceof FileTab);
  }

  /** Paths that were open lately, latest first. */
  get recentPaths(): string[] {
    return [...this.recent].reverse();
  }

  /** Bring back the tabs of the last visit, and those that hold unsaved text. */
  async restore(drafts: string[]): Promise<void> {
    const session = this.memory.get<Session>("tabs", { groups: [], recent: [] });
    for (const [i, kept] of session.groups.slice(0, GROUPS_MOST).entries()) {
      const group = i === 0 ? this.group : this.addGroup();
      for (const one of kept.tabs) group.add(await this.make(one), null);
    }
    for (const path of drafts) if (!this.fileTabs.some((tab) => tab.path === path)) this.groups[0]!.add(new FileTab(path, false, this.files), null);
    this.groups = this.groups.filter((group) => group.tabs.length || group === this.groups[0] || (group.element.remove(), false));
    this.restoring = false;
    await Promise.all(this.groups.map((group, i) => {
      const tab = group.find(session.groups[i]?.active ?? "") ?? group.tabs[0];
      return tab && group.choose(tab, false);
    }));
    this.enter(this.groups[0]!);
    this.arranged();
  }

  async open(path: string, options: OpenOptions = {}): Promise<EditorView | null> {
    this.hooks.reveal();
    const group = options.beside ? this.beside() : this.group;
    // A file that is open in another group is shown there, unless it was asked for here.
    const elsewhere = options.beside ? undefined : this.groups.find((other) => other.active?.key === `file:${path}`) ?? this.groups.find((other) => other.find(`file:${path}`));
    const home = group.find(`file:${path}`) ? group : elsewhere ?? group;
    let tab = home.find(`file:${path}`);
    if (!tab) {
      tab = new FileTab(path, options.preview ?? false, this.files);
      home.add(tab);
    } else if (options.preview === false) tab.preview = false;
    await home.choose(tab, !options.background);
    const { view } = tab as FileTab;
    if (view && options.line) {
      const { goTo } = await import("../editor/editor");
      goTo(view, { line: options.line, ...(options.column ? { column: options.column } : {}), ...(options.length ? { length: options.length } : {}) });
    }
    return view;
  }

  /** Show a tab that is no file, or the one of the same key that is there. */
  async openTab(tab: Tab, beside = false): Promise<void> {
    this.hooks.reveal();
    const there = this.groups.find((group) => group.find(tab.key));
    if (there) {
      tab.dispose();
      return there.choose(there.find(tab.key)!);
    }
    const group = beside ? this.beside() : this.group;
    group.add(tab);
    await group.choose(tab);
  }

  async close(tab: Tab, ask = true): Promise<boolean> {
    const group = this.groups.find((one) => one.tabs.includes(tab));
    if (!group) return true;
    const last = !this.tabs.some((other) => other !== tab && other.path === tab.path && other instanceof FileTab);
    if (ask && last && tab.dirty && tab instanceof FileTab && !(await this.hooks.mayClose(tab))) return false;
    const kept = tab.kept();
    if (kept) this.closed = [...this.closed.slice(-20), kept];
    group.take(tab).dispose();
    if (last && tab instanceof FileTab) this.files.buffers.delete(tab.path);
    if (!group.tabs.length && this.groups.length > 1) {
      this.groups = this.groups.filter((one) => one !== group);
      group.element.remove();
      this.enter(this.groups.at(-1)!);
      this.active?.focus();
    }
    this.arranged();
    return true;
  }

  async closeMany(tabs: Tab[]): Promise<void> {
    for (const tab of tabs) if (!(await this.close(tab))) return;
  }

  async reopen(): Promise<void> {
    const kept = this.closed.pop();
    if (kept) await this.openTab(await this.make(kept));
  }

  /** Show what is in front in a group of its own at the side. */
  split(group = this.group): void {
    const tab = group.active;
    this.enter(group);
    if (tab instanceof FileTab) void this.open(tab.path, { beside: true });
  }

  /** Put the keyboard into a group, counted from 0. */
  focusGroup(index: number): void {
    const group = this.groups[index];
    if (!group) return;
    this.enter(group);
    group.active?.focus();
  }

  step(by: number): void {
    const { tabs, active } = this.group;
    const next = tabs[(tabs.indexOf(active!) + by + tabs.length) % tabs.length];
    if (next) void this.group.choose(next);
  }

  choose(index: number): void {
    const tab = this.group.tabs[index];
    if (tab) void this.group.choose(tab);
  }

  redraw(): void {
    for (const group of this.groups) group.draw();
    this.remember();
  }

  /** Files have other names: their tabs follow. */
  moved(from: string, to: string): void {
    for (const tab of this.fileTabs) {
      if (!within(tab.path, from)) continue;
      const old = tab.path;
      tab.path = to + old.slice(from.length);
      void this.files.drafts.rename(old, tab.path);
      const buffer = this.files.buffers.get(old);
      if (!buffer) continue;
      buffer.path = tab.path;
      // Whoever looked at the old place before this was known did not find it there.
      if (buffer.disk === "removed") buffer.markDisk("same");
      this.files.buffers.delete(old);
      this.files.buffers.set(tab.path, buffer);
    }
    this.redraw();
  }

  removed(path: string): void {
    for (const tab of this.fileTabs) {
      if (!within(tab.path, path)) continue;
      if (tab.dirty) tab.buffer?.markDisk("removed");
      else void this.close(tab, false);
    }
  }

  private addGroup(): Group {
    const group: Group = new Group({
      choose: () => undefined,
      close: (tab) => void this.close(tab),
      menu: (tab, at) => popMenu(this.element, "Tab", this.menuOf(group, tab), at),
      dropped: (id, before) => this.drop(id, group, before),
      entered: (one) => this.enter(one),
      changed: () => this.arranged(),
      preview: (tab) => { if (tab.path) void this.hooks.previewOf(tab.path).then((made) => this.openTab(made, true)); },
      split: (one) => this.split(one),
      save: (tab) => { if (tab instanceof FileTab) this.files.save(tab); },
      more: (one, anchor) => popMenu(anchor, "File", one.active ? this.menuOf(one, one.active) : []),
    });
    group.draw();
    this.groups.push(group);
    this.element.append(group.element);
    return group;
  }

  private menuOf(group: Group, tab: Tab): (MenuItem | null)[] {
    const at = group.tabs.indexOf(tab);
    return [
      ...this.hooks.menu(tab),
      null,
      { label: "Close", icon: "x", run: () => void this.close(tab) },
      { label: "Close the others", icon: "x", run: () => void this.closeMany(group.tabs.filter((one) => one !== tab)) },
      { label: "Close those to the right", icon: "x", run: () => void this.closeMany(group.tabs.slice(at + 1)) },
      { label: "Close all that are saved", icon: "x", run: () => void this.closeMany(group.tabs.filter((one) => !one.dirty)) },
    ];
  }

  private make(kept: KeptTab): Promise<Tab> {
    return kept.kind === "markdown" ? this.hooks.previewOf(kept.path) : Promise.resolve(new FileTab(kept.path, kept.preview, this.files));
  }

  private beside(): Group {
    const at = this.groups.indexOf(this.group);
    if (this.hooks.narrow()) return this.group;
    return this.groups[at + 1] ?? (this.groups.length < GROUPS_MOST ? this.addGroup() : this.groups[at]!);
  }

  private drop(id: string, group: Group, before: Tab | null): void {
    const { group: from, key } = JSON.parse(id) as { group: number; key: string };
    const source = this.groups.find((one) => one.id === from);
    const tab = source?.find(key);
    if (!source || !tab || before === tab) return;
    if (source !== group && group.find(key)) return void group.choose(group.find(key)!);
    source.take(tab);
    group.add(tab, before);
    void group.choose(tab);
    if (!source.tabs.length && this.groups.length > 1) {
      this.groups = this.groups.filter((one) => one !== source);
      source.element.remove();
    }
    this.arranged();
  }

  private enter(group: Group): void {
    this.group = group;
    for (const one of this.groups) one.element.classList.toggle("entered", one === group);
    this.hooks.active(group.active);
  }

  private arranged(): void {
    this.element.classList.toggle("none", this.tabs.length === 0);
    const path = this.active?.path;
    if (path && this.active instanceof FileTab) this.recent = [...this.recent.filter((one) => one !== path), path].slice(-RECENT_MOST);
    this.remember();
    this.hooks.active(this.active);
    this.hooks.arranged();
  }

  private remember(): void {
    if (this.restoring) return;
    const groups = this.groups.map((group) => ({ tabs: group.tabs.map((tab) => tab.kept()).filter((kept) => kept !== null), active: group.active?.key ?? "" }));
    this.memory.set("tabs", { groups, recent: this.recent } satisfies Session);
  }
}
