/** The file tree on the page: draws the rows that are in sight, and moves by mouse and keyboard. */
import { h } from "../../lib/dom";
import { rowElement, shapeOf, updateRow } from "./row";
import type { TreeModel, TreeNode } from "./model";
import type { Decoration } from "../workbench";

export interface TreeHooks {
  /** A file was chosen: kept or as a preview. */
  open: (node: TreeNode, options: { preview: boolean; beside: boolean; background: boolean }) => void;
  menu: (at: { x: number; y: number }) => void;
  /** A key that moves nothing: whether it was used. */
  key: (event: KeyboardEvent) => boolean;
  decoration: (path: string, folder: boolean) => Decoration | null;
}

const OVERSCAN = 6;
const TYPING_MS = 700;

export class Tree {
  readonly element: HTMLElement;
  /** Paths that are meant to be moved away. */
  cut = new Set<string>();
  model!: TreeModel;
  private readonly spacer = h("div", { class: "spacer", role: "presentation" });
  private readonly window = h("div", { class: "rows", role: "presentation" });
  private readonly drawn = new Map<string, { shape: string; element: HTMLElement }>();
  private readonly chosen = new Set<string>();
  private focused = "";
  private anchor = "";
  private target = "";
  private height = 24;
  private frame = 0;
  private typed = "";
  private typedAt = 0;
  /** A row that is drawn in place of another, or as an additional one before it. */
  private edit: { path: string; additional: boolean; element: HTMLElement } | null = null;

  constructor(private readonly hooks: TreeHooks) {
    this.element = h("div", { class: "tree", role: "tree", tabindex: 0, "aria-label": "Files", "aria-multiselectable": "true" }, this.spacer);
    this.spacer.append(this.window);
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.element.addEventListener("click", (event) => this.onClick(event));
    this.element.addEventListener("dblclick", (event) => this.onDoubleClick(event));
    this.element.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      const node = this.at(event.clientY);
      if (node && !this.chosen.has(node.path)) this.choose(node.path);
      else if (!node) this.chosen.clear();
      this.hooks.menu({ x: event.clientX, y: event.clientY });
    });
    // By keyboard; a click chooses by itself.
    this.element.addEventListener("focus", () => { if (this.element.matches(":focus-visible") && !this.focused && this.model.rows[0]) this.choose(this.model.rows[0].path); });
    new ResizeObserver(() => this.redraw()).observe(this.element);
  }

  /** Take up what the model has; call it whenever that changed. */
  redraw(): void {
    this.height = parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 24;
    this.spacer.style.height = `${(this.model.rows.length + (this.edit?.additional ? 1 : 0)) * this.height}px`;
    this.draw();
  }

  /** What is chosen, or else has the focus. */
  selection(): TreeNode[] {
    const nodes = this.model.rows.filter((node) => this.chosen.has(node.path));
    const one = this.focusedNode();
    return nodes.length || !one ? nodes : [one];
  }

  focusedNode(): TreeNode | null {
    return this.model.rows.find((node) => node.path === this.focused) ?? null;
  }

  /** Choose one entry alone and bring it into sight. */
  choose(path: string): void {
    this.chosen.clear();
    this.chosen.add(path);
    this.focused = this.anchor = path;
    this.show(path);
  }

  /** The entry under a pointer. */
  at(y: number): TreeNode | null {
    const index = Math.floor((y - this.spacer.getBoundingClientRect().top) / this.height);
    return this.model.rows[index] ?? null;
  }

  /** Mark where what is dragged would land; "" marks nothing. */
  aim(path: string): void {
    if (path === this.target) return;
    this.target = path;
    this.draw();
  }

  /** Put an element in place of the row of a path, or (additional) below it as another row. */
  startEdit(path: string, additional: boolean, element: HTMLElement): void {
    this.edit = { path, additional, element };
    this.show(path);
    this.redraw();
    // What is typed next is meant for it.
    this.drawNow();
  }

  endEdit(): void {
    this.edit = null;
    this.redraw();
  }

  private show(path: string): void {
    const index = this.model.rows.findIndex((node) => node.path === path);
    if (index >= 0) {
      const top = index * this.height;
      if (top < this.element.scrollTop) this.element.scrollTop = top;
      else if (top + this.height > this.element.scrollTop + this.element.clientHeight) this.element.scrollTop = top + this.height - this.element.clientHeight;
    }
    this.draw();
  }

  private draw(): void {
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.drawNow(); });
  }

  private drawNow(): void {
    const { rows } = this.model;
    const first = Math.max(0, Math.floor(this.element.scrollTop / this.height) - OVERSCAN);
    const last = Math.min(rows.length, first + Math.ceil(this.element.clientHeight / this.height) + 2 * OVERSCAN);
    const made: HTMLElement[] = [];
    // A new entry of the root comes before all rows.
    if (this.edit?.additional && this.edit.path === this.model.root.path) made.push(this.edit.element);
    for (let index = first; index < last; index += 1) {
      const node = rows[index]!;
      const replaced = this.edit?.path === node.path;
      if (replaced && this.edit && !this.edit.additional) made.push(this.edit.element);
      else made.push(this.row(node, index));
      if (replaced && this.edit?.additional) made.push(this.edit.element);
    }
    this.window.style.transform = `translateY(${first * this.height}px)`;
    this.element.classList.toggle("target", this.target === this.model.root.path);
    this.place(made);
    const active = this.window.querySelector(".focused");
    if (active) this.element.setAttribute("aria-activedescendant", active.id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /** The row of an entry: the same element as long as it has the same shape. */
  private row(node: TreeNode, index: number): HTMLElement {
    const decoration = this.hooks.decoration(node.path, node.folder);
    const shape = shapeOf(node, decoration);
    const old = this.drawn.get(node.path);
    const element = old?.shape === shape ? old.element : rowElement(node, decoration);
    if (element !== old?.element) this.drawn.set(node.path, { shape, element });
    updateRow(element, node, index, {
      focused: node.path === this.focused,
      selected: this.chosen.has(node.path),
      cut: this.cut.has(node.path),
      target: this.target !== "" && node.path === this.target,
      decoration,
    });
    return element;
  }

  /** Put rows in place and leave alone those that are there: one may be dragged or typed into. */
  private place(rows: HTMLElement[]): void {
    const wanted = new Set<Element>(rows);
    for (const child of [...this.window.children]) if (!wanted.has(child)) child.remove();
    rows.forEach((row, i) => { if (this.window.children[i] !== row) this.window.insertBefore(row, this.window.children[i] ?? null); });
    if (this.drawn.size > 4 * rows.length + 200) this.drawn.clear();
  }

  private onClick(event: MouseEvent): void {
    if ((event.target as Element).closest("input")) return;
    const node = this.at(event.clientY);
    if (!node) {
      this.chosen.clear();
      return this.draw();
    }
    if (event.shiftKey) return this.extend(node);
    if (event.ctrlKey || event.metaKey) {
      if (!this.chosen.delete(node.path)) this.chosen.add(node.path);
      this.focused = this.anchor = node.path;
      return this.draw();
    }
    this.choose(node.path);
    if (node.folder) this.toggle(node);
    else this.hooks.open(node, { preview: true, beside: event.altKey, background: true });
  }

  private onDoubleClick(event: MouseEvent): void {
    const node = this.at(event.clientY);
    if (node && !node.folder) this.hooks.open(node, { preview: false, beside: false, background: false });
  }

  private extend(node: TreeNode): void {
    const { rows } = this.model;
    const from = rows.findIndex((one) => one.path === this.anchor);
    const to = rows.indexOf(node);
    this.chosen.clear();
    for (const one of rows.slice(Math.min(Math.max(from, 0), to), Math.max(from, to) + 1)) this.chosen.add(one.path);
    this.focused = node.path;
    this.show(node.path);
  }

  private toggle(node: TreeNode): void {
    if (node.open) this.model.fold(node);
    else void this.model.unfold(node);
  }

  private onKey(event: KeyboardEvent): void {
    if ((event.target as Element).closest("input") || event.isComposing) return;
    if (this.hooks.key(event) || this.move(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  private move(event: KeyboardEvent): boolean {
    const { rows } = this.model;
    const at = rows.findIndex((node) => node.path === this.focused);
    const node = rows[at];
    if (event.key.length > 1) this.typed = "";
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 1);
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1, PageDown: at + page, PageUp: at - page }[event.key];
    if (to !== undefined && plain) {
      const next = rows[Math.max(0, Math.min(rows.length - 1, to))];
      if (next && event.shiftKey) this.extend(next);
      else if (next) this.choose(next.path);
      return true;
    }
    if (event.key === "Enter" && node) {
      if (node.folder) this.toggle(node);
      else this.hooks.open(node, { preview: false, beside: event.ctrlKey || event.metaKey, background: false });
      return true;
    }
    if (!plain || !node) return false;
    if (event.key === " ") {
      if (node.folder) this.toggle(node);
      else this.hooks.open(node, { preview: true, beside: false, background: true });
      return true;
    }
    if (event.key === "ArrowRight") {
      if (node.folder && !node.open) this.toggle(node);
      else if (node.children?.[0]) this.choose(node.children[0].path);
      return true;
    }
    if (event.key === "ArrowLeft") {
      const parent = rows.slice(0, at).findLast((one) => one.depth === node.depth - 1);
      if (node.folder && node.open) this.model.fold(node);
      else if (parent) this.choose(parent.path);
      return true;
    }
    return event.key.length === 1 && !event.shiftKey && this.seek(event.key, at, event.timeStamp);
  }

  /** Go to the next name that begins with what was typed. */
  private seek(key: string, at: number, now: number): boolean {
    this.typed = now - this.typedAt < TYPING_MS ? this.typed + key.toLowerCase() : key.toLowerCase();
    this.typedAt = now;
    const from = this.typed.length > 1 ? at : at + 1;
    const { rows } = this.model;
    for (let step = 0; step < rows.length; step += 1) {
      const node = rows[(from + step + rows.length) % rows.length]!;
      if (!node.entry.name.toLowerCase().startsWith(this.typed)) continue;
      this.choose(node.path);
      return true;
    }
    return true;
  }
}
