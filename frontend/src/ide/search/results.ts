/** The matches of a search by file, as a tree. */
import { h, icon, iconButton } from "../../lib/dom";
import { visible, visibleText } from "../../lib/visible";
import { nameOf, parentOf, relativeTo } from "../paths";
import { focusRows, navigable } from "../rows";
import type { Match } from "./api";
import { fileIcon } from "../tree/row";

export interface ResultHooks {
  open: (match: Match, options: { background: boolean; beside: boolean }) => void;
  replace: (path: string) => void;
  /** Something was taken off the list. */
  changed: () => void;
}

/** In a narrow panel a match far to the right would not be seen. */
const LEAD_MOST = 22;
const LEAD = 14;

interface Group {
  path: string;
  matches: Match[];
  element: HTMLElement;
  head: HTMLElement;
  rows: HTMLElement;
  count: HTMLElement;
}

export class Results {
  readonly element = h("div", { class: "results", role: "tree", "aria-label": "Matches" });
  private readonly groups = new Map<string, Group>();
  private readonly matches = new WeakMap<HTMLElement, Match>();
  /** What matches become, in the preview; null where that is not known. */
  private into: string | null = null;

  constructor(private readonly hooks: ResultHooks) {
    navigable(this.element, {
      open: (row, event) => {
        const match = this.matches.get(row);
        if (match) hooks.open(match, { background: event instanceof MouseEvent && event.detail === 1, beside: event.ctrlKey || event.metaKey });
        else this.fold(row.dataset["path"]!);
      },
      key: (row, event) => this.key(row, event),
    });
    this.element.addEventListener("dblclick", (event) => {
      const match = this.matches.get((event.target as Element).closest<HTMLElement>("[data-row]")!);
      if (match) hooks.open(match, { background: false, beside: false });
    });
  }

  get files(): string[] {
    return [...this.groups.keys()];
  }

  get count(): number {
    let sum = 0;
    for (const { matches } of this.groups.values()) sum += matches.length;
    return sum;
  }

  countIn(path: string): number {
    return this.groups.get(path)?.matches.length ?? 0;
  }

  clear(): void {
    this.groups.clear();
    this.element.replaceChildren();
  }

  focus(): boolean {
    return focusRows(this.element);
  }

  /** Show what the matches would become. */
  preview(into: string | null): void {
    this.into = into;
    for (const row of this.element.querySelectorAll<HTMLElement>(".match")) row.querySelector(".text")!.replaceWith(this.text(this.matches.get(row)!));
  }

  /** Whether matches can be replaced: the buttons for that are shown. */
  set replacing(on: boolean) {
    this.element.classList.toggle("replacing", on);
  }

  add(matches: Match[], root: string): void {
    for (const match of matches) {
      const group = this.groups.get(match.path) ?? this.group(match.path, root);
      group.matches.push(match);
      group.rows.append(this.row(match));
      group.count.textContent = String(group.matches.length);
    }
  }

  foldAll(): void {
    const open = [...this.groups.values()].some((group) => !group.rows.hidden);
    for (const group of this.groups.values()) this.set(group, !open);
  }

  private group(path: string, root: string): Group {
    const shown = relativeTo(path, root);
    const count = h("span", { class: "count" });
    const head = h("div", { class: "line file", role: "treeitem", "aria-expanded": "true", "aria-level": 1, tabindex: this.groups.size ? -1 : 0, "data-row": path, "data-path": path, title: visibleText(path) },
      icon("chevron-down"), icon(fileIcon(path)),
      h("span", { class: "label" }, ...visible(nameOf(path)), h("span", { class: "where" }, shown.includes("/") ? visibleText(parentOf(shown)) : "")),
      h("span", { class: "acts" },
        iconButton(`Replace in ${visibleText(nameOf(path))}`, "replace", () => this.hooks.replace(path), "quiet replacer"),
        iconButton("Leave out", "x", () => this.dismiss(path))),
      count);
    const rows = h("div", { class: "rows", role: "group" });
    const element = h("div", { class: "file-matches", role: "none" }, head, rows);
    const group = { path, matches: [], element, head, rows, count };
    this.groups.set(path, group);
    this.element.append(element);
    return group;
  }

  private row(match: Match): HTMLElement {
    const row = h("div", { class: "line match", role: "treeitem", "aria-level": 2, tabindex: -1, "data-row": `${match.path}:${match.line}:${match.column}`, "data-path": match.path, title: `Line ${match.line}` },
      this.text(match), h("span", { class: "n", "aria-hidden": "true" }, match.line));
    this.matches.set(row, match);
    return row;
  }

  private text(match: Match): HTMLElement {
    const [from, to] = [match.at, match.at + match.length];
    const found = visible(match.text.slice(from, to));
    const before = from > LEAD_MOST ? `…${match.text.slice(from - LEAD, from)}` : match.text.slice(0, from);
    return h("span", { class: "text" }, ...visible(before),
      ...(this.into === null ? [h("mark", {}, ...found)] : [h("del", {}, ...found), h("ins", {}, ...visible(this.into))]),
      ...visible(match.text.slice(to)));
  }

  private key(row: HTMLElement, event: KeyboardEvent): boolean {
    const path = row.dataset["path"]!;
    const group = this.groups.get(path);
    if (!group) return false;
    const match = this.matches.get(row);
    if (event.key === "Delete") this.dismiss(path);
    else if (event.key === " " && match) this.hooks.open(match, { background: true, beside: false });
    else if (event.key === "ArrowLeft" && match) group.head.focus();
    else if (event.key === "ArrowLeft") this.set(group, false);
    else if (event.key === "ArrowRight" && !match) this.set(group, true);
    else return false;
    return true;
  }

  private fold(path: string): void {
    const group = this.groups.get(path);
    if (group) this.set(group, group.rows.hidden);
  }

  private set(group: Group, open: boolean): void {
    group.rows.hidden = !open;
    group.head.setAttribute("aria-expanded", String(open));
  }

  private dismiss(path: string): void {
    const group = this.groups.get(path);
    if (!group) return;
    const near = (group.element.nextElementSibling ?? group.element.previousElementSibling)?.querySelector<HTMLElement>("[data-row]");
    const held = group.element.contains(document.activeElement);
    this.groups.delete(path);
    group.element.remove();
    if (held) near?.focus();
    this.hooks.changed();
  }
}
