/** The few DOM helpers that every widget needs, in place of a framework. */

type Child = Node | string | number | null | undefined | false;
type Props = Record<string, string | number | boolean | null | undefined | EventListener>;

/** Build an element; `on*` properties are listeners, `true` is an empty attribute, null and false are left out. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Build an SVG element. */
export function svg(tag: string, attributes: Record<string, string>): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** An icon of the sprite, hidden from assistive technology. */
export function icon(name: string): SVGElement {
  const element = svg("svg", { class: "icon", "aria-hidden": "true" });
  element.append(svg("use", { href: `${meta("icons")}#${name}` }));
  return element;
}

/** A button with an icon and a visible label. */
export function button(label: string, iconName: string | null, className: string, onclick: (event: Event) => void): HTMLButtonElement {
  return h("button", { type: "button", class: `button ${className}`, onclick }, iconName && icon(iconName), h("span", {}, label));
}

/** A square button that shows an icon alone. */
export function iconButton(label: string, iconName: string, onclick: (event: Event) => void, className = "quiet"): HTMLButtonElement {
  return h("button", { type: "button", class: `button square ${className}`, "aria-label": label, title: label, onclick }, icon(iconName));
}

/** The content of a <meta> of the page, or "". */
export function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
}

/** The element with this id, which the template promises to have. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element as T;
}

/** The JSON that the template left in #boot. */
export function boot<T>(): T {
  return JSON.parse(byId("boot").textContent ?? "null") as T;
}

/** Set text only where it differs, so that screen readers and selections are left alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Tell screen readers something, politely. */
export function announce(text: string): void {
  const live = document.getElementById("live");
  if (live) setText(live, text);
}

/** Whether the platform's command key is Cmd rather than Ctrl. */
export const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
