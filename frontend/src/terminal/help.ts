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

const EDITOR_KEYS: [string, string][] = [
  [isMac ? "⌘ P" : "Ctrl P", "Go to a file (> for commands, : for a line)"],
  [isMac ? "⌘ S" : "Ctrl S", "Save"],
  ["Alt W", "Close the file"],
  [isMac ? "⌘ ⇧ E / F / G" : "Ctrl Shift E / F / G", "Files, search, git"],
  [isMac ? "⌃ `" : "Ctrl `", "Show or hide the terminal (with Shift: the terminal only)"],
  [isMac ? "⌘ B" : "Ctrl B", "Show or hide the side bar"],
  [isMac ? "⌘ 1 … 3, ⌘ 0" : "Ctrl 1 … 3, Ctrl 0", "Go to a half of the editors, to the side bar"],
  [isMac ? "⌘ \\" : "Ctrl \\", "Split the editor"],
  [isMac ? "⌘ D" : "Ctrl D", "Select the next of the same words"],
  ["Alt Z", "Wrap long lines"],
];

export function showHelp(): void {
  const rows = (keys: [string, string][]): HTMLElement[] => keys.map(([key, what]) => h("tr", {}, h("td", {}, h("kbd", {}, key)), h("td", {}, what)));
  openDialog({
    title: "Keys and help",
    verb: "Close",
    cancel: false,
    body: [
      h("h3", {}, "Files and editors"),
      h("table", { class: "keys" }, h("tbody", {}, ...rows(EDITOR_KEYS))),
      h("h3", {}, "Terminals"),
      h("table", { class: "keys" }, h("tbody", {}, ...rows(KEYS))),
      h("p", { class: "muted" }, "Each tab is a tmux session in the workspace. It goes on when you close the browser, and other devices see the same one. It ends when you close the tab with its ×, when its shell exits, or when the workspace stops."),
    ],
    submit: () => undefined,
  });
}
