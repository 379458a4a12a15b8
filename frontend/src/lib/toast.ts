/** Small messages at the corner of the page. */
import { h, icon } from "./dom";

export interface ToastOptions {
  kind?: "ok" | "error" | "warn" | "info";
  text?: string;
  /** 0 keeps it until it is closed. */
  seconds?: number;
  actions?: { label: string; run: () => void }[];
  /** Leaves out the close button. */
  sticky?: boolean;
}

export interface Toast {
  element: HTMLElement;
  body: HTMLElement;
  close: () => void;
}

let corner: HTMLElement | null = null;

/** Show a message; an error stays longer. Toasts live in the top layer, above dialogs. */
export function toast(title: string, options: ToastOptions = {}): Toast {
  corner ??= document.body.appendChild(h("div", { class: "toasts", popover: "manual", "aria-live": "polite" }));
  const body = h("div", { class: "grow" }, h("div", { class: "title" }, title), options.text ? h("div", { class: "small muted" }, options.text) : null);
  const element = h("div", { class: `toast ${options.kind ?? "info"}`, role: options.kind === "error" ? "alert" : "status" }, body);
  const close = (): void => {
    element.remove();
    if (!corner?.childElementCount) corner?.hidePopover();
  };
  if (options.actions?.length)
    body.append(h("div", { class: "actions" }, ...options.actions.map((action) => h("button", { type: "button", class: "button tiny", onclick: () => { close(); action.run(); } }, action.label))));
  if (!options.sticky) element.append(h("button", { type: "button", class: "button quiet tiny", "aria-label": "Close", onclick: close }, icon("x")));
  corner.append(element);
  if (corner.matches(":popover-open")) corner.hidePopover();
  corner.showPopover();
  const seconds = options.seconds ?? (options.kind === "error" ? 12 : 5);
  if (seconds > 0) setTimeout(close, seconds * 1000);
  return { element, body, close };
}
