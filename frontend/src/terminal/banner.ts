/** The thin line above the terminal: what is wrong, and what can be done now. */
import { h, icon } from "../lib/dom";

export interface Banner {
  show: (text: string, options?: { icon?: string; action?: { label: string; run?: () => void; href?: string } }) => void;
  hide: () => void;
}

export function banner(element: HTMLElement): Banner {
  let shown = "";
  return {
    show(text, options = {}) {
      const { action } = options;
      // The countdown changes every second; only its text may, or the button would lose its focus.
      const shape = `${options.icon}|${action?.label}|${action?.href}`;
      if (!element.hidden && shape === shown) {
        element.querySelector(".text")!.textContent = text;
        return;
      }
      shown = shape;
      element.replaceChildren(icon(options.icon ?? "wifi-off"), h("span", { class: "text grow" }, text));
      if (action?.href) element.append(h("a", { class: "button tiny", href: action.href }, action.label));
      else if (action) element.append(h("button", { type: "button", class: "button tiny", onclick: () => action.run?.() }, action.label));
      element.hidden = false;
    },
    hide() {
      element.hidden = true;
      shown = "";
    },
  };
}
