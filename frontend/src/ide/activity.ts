/** The bar of buttons at the edge, and the panel that it shows. */
import { byId, h, icon } from "../lib/dom";
import { keyLabel } from "./keys";
import type { Layout } from "./layout";
import type { Panel } from "./workbench";

/** Those that are always there, in this order; others follow. */
const ORDER = ["files", "search", "git", "ports"];

export class ActivityBar {
  private readonly panels = new Map<string, { panel: Panel; button: HTMLElement }>();
  private shownId = "";

  constructor(private readonly layout: Layout, private readonly bind: (key: string, run: () => void) => void) {}

  add(panel: Panel): void {
    const title = panel.key ? `${panel.title} (${keyLabel(panel.key)})` : panel.title;
    const button = h("button", { type: "button", class: "activity-button", title, "aria-label": panel.title, "aria-pressed": "false", "data-panel": panel.id, onclick: () => this.toggle(panel.id) }, icon(panel.icon), h("span", { class: "badge", hidden: true }));
    const rank = (id: string): number => (ORDER.includes(id) ? ORDER.indexOf(id) : ORDER.length);
    const bar = byId("activity");
    const next = [...bar.children].find((other) => rank((other as HTMLElement).dataset["panel"] ?? "") > rank(panel.id));
    bar.insertBefore(button, next ?? null);
    panel.element.hidden = true;
    byId("panels").append(panel.element);
    this.panels.set(panel.id, { panel, button });
    if (panel.key) this.bind(panel.key, () => this.show(panel.id));
    if (panel.badge) this.badge(panel.id, panel.badge);
    this.draw();
  }

  show(id: string): void {
    const was = this.shownId;
    this.layout.showPanel(id);
    this.draw();
    const { panel } = this.panels.get(id) ?? {};
    if (!panel) return;
    if (was === id) panel.shown();
    // A panel that has a field takes the keyboard into it by itself.
    if (!panel.element.contains(document.activeElement)) panel.element.querySelector<HTMLElement>("[data-first], input, textarea, [tabindex='0']")?.focus();
  }

  badge(id: string, count: number): void {
    const badge = this.panels.get(id)?.button.querySelector<HTMLElement>(".badge");
    if (!badge) return;
    badge.hidden = count === 0;
    badge.textContent = count > 99 ? "99+" : String(count);
  }

  /** Take up what the layout says. */
  draw(): void {
    const wanted = this.panels.has(this.layout.panel) ? this.layout.panel : "files";
    const id = this.layout.sideShown ? wanted : "";
    for (const { panel, button } of this.panels.values()) {
      panel.element.hidden = panel.id !== wanted;
      button.setAttribute("aria-pressed", String(panel.id === id));
    }
    if (id === this.shownId) return;
    this.shownId = id;
    this.panels.get(id)?.panel.shown();
  }

  private toggle(id: string): void {
    if (this.shownId === id && !this.layout.onPhone) this.layout.toggleSide();
    else this.show(id);
  }
}
