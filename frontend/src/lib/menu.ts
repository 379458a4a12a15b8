/** Menus: popovers placed beside their button, with arrow keys. */
import { h, icon } from "./dom";

export interface MenuItem {
  label: string;
  icon: string;
  /** The key that does the same. */
  key?: string;
  danger?: boolean;
  href?: string;
  checked?: boolean;
  run?: () => void;
}

/** Open a menu at a button, or at a point; clicking the button again closes it. */
export function openMenu(menu: HTMLElement, anchor: HTMLElement, point?: { x: number; y: number }): void {
  if (menu.matches(":popover-open")) return menu.hidePopover();
  menu.showPopover();
  const size = menu.getBoundingClientRect();
  const at = point ? new DOMRect(point.x + size.width, point.y, 0, 0) : anchor.getBoundingClientRect();
  const below = at.bottom + 6 + size.height <= innerHeight || at.top < size.height + 6;
  menu.style.top = `${Math.max(8, below ? at.bottom + 6 : at.top - size.height - 6)}px`;
  menu.style.left = `${Math.min(Math.max(8, at.right - size.width), innerWidth - size.width - 8)}px`;
  anchor.setAttribute("aria-expanded", "true");
  menu.addEventListener("toggle", (event) => {
    if ((event as ToggleEvent).newState === "closed") anchor.setAttribute("aria-expanded", "false");
  }, { once: true });
  items(menu)[0]?.focus();
}

/** Build a menu for these items, open it, and drop it when it closes. */
export function popMenu(anchor: HTMLElement, label: string, entries: (MenuItem | null)[], point?: { x: number; y: number }): void {
  const menu = h("div", { class: "menu", popover: "auto", role: "menu", "aria-label": label });
  for (const entry of entries) {
    if (!entry) {
      menu.append(h("hr"));
      continue;
    }
    const props = { class: entry.danger ? "danger" : "", role: entry.checked === undefined ? "menuitem" : "menuitemcheckbox", "aria-checked": entry.checked === undefined ? null : String(entry.checked) };
    const element = entry.href
      ? h("a", { ...props, href: entry.href }, icon(entry.icon), entry.label)
      : h("button", { ...props, type: "button" }, icon(entry.icon), entry.label);
    if (entry.key) element.append(h("kbd", {}, entry.key));
    element.addEventListener("click", () => {
      menu.hidePopover();
      entry.run?.();
    });
    menu.append(element);
  }
  document.body.append(menu);
  menu.addEventListener("keydown", moveWithArrows);
  menu.addEventListener("toggle", (event) => {
    if ((event as ToggleEvent).newState !== "closed") return;
    if (menu.contains(document.activeElement) || document.activeElement === document.body) anchor.focus();
    menu.remove();
  });
  openMenu(menu, anchor, point);
}

function items(menu: HTMLElement): HTMLElement[] {
  return [...menu.querySelectorAll<HTMLElement>("button, a")];
}

function moveWithArrows(event: KeyboardEvent): void {
  const list = items(event.currentTarget as HTMLElement);
  const at = list.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: list.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  list[(to + list.length) % list.length]?.focus();
}

/** Wire the menus that templates write: <button data-menu="id"> and <div id popover>. */
export function installMenus(): void {
  for (const menu of document.querySelectorAll<HTMLElement>(".menu[popover]")) menu.addEventListener("keydown", moveWithArrows);
  for (const anchor of document.querySelectorAll<HTMLElement>("[data-menu]")) {
    const menu = document.getElementById(anchor.dataset["menu"] ?? "");
    if (!menu) continue;
    anchor.setAttribute("aria-haspopup", "menu");
    anchor.setAttribute("aria-expanded", "false");
    // A popover closes on pointerdown outside of it: remember, or the click would open it again.
    let wasOpen = false;
    anchor.addEventListener("pointerdown", () => { wasOpen = menu.matches(":popover-open"); });
    anchor.addEventListener("click", () => {
      if (wasOpen) wasOpen = false;
      else openMenu(menu, anchor);
    });
  }
}
