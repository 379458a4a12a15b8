/** The status bar: named slots at the left and at the right. */
import { h, icon } from "../../lib/dom";
import { visibleText } from "../../lib/visible";

/** In the order of the bar; what is not listed comes after the left ones. */
const RIGHT = ["position", "indent", "encoding", "eol", "language", "connection", "idle"];
const LEFT = ["branch", "problems"];
const ICONS: Record<string, string> = { branch: "git-branch", idle: "timer" };

export class StatusBar {
  private readonly slots = new Map<string, HTMLElement>();
  private readonly left = h("div", { class: "slots" });
  private readonly right = h("div", { class: "slots end" });

  constructor(element: HTMLElement) {
    element.append(this.left, this.right);
  }

  /** Say something; "" clears the slot. `run` makes it a button. */
  set(slot: string, text: string, title = "", run?: () => void): void {
    const old = this.slots.get(slot);
    if (!text) {
      old?.remove();
      this.slots.delete(slot);
      return;
    }
    const said = visibleText(text);
    const tag = run ? "button" : "span";
    if (old && !run && old.tagName === "SPAN") {
      const label = old.querySelector(".label");
      if (label && label.textContent !== said) label.textContent = said;
      old.title = visibleText(title);
      return;
    }
    const made = ICONS[slot];
    const element = h(tag, { class: `slot ${slot}`, title: visibleText(title) || null, "data-slot": slot, type: run ? "button" : null, onclick: run ?? null }, made ? icon(made) : null, h("span", { class: "label" }, said));
    this.slots.set(slot, element);
    if (old) return old.replaceWith(element);
    const order = RIGHT.includes(slot) ? RIGHT : LEFT;
    const side = RIGHT.includes(slot) ? this.right : this.left;
    const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
    const next = [...side.children].find((other) => rank((other as HTMLElement).dataset["slot"] ?? "") > rank(slot));
    side.insertBefore(element, next ?? null);
  }
}
