/** Dragging in the tree: entries into folders, and files from outside of the page. */
import { parentOf } from "../paths";
import type { Tree } from "./tree";
import { outermost, type TreeActions } from "./actions";
import type { TreeModel, TreeNode } from "./model";

const OWN = "application/x-rootblood-paths";
const UNFOLD_MS = 700;

export function installDrag(tree: Tree, model: TreeModel, actions: TreeActions, fromOutside: (folder: string, data: DataTransfer) => void): void {
  let hover = 0;
  let over = "";
  const { element } = tree;
  const targetOf = (event: DragEvent): TreeNode => {
    const node = tree.at(event.clientY);
    if (!node) return model.root;
    return node.folder ? node : model.find(parentOf(node.path)) ?? model.root;
  };
  const leave = (): void => {
    clearTimeout(hover);
    over = "";
    tree.aim("");
  };
  element.addEventListener("dragstart", (event) => {
    const node = tree.at(event.clientY);
    if (!node || !event.dataTransfer) return;
    const chosen = tree.selection().map((one) => one.path);
    event.dataTransfer.setData(OWN, JSON.stringify(outermost(chosen.includes(node.path) ? chosen : [node.path])));
    event.dataTransfer.effectAllowed = "copyMove";
  });
  element.addEventListener("dragover", (event) => {
    const types = event.dataTransfer?.types ?? [];
    if (!event.dataTransfer || !(types.includes(OWN) || types.includes("Files"))) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = types.includes(OWN) && !event.ctrlKey && !event.altKey ? "move" : "copy";
    const target = targetOf(event);
    tree.aim(target.path);
    if (target.path === over) return;
    clearTimeout(hover);
    over = target.path;
    if (!target.open) hover = window.setTimeout(() => void model.unfold(target), UNFOLD_MS);
  });
  element.addEventListener("dragleave", (event) => { if (!element.contains(event.relatedTarget as Node | null)) leave(); });
  element.addEventListener("drop", (event) => {
    if (!event.dataTransfer) return;
    event.preventDefault();
    const target = targetOf(event);
    leave();
    const own = event.dataTransfer.getData(OWN);
    if (own) void actions.bring(JSON.parse(own) as string[], target, event.ctrlKey || event.altKey ? "copy" : "move");
    else fromOutside(target.path, event.dataTransfer);
  });
  element.addEventListener("dragend", leave);
}
