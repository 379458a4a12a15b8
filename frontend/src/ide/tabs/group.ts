/** One of the halves that the editors may be split into: a strip of tabs and what is in front. */
import { h, iconButton } from "../../lib/dom";
import { extensionOf } from "../paths";
import type { Tab } from "./tab";
import { Strip, type StripHooks } from "./strip";

export interface GroupHooks extends Omit<StripHooks, "keep"> {
  /** Something of it was touched: it is the one that commands mean. */
  entered: (group: Group) => void;
  changed: () => void;
  preview: (tab: Tab) => void;
  split: (group: Group) => void;
  /** Save what is in front, where there is no key for it. */
  save: (tab: Tab) => void;
  more: (group: Group, anchor: HTMLElement) => void;
}

let serial = 0;

export class Group {
  readonly id: number;
  readonly element: HTMLElement;
  tabs: Tab[] = [];
  active: Tab | null = null;
  private readonly strip: Strip;
  private readonly body = h("div", { class: "pages" });
  private readonly previewButton: HTMLElement;
  /** Tabs in the order they were last in front. */
  private history: Tab[] = [];

  constructor(private readonly hooks: GroupHooks) {
    serial += 1;
    this.id = serial;
    this.strip = new Strip(this.id, { ...hooks, choose: (tab) => void this.choose(tab), keep: (tab) => { tab.preview = false; this.draw(); hooks.changed(); } });
    this.previewButton = iconButton("Show the page it makes", "eye", () => { if (this.active) hooks.preview(this.active); });
    const more = iconButton("More about this file", "ellipsis", () => hooks.more(this, more));
    this.element = h("div", { class: "group" },
      h("header", { class: "group-bar" }, this.strip.element, h("div", { class: "tools" }, iconButton("Save", "save", () => { if (this.active) hooks.save(this.active); }, "quiet save"), this.previewButton, iconButton("Split", "columns-2", () => hooks.split(this), "quiet splitter"), more)), this.body);
    this.element.addEventListener("focusin", () => hooks.entered(this));
    this.element.addEventListener("pointerdown", () => hooks.entered(this));
  }

  find(key: string): Tab | null {
    return this.tabs.find((tab) => tab.key === key) ?? null;
  }

  /** Put a tab beside the one in front, or before another; a preview takes the place of the last one. */
  add(tab: Tab, before?: Tab | null): void {
    const old = tab.preview ? this.tabs.find((other) => other.preview) : undefined;
    const next = this.active ? this.tabs[this.tabs.indexOf(this.active) + 1] : undefined;
    const target = before === undefined ? (old ?? next) : before;
    const at = target ? this.tabs.indexOf(target) : this.tabs.length;
    this.tabs.splice(at < 0 ? this.tabs.length : at, 0, tab);
    this.body.append(tab.element);
    if (old) this.take(old).dispose();
    this.draw();
  }

  async choose(tab: Tab, focus = true): Promise<void> {
    if (this.active !== tab) this.active?.hide?.();
    this.active = tab;
    this.history = [...this.history.filter((one) => one !== tab && this.tabs.includes(one)), tab];
    this.draw();
    this.hooks.entered(this);
    this.hooks.changed();
    const before = document.activeElement;
    await tab.show();
    this.draw();
    // It may have taken a while to come: whoever has gone on elsewhere is left there.
    const now = document.activeElement;
    if (focus && this.active === tab && (now === before || now === document.body || this.element.contains(now))) tab.focus();
  }

  /** Take a tab out without closing it. */
  take(tab: Tab): Tab {
    const at = this.tabs.indexOf(tab);
    this.tabs = this.tabs.filter((one) => one !== tab);
    this.history = this.history.filter((one) => one !== tab);
    tab.element.remove();
    if (tab === this.active) {
      this.active = null;
      const next = this.history.at(-1) ?? this.tabs[at] ?? this.tabs[at - 1];
      const had = this.element.contains(document.activeElement) || document.activeElement === document.body;
      if (next) void this.choose(next, had);
    }
    this.draw();
    return tab;
  }

  draw(): void {
    this.strip.draw(this.tabs, this.active);
    this.previewButton.hidden = !(this.active?.key.startsWith("file:") && ["md", "markdown"].includes(extensionOf(this.active.path ?? "")));
    this.element.classList.toggle("none", this.tabs.length === 0);
  }
}
