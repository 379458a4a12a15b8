/** The card over a terminal whose workspace does not run. */
import { button, h, icon } from "../lib/dom";

export interface OverlayContent {
  icon: string;
  title: string;
  text?: string;
  hint?: string;
  log?: string;
  busy?: boolean;
  /** Offers the way to the other workspaces alone. */
  away?: boolean;
  action?: { label: string; icon: string; run: () => void };
  /** Asks for something before it goes on; it has the focus. */
  form?: { element: HTMLElement; focus: () => void };
}

export class Overlay {
  private element: HTMLElement | null = null;
  private title: HTMLElement | null = null;

  constructor(private readonly host: HTMLElement) {}

  get open(): boolean {
    return this.element !== null;
  }

  show(content: OverlayContent): void {
    this.hide();
    this.title = h("h2", { id: "overlay-title" }, content.title);
    const lines = (content.log ?? "").trimEnd().split("\n").slice(-20).join("\n");
    const card = h("div", { class: "card", role: "alertdialog", "aria-labelledby": "overlay-title", tabindex: -1 },
      h("span", { class: "emblem" }, icon(content.icon)), this.title,
      content.text ? h("p", {}, content.text) : null,
      content.hint ? h("p", { class: "muted" }, content.hint) : null,
      lines ? h("details", { class: "log" }, h("summary", {}, "Last lines of its log"), h("pre", { tabindex: 0 }, lines)) : null,
      content.form?.element,
      content.busy ? h("div", { class: "progress" }, h("span")) : null);
    const go = content.action ? button(content.action.label, content.action.icon, "primary", content.action.run) : null;
    const others = h("a", { class: go ? "button" : "button primary", href: "/" }, "All workspaces");
    if (go || content.away) card.append(h("div", { class: "row" }, go, others));
    queueMicrotask(() => content.form ? content.form.focus() : (go ?? (content.away ? others : card)).focus());
    this.element = h("div", { class: "overlay" }, card);
    this.host.append(this.element);
  }

  retitle(title: string): void {
    if (this.title) this.title.textContent = title;
  }

  hide(): void {
    this.element?.remove();
    this.element = null;
    this.title = null;
  }
}
