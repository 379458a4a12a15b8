/** The strip of tabs, one for each tmux session. */
import { h, icon, iconButton, setText } from "../lib/dom";

export interface TabHooks {
  choose: (session: string) => void;
  close: (session: string) => void;
}

const SHELLS = new Set(["", "bash", "sh", "zsh", "fish", "dash", "tmux"]);

/** Whether the title is that of a waiting shell rather than a program. */
export function isShell(title: string): boolean {
  return SHELLS.has(title.replace(/^-/, ""));
}

export class TabStrip {
  private readonly tabs = new Map<string, HTMLElement>();

  constructor(private readonly element: HTMLElement, private readonly hooks: TabHooks) {
    element.addEventListener("keydown", (event) => {
      const names = [...this.tabs.keys()];
      const at = names.findIndex((name) => this.tabs.get(name)?.contains(document.activeElement));
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      const name = names[(to + names.length) % names.length]!;
      hooks.choose(name);
      this.tabs.get(name)?.querySelector<HTMLElement>("[role=tab]")?.focus();
    });
  }

  add(session: string): void {
    const tab = h("button", { type: "button", class: "name", role: "tab", id: `tab-${session}`, "aria-controls": `pane-${session}`, "aria-selected": "false", tabindex: -1 },
      icon("terminal"), h("span", { class: "session" }, session), h("span", { class: "program" }));
    const close = iconButton(`Close ${session}`, "x", () => this.hooks.close(session), "quiet close");
    const element = h("div", { class: "tab", role: "presentation" }, tab, close);
    tab.addEventListener("click", () => this.hooks.choose(session));
    element.addEventListener("mousedown", (event) => { if (event.button === 1) event.preventDefault(); });
    element.addEventListener("auxclick", (event) => { if (event.button === 1) this.hooks.close(session); });
    this.tabs.set(session, element);
    this.element.append(element);
  }

  remove(session: string): void {
    this.tabs.get(session)?.remove();
    this.tabs.delete(session);
  }

  select(session: string): void {
    for (const [name, element] of this.tabs) {
      const on = name === session;
      element.classList.toggle("on", on);
      const tab = element.querySelector("[role=tab]")!;
      tab.setAttribute("aria-selected", String(on));
      tab.setAttribute("tabindex", on ? "0" : "-1");
      if (on) element.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  title(session: string, title: string): void {
    const element = this.tabs.get(session);
    if (!element) return;
    setText(element.querySelector(".program")!, isShell(title) ? "" : title);
    element.title = isShell(title) ? session : `${session}: ${title}`;
  }
}
