/** The strip of tabs of one group of editors. */
import { h, icon, iconButton } from "../../lib/dom";
import { visible, visibleText } from "../../lib/visible";
import type { Tab } from "./tab";

export interface StripHooks {
  choose: (tab: Tab) => void;
  close: (tab: Tab) => void;
  keep: (tab: Tab) => void;
  menu: (tab: Tab, at: { x: number; y: number }) => void;
  /** A tab of any group was dropped before another one, or at the end. */
  dropped: (id: string, before: Tab | null) => void;
}

const OWN = "application/x-rootblood-tab";

export class Strip {
  readonly element = h("div", { class: "strip", role: "tablist", "aria-label": "Open files" });

  constructor(private readonly group: number, private readonly hooks: StripHooks) {
    this.element.addEventListener("wheel", (event) => {
      if (event.deltaX || !event.deltaY) return;
      this.element.scrollLeft += event.deltaY;
      event.preventDefault();
    }, { passive: false });
    this.element.addEventListener("dragover", (event) => { if (event.dataTransfer?.types.includes(OWN)) event.preventDefault(); });
  }

  draw(tabs: Tab[], active: Tab | null): void {
    const had = this.element.contains(document.activeElement);
    this.element.replaceChildren(...tabs.map((tab) => this.tab(tab, tab === active, namesake(tab, tabs))));
    const on = this.element.querySelector<HTMLElement>(".on");
    on?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (had) on?.querySelector<HTMLElement>("[role=tab]")?.focus();
    this.element.ondrop = (event) => this.drop(event, tabs);
    this.element.onkeydown = (event) => this.move(event, tabs, active);
  }

  private tab(tab: Tab, on: boolean, where: string): HTMLElement {
    const name = h("button", { type: "button", class: "name", role: "tab", "aria-selected": String(on), tabindex: on ? 0 : -1, "aria-controls": tab.element.id, onclick: () => this.hooks.choose(tab) },
      icon(tab.icon), h("span", { class: "label" }, ...visible(tab.title)), where ? h("span", { class: "folder" }, where) : null,
      tab.dirty ? h("span", { class: "visually-hidden" }, ", not saved") : null);
    const close = iconButton(`Close ${visibleText(tab.title)}`, "x", () => this.hooks.close(tab), "quiet close");
    const element = h("div", { class: ["etab", on && "on", tab.dirty && "dirty", tab.preview && "preview", tab.gone && "gone"].filter(Boolean).join(" "), role: "presentation", title: visibleText(tab.detail), draggable: "true" }, name, close);
    element.addEventListener("mousedown", (event) => { if (event.button === 1) event.preventDefault(); });
    element.addEventListener("auxclick", (event) => { if (event.button === 1) this.hooks.close(tab); });
    element.addEventListener("dblclick", () => this.hooks.keep(tab));
    element.addEventListener("contextmenu", (event) => { event.preventDefault(); this.hooks.menu(tab, { x: event.clientX, y: event.clientY }); });
    element.addEventListener("dragstart", (event) => event.dataTransfer?.setData(OWN, JSON.stringify({ group: this.group, key: tab.key })));
    return element;
  }

  private drop(event: DragEvent, tabs: Tab[]): void {
    const id = event.dataTransfer?.getData(OWN);
    if (!id) return;
    event.preventDefault();
    const after = [...this.element.children].findIndex((child) => { const box = child.getBoundingClientRect(); return event.clientX < box.left + box.width / 2; });
    this.hooks.dropped(id, after < 0 ? null : tabs[after] ?? null);
  }

  private move(event: KeyboardEvent, tabs: Tab[], active: Tab | null): void {
    const at = active ? tabs.indexOf(active) : -1;
    if (event.key === "Delete" && active) return this.hooks.close(active);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    if (next) this.hooks.choose(next);
    this.element.querySelector<HTMLElement>(".on [role=tab]")?.focus();
  }
}

/** The folder that tells apart what has the same name. */
function namesake(tab: Tab, tabs: Tab[]): string {
  if (!tab.path || !tabs.some((other) => other !== tab && other.title === tab.title && other.path !== tab.path)) return "";
  return visibleText(tab.path.split("/").at(-2) ?? "");
}
