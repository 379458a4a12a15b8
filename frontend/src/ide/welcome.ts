/** What the editors show while no file is open: recent files and the keys that help most. */
import { h, icon } from "../lib/dom";
import { visible } from "../lib/visible";
import { keyLabel } from "./keys";
import { nameOf, parentOf, shorten } from "./paths";
import { fileIcon } from "./tree/row";

const KEYS: [string, string][] = [
  ["Mod+P", "Go to a file"],
  ["Mod+Shift+P", "All commands"],
  ["Mod+Shift+F", "Search in all files"],
  ["Mod+B", "Show or hide the side bar"],
  ["Ctrl+`", "Show or hide the terminal"],
  ["Mod+\\", "Split the editor"],
];

export interface Welcome {
  element: HTMLElement;
  /** Take up the list of recent files. */
  draw: () => void;
}

export function welcome(home: string, recent: () => string[], open: (path: string) => void, create: () => void): Welcome {
  const list = h("ul", { class: "recent" });
  const latest = h("section", {}, h("h2", {}, "Recent"), list);
  const element = h("div", { class: "welcome" },
    h("div", { class: "columns" }, latest,
      h("section", {}, h("h2", {}, "Begin"),
        h("ul", {},
          h("li", {}, h("button", { type: "button", class: "link-button", onclick: create }, icon("file-plus"), "New file …"))),
        h("dl", { class: "keys" }, ...KEYS.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, keyLabel(key))), h("dd", {}, what)])))));
  return {
    element,
    draw() {
      const paths = recent().slice(0, 8);
      latest.hidden = paths.length === 0;
      list.replaceChildren(...paths.map((path) => h("li", {}, h("button", { type: "button", class: "link-button", onclick: () => open(path) }, icon(fileIcon(path)), h("span", {}, ...visible(nameOf(path))), h("span", { class: "muted small" }, ...visible(shorten(parentOf(path), home)))))));
    },
  };
}
