/** A file that is not shown: why, and how to get it all the same. */
import { h, icon } from "../../lib/dom";

export interface Declined {
  icon: string;
  title: string;
  text: string;
  /** Saves the file with the browser. */
  download?: string;
  actions?: { label: string; run: () => void }[];
}

export function declinedElement(what: Declined): HTMLElement {
  return h("div", { class: "declined empty", tabindex: -1 }, h("span", { class: "emblem" }, icon(what.icon)), h("h2", {}, what.title), h("p", {}, what.text),
    h("div", { class: "row" },
      what.download ? h("a", { class: "button primary", href: what.download, download: true }, icon("download"), "Download") : null,
      ...(what.actions ?? []).map((action) => h("button", { type: "button", class: "button", onclick: action.run }, action.label))));
}
