/** The page of keys. */
import { h, isMac } from "../lib/dom";
import { openDialog } from "../lib/dialog";

const KEYS: [string, string][] = [
  [isMac ? "⌘ C" : "Ctrl Shift C", "Copy what is selected with Shift"],
  [isMac ? "⌘ V" : "Ctrl Shift V", "Paste"],
  ["Drag", "Select and copy (Shift and drag: the browser's own selection)"],
  ["Wheel", "Scroll through the last 50,000 lines"],
  [isMac ? "⌘ F" : "Ctrl Shift F", "Search the whole history"],
  ["Alt 1 … 9", "Go to a tab"],
  ["Ctrl PageUp / PageDown", "Tab to the left or right"],
  ["Alt Shift T", "New terminal"],
  ["Middle click", "Close a tab"],
  [isMac ? "⌘ K" : "Ctrl Shift P", "Commands"],
];

export function showHelp(): void {
  const rows = KEYS.map(([key, what]) => h("tr", {}, h("td", {}, h("kbd", {}, key)), h("td", {}, what)));
  openDialog({
    title: "Keys and help",
    verb: "Close",
    cancel: false,
    body: [
      h("table", { class: "keys" }, h("tbody", {}, ...rows)),
      h("p", { class: "muted" }, "Each tab is a tmux session in the workspace. It goes on when you close the browser, and other devices see the same one. It ends when you close the tab with its ×, when its shell exits, or when the workspace stops."),
    ],
    submit: () => undefined,
  });
}
