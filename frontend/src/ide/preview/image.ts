/** Pictures: fitted, or pixel by pixel. */
import { h, icon } from "../../lib/dom";
import { bytes } from "../../lib/format";
import { extensionOf } from "../paths";

const TYPES: Record<string, string> = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp", avif: "image/avif", svg: "image/svg+xml", ico: "image/x-icon", bmp: "image/bmp" };

/** The media type of a picture by its name, or "". */
export function pictureType(path: string): string {
  return TYPES[extensionOf(path)] ?? "";
}

export interface Picture {
  element: HTMLElement;
  /** Give the memory back. */
  dispose: () => void;
}

/** Show a picture; `failed` where the browser cannot. A picture runs no scripts, not even an SVG. */
export function pictureOf(data: Uint8Array<ArrayBuffer>, path: string, failed: () => void): Picture {
  const url = URL.createObjectURL(new Blob([data], { type: pictureType(path) }));
  const size = h("span", { class: "muted small" }, bytes(data.length));
  const picture = h("img", { src: url, alt: path, draggable: "false" });
  const stage = h("div", { class: "picture-stage", tabindex: 0, "aria-label": "Picture" }, picture);
  const zoom = h("button", { type: "button", class: "button tiny", "aria-pressed": "false" }, icon("zoom-in"), "Actual size");
  const toggle = (): void => {
    const actual = stage.classList.toggle("actual");
    zoom.setAttribute("aria-pressed", String(actual));
  };
  zoom.addEventListener("click", toggle);
  picture.addEventListener("dblclick", toggle);
  picture.addEventListener("load", () => { size.textContent = `${picture.naturalWidth} × ${picture.naturalHeight} · ${bytes(data.length)}`; });
  picture.addEventListener("error", failed);
  return { element: h("div", { class: "picture" }, h("div", { class: "picture-bar" }, size, h("span", { class: "grow" }), zoom), stage), dispose: () => URL.revokeObjectURL(url) };
}
