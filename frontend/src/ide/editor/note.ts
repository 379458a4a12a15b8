/** The line above an editor: what is not as usual with its file, and what can be done. */
import { h, icon } from "../../lib/dom";

export interface Note {
  icon: string;
  text: string;
  warn?: boolean;
  actions?: { label: string; run: () => void }[];
}

export function noteElement(note: Note, close?: () => void): HTMLElement {
  return h("div", { class: `note ${note.warn ? "warn" : ""}`, role: "status" }, icon(note.icon), h("span", { class: "grow" }, note.text),
    ...(note.actions ?? []).map((action) => h("button", { type: "button", class: "button tiny", onclick: action.run }, action.label)),
    close ? h("button", { type: "button", class: "button quiet tiny", "aria-label": "Hide this", onclick: close }, icon("x")) : null);
}
