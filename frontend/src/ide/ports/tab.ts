/** A tab of the editors in which a preview is framed. */
import { h, icon, iconButton } from "../../lib/dom";
import type { Port } from "./api";
import type { Tab } from "../tabs/tab";

/** Everything that apps do, but for leading the page around them elsewhere. */
const SANDBOX = "allow-scripts allow-same-origin allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-downloads";
let serial = 0;

export class PortTab implements Tab {
  readonly element: HTMLElement;
  readonly icon = "globe";
  readonly dirty = false;
  readonly path = null;
  readonly key: string;
  readonly title: string;
  readonly detail: string;
  preview = false;
  private readonly frame: HTMLIFrameElement;
  private readonly place: HTMLInputElement;
  private begun = false;

  constructor(private readonly port: Port) {
    serial += 1;
    this.key = `port:${port.port}`;
    this.title = `:${port.port}`;
    this.detail = port.url;
    this.frame = h("iframe", { title: `Port ${port.port}`, sandbox: SANDBOX, allow: "clipboard-write; fullscreen", referrerpolicy: "no-referrer" });
    this.place = h("input", { class: "input", value: "/", "aria-label": "Path", autocapitalize: "none", autocomplete: "off", spellcheck: "false" });
    const form = h("form", { class: "port-bar" },
      iconButton("Load it again", "rotate-cw", () => this.load()),
      h("span", { class: "port-host", title: port.url }, port.url.replace(/^https?:\/\//, "").replace(/\/$/, "")),
      this.place,
      h("a", { class: "button square quiet", href: port.path, target: "_blank", rel: "noopener", title: "Open in a tab of the browser", "aria-label": "Open in a tab of the browser" }, icon("external-link")));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.load(); });
    this.element = h("div", { class: "page port-page", role: "tabpanel", id: `port-${serial}`, "aria-label": `Port ${port.port}`, hidden: true }, form, this.frame);
  }

  show(): Promise<void> {
    this.element.hidden = false;
    if (!this.begun) this.load();
    this.begun = true;
    return Promise.resolve();
  }

  hide(): void {
    this.element.hidden = true;
  }

  focus(): void {
    this.frame.focus();
  }

  dispose(): void {
    this.element.remove();
  }

  kept(): null {
    return null;
  }

  /** Go to the path; by way of this server, which knows whether that may be seen. */
  private load(): void {
    const path = `/${this.place.value.trim().replace(/^\/+/, "")}`;
    this.place.value = path;
    this.frame.src = `${this.port.path}&${new URLSearchParams({ to: path })}`;
  }
}
