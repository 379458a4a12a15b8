/** One row of the file tree. */
import { h, icon } from "../../lib/dom";
import { visible } from "../../lib/visible";
import { extensionOf } from "../paths";
import type { TreeNode } from "./model";
import type { Decoration } from "../workbench";

const PICTURES = new Set(["png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "bmp"]);
const PROSE = new Set(["md", "markdown", "txt", "rst", "adoc", "pdf", "log"]);
const PACKED = new Set(["zip", "gz", "tgz", "tar", "xz", "zst", "bz2", "7z"]);
const SETTINGS = new Set(["json", "yaml", "yml", "toml", "ini", "cfg", "conf", "env"]);

/** The icon for a file's name. */
export function fileIcon(path: string): string {
  const extension = extensionOf(path);
  if (PICTURES.has(extension)) return "image";
  if (PROSE.has(extension)) return "file-text";
  if (PACKED.has(extension)) return "archive";
  if (SETTINGS.has(extension)) return "braces";
  return extension ? "file-code" : "file";
}

export interface RowState {
  focused: boolean;
  selected: boolean;
  cut: boolean;
  /** What is dragged would land in it. */
  target: boolean;
  decoration: Decoration | null;
}

/** Build a row; `updateRow` keeps it up to date as long as its shape stays. */
export function rowElement(node: TreeNode, decoration: Decoration | null): HTMLElement {
  const link = node.entry.type === "link";
  const element = h("div", { role: "treeitem", style: `--depth: ${node.depth}`, draggable: "true", "aria-level": node.depth, "aria-expanded": node.folder ? String(node.open) : null, title: node.note || (link ? "A link" : null) },
    h("span", { class: "fold" }, node.folder ? icon(node.open ? "chevron-down" : "chevron-right") : null),
    icon(node.folder ? (node.open ? "folder-open" : "folder") : link ? "file-symlink" : fileIcon(node.path)),
    h("span", { class: "label" }, ...visible(node.entry.name)));
  if (node.note) element.append(h("span", { class: "mark" }, icon("circle-alert"), h("span", { class: "visually-hidden" }, node.note)));
  if (decoration) element.append(h("span", { class: "mark", title: decoration.title, "aria-label": decoration.title }, node.folder ? "•" : decoration.letter));
  return element;
}

/** What of a row asks for another element. */
export function shapeOf(node: TreeNode, decoration: Decoration | null): string {
  return JSON.stringify([node.entry.type, node.folder, node.open, node.note, node.depth, decoration]);
}

/** Show a row's state, leaving its element alone: a click on what is exchanged under the pointer is lost. */
export function updateRow(element: HTMLElement, node: TreeNode, index: number, state: RowState): void {
  const { focused, selected, cut, target, decoration } = state;
  element.className = ["row-file", focused && "focused", selected && "selected", cut && "cut", target && "target", decoration && `is-${decoration.kind}`].filter(Boolean).join(" ");
  element.id = `row-${index}`;
  element.setAttribute("aria-posinset", String(node.position));
  element.setAttribute("aria-setsize", String(node.siblings));
  element.setAttribute("aria-selected", String(selected));
}
