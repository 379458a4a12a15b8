/** The panel of ports: what listens in the workspace, whom it is shared with, and who looks. */
import { explainFully } from "../../lib/api";
import { copyText } from "../../lib/clipboard";
import { announce, h, icon, iconButton } from "../../lib/dom";
import { ago, instant } from "../../lib/format";
import { popMenu } from "../../lib/menu";
import { toast } from "../../lib/toast";
import { PortsApi, PortsWatch, type Guest, type Listing, type Port } from "./api";
import { AUDIENCES, askPort, shareDialog } from "./share";
import { PortTab } from "./tab";
import type { Panel, Workbench } from "../workbench";

/** More that open at once are told as one. */
const TOASTS_MOST = 3;
const TOAST_SECONDS = 10;

export class PortsPanel implements Panel {
  readonly id = "ports";
  readonly title = "Ports";
  readonly icon = "radio-tower";
  readonly element: HTMLElement;
  private readonly api: PortsApi;
  private readonly list = h("div", { class: "ports-list" });
  private readonly watch: PortsWatch;
  private ports: Port[] | null = null;
  private known = true;
  private running = false;
  private drawn = "";
  /** Ports that were told of already: a server that starts anew is no news. */
  private readonly told = new Set<number>();

  constructor(private readonly workbench: Workbench) {
    this.api = new PortsApi(workbench.workspace);
    this.element = h("div", { class: "panel ports" },
      h("header", {}, h("h2", { class: "title" }, "Ports"), iconButton("Share another port", "plus", () => this.another())),
      this.list);
    this.watch = new PortsWatch(this.api.watchUrl, (listing) => this.take(listing));
    workbench.onRunning((running) => this.setRunning(running));
  }

  shown(): void {
    // A page that opens with this panel leaves the keyboard where it belongs.
    if (navigator.userActivation.isActive) this.list.querySelector<HTMLElement>("a, button")?.focus();
  }

  /** Show a preview in a tab of the editors: beside the files, where there are any. */
  beside(port: Port): void {
    void this.workbench.openTab(new PortTab(port), this.workbench.openFiles().length > 0);
  }

  private setRunning(running: boolean): void {
    this.running = running;
    this.watch.setRunning(running);
    if (running) return this.draw();
    // What is shared stays so.
    void this.api.list().then((listing) => { if (!this.running) this.show(listing); }, (error: unknown) => { if (!this.running) this.fail(error); });
  }

  private take(listing: Listing): void {
    const first = this.ports === null || !this.known;
    const fresh = listing.ports.filter((one) => one.listening && !this.told.has(one.port));
    for (const one of fresh) this.told.add(one.port);
    if (!first) this.tell(fresh);
    this.show(listing);
  }

  private tell(fresh: Port[]): void {
    if (fresh.length > TOASTS_MOST) {
      toast(`${fresh.length} ports are open`, { seconds: TOAST_SECONDS, actions: [{ label: "Show them", run: () => this.workbench.showPanel("ports") }] });
      return;
    }
    for (const one of fresh)
      toast(`Port ${one.port} is open`, { text: one.command ?? "", seconds: TOAST_SECONDS, actions: [
        { label: "Open in browser", run: () => openInBrowser(one) },
        { label: "Open beside", run: () => this.beside(one) },
      ] });
  }

  private show({ ports, known }: Listing): void {
    this.ports = ports;
    this.known = known;
    this.workbench.badge("ports", ports.filter((one) => one.listening).length);
    this.draw();
  }

  private fail(error: unknown): void {
    this.drawn = "";
    this.list.replaceChildren(empty("circle-alert", "The ports are not known", h("p", {}, explainFully(error))));
  }

  private draw(): void {
    const { ports } = this;
    const drawn = JSON.stringify([ports, this.running, this.known]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const focused = document.activeElement instanceof HTMLElement && this.list.contains(document.activeElement) ? document.activeElement.dataset["at"] : undefined;
    if (ports?.length) this.list.replaceChildren(...(this.known ? [] : [unknown()]), h("ul", {}, ...ports.map((one) => this.row(one))));
    else if (!this.running) this.list.replaceChildren(empty("radio-tower", "The workspace does not run", h("p", {}, "Start it, and a server in it; its port shows up here.")));
    else if (!this.known) this.list.replaceChildren(unknown());
    else if (!ports) this.list.replaceChildren(h("p", { class: "muted small say", role: "status" }, "Looking …"));
    else this.list.replaceChildren(empty("radio-tower", "Nothing listens yet", h("p", {}, "Start a server in the terminal, such as ", h("code", {}, "python3 -m http.server"), ", and its port shows up here. You alone can open it until you share it.")));
    if (focused) this.list.querySelector<HTMLElement>(`[data-at="${focused}"]`)?.focus();
  }

  private row(one: Port): HTMLElement {
    const audience = AUDIENCES[one.share];
    const at = (what: string): Record<string, string> => ({ "data-at": `${one.port} ${what}` });
    const more = h("button", { ...at("more"), type: "button", class: "button square quiet", title: "More", "aria-label": `More for port ${one.port}`, "aria-haspopup": "menu", onclick: () => this.menu(one, more) }, icon("ellipsis"));
    const share = h("button", { ...at("share"), type: "button", class: `chip share ${one.share}`, title: `${audience.text} Click to change it.`, onclick: () => this.share(one) }, icon(audience.icon), audience.label);
    const until = one.expires ? h("span", { class: "muted small", title: instant(one.expires) }, `ends ${ago(one.expires)}`) : null;
    const state = one.listening === null ? "It is not known whether something listens" : one.listening ? "Something listens" : "Nothing listens";
    return h("li", { class: `port ${one.listening === false ? "off" : "on"}` },
      h("div", { class: "port-head" },
        h("span", { class: `dot ${one.listening ? "running" : "stopped"}`, title: state }),
        h("a", { ...at("open"), class: "port-name", href: one.path, target: "_blank", rel: "noopener", title: `Open ${one.url}` }, String(one.port)),
        h("span", { class: "grow" }),
        h("span", { class: "acts" },
          h("a", { ...at("tab"), class: "button square quiet", href: one.path, target: "_blank", rel: "noopener", title: "Open in a tab of the browser", "aria-label": `Open port ${one.port} in a tab of the browser` }, icon("external-link")),
          h("button", { ...at("beside"), type: "button", class: "button square quiet", title: "Open beside", "aria-label": `Open port ${one.port} beside`, onclick: () => this.beside(one) }, icon("columns-2")),
          more)),
      h("div", { class: "command", title: one.command ?? "" }, one.command ?? (one.listening === false ? "nothing listens" : "")),
      h("div", { class: "port-share" }, share, until, one.guests.length ? guests(one.guests) : null));
  }

  private menu(one: Port, anchor: HTMLElement): void {
    popMenu(anchor, `Actions for port ${one.port}`, [
      { label: "Open in a tab of the browser", icon: "external-link", run: () => openInBrowser(one) },
      { label: "Open beside", icon: "columns-2", run: () => this.beside(one) },
      { label: "Copy the address", icon: "copy", run: () => void copyAddress(one) },
      null,
      { label: "Share …", icon: "share-2", run: () => this.share(one) },
      ...(one.share === "private" ? [] : [{ label: "Make it private", icon: "lock", run: () => void this.close(one) }]),
    ]);
  }

  private share(one: Port): void {
    shareDialog(this.api, one, (now) => this.replace(now));
  }

  private async close(one: Port): Promise<void> {
    try {
      this.replace(await this.api.share(one.port, "private", null));
    } catch (error) {
      toast("It is shared still", { kind: "error", text: explainFully(error) });
    }
  }

  /** Take what a change answered; the connection says the same in a moment. */
  private replace(now: Port): void {
    const others = (this.ports ?? []).filter((one) => one.port !== now.port);
    const ports = [...others, ...(now.listening || now.share !== "private" ? [now] : [])].sort((a, b) => a.port - b.port);
    this.show({ ports, known: this.known });
    announce(`Port ${now.port}: ${AUDIENCES[now.share].label}`);
  }

  /** Share a port on which nothing listens yet. */
  private another(): void {
    askPort(this.api, (one) => this.share(this.ports?.find((known) => known.port === one.port) ?? one));
  }
}

export function installPorts(workbench: Workbench): PortsPanel {
  const panel = new PortsPanel(workbench);
  workbench.addPanel(panel);
  workbench.command({ id: "workbench.action.ports.focus", title: "Show the ports", icon: "radio-tower", group: "View", words: "preview server listen share forward", run: () => workbench.showPanel("ports") });
  return panel;
}

function unknown(): HTMLElement {
  return empty("circle-alert", "What listens is not known", h("p", {}, "The server cannot look into the workspace for the moment. It tries again by itself."));
}

function openInBrowser(one: Port): void {
  window.open(one.path, "_blank", "noopener");
}

async function copyAddress(one: Port): Promise<void> {
  const copied = await copyText(one.url);
  toast(copied ? "The address is copied" : "The browser did not allow copying", { kind: copied ? "ok" : "error", text: one.url });
}

function guests(all: Guest[]): HTMLElement {
  const names = all.map((one) => one.username ?? (one.address || "others"));
  const title = all.map((one, i) => `${names[i]}, since ${instant(one.since)}`).join("\n");
  const shown = names.slice(0, 3).join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "");
  return h("span", { class: "guests", title }, icon("eye"), shown);
}

function empty(name: string, title: string, ...body: Node[]): HTMLElement {
  return h("div", { class: "empty" }, h("span", { class: "emblem" }, icon(name)), h("h2", {}, title), ...body);
}
