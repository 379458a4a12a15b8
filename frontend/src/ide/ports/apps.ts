/** The apps of the workspace, above its ports: opened, started and stopped. */
import { explainFully } from "../../lib/api";
import { AppsApi, type App } from "../../lib/apps";
import { h, icon, iconButton } from "../../lib/dom";
import { toast } from "../../lib/toast";
import type { Audience } from "../../lib/types";
import type { Port } from "./api";
import { PortTab } from "./tab";
import type { Workbench } from "../workbench";

/** Between two looks while somebody sees them: one that ended by itself is no hurry. */
const POLL_MS = 10_000;
const BUSY_MS = 1000;
const WORDS: Record<App["state"], string> = { absent: "not installed", stopped: "", starting: "starting …", running: "running", failed: "failed" };

export class AppsSection {
  readonly element = h("section", { class: "apps", "aria-label": "Apps", hidden: true });
  private readonly api: AppsApi;
  private apps: App[] = [];
  private drawn = "";
  private seen = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly workbench: Workbench) {
    this.api = new AppsApi(workbench.workspace);
    new IntersectionObserver((entries) => {
      this.seen = entries.some((entry) => entry.isIntersecting);
      this.plan(0);
    }).observe(this.element);
    document.addEventListener("visibilitychange", () => this.plan(0));
    workbench.onRunning(() => void this.look());
  }

  /** Show an app in a tab of the editors, once it answers. */
  async beside(app: App): Promise<void> {
    const ran = await this.run(app);
    if (ran?.state === "running") void this.workbench.openTab(new PortTab(portOf(ran)), true);
  }

  private async run(app: App): Promise<App | null> {
    try {
      const ran = await this.api.run(app.id, (now) => this.replace(now));
      this.replace(ran);
      return ran;
    } catch (error) {
      toast(`${app.title} did not start`, { kind: "error", text: explainFully(error) });
      return null;
    }
  }

  private async stop(app: App): Promise<void> {
    try {
      this.replace(await this.api.stop(app.id));
    } catch (error) {
      toast(`${app.title} did not end`, { kind: "error", text: explainFully(error) });
    }
  }

  private plan(delay: number): void {
    clearTimeout(this.timer);
    if (!this.seen || document.visibilityState !== "visible") return;
    this.timer = setTimeout(() => void this.look(), delay);
  }

  private async look(): Promise<void> {
    try {
      const apps = await this.api.list();
      if (!this.apps.length) this.offer(apps);
      this.show(apps);
    } catch {
      // The workspace is on its way up or down; what it says of itself is shown elsewhere.
    }
    this.plan(this.apps.some((one) => one.state === "starting") ? BUSY_MS : POLL_MS);
  }

  private offer(apps: App[]): void {
    for (const one of apps.filter((app) => app.state !== "absent"))
      this.workbench.command({ id: `apps.open.${one.id}`, title: `Open ${one.title}`, icon: one.icon, group: "View", words: "app start", run: () => void window.open(one.page, "_blank", "noopener") });
  }

  private replace(now: App): void {
    this.show(this.apps.map((one) => (one.id === now.id ? now : one)));
  }

  private show(apps: App[]): void {
    this.apps = apps;
    const drawn = JSON.stringify(apps);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const focused = document.activeElement instanceof HTMLElement && this.element.contains(document.activeElement) ? document.activeElement.dataset["at"] : undefined;
    this.element.hidden = !apps.length;
    this.element.replaceChildren(h("ul", {}, ...apps.map((one) => this.row(one))));
    if (focused) this.element.querySelector<HTMLElement>(`[data-at="${CSS.escape(focused)}"]`)?.focus();
  }

  private row(one: App): HTMLElement {
    const at = (what: string): Record<string, string> => ({ "data-at": `${one.id} ${what}` });
    const there = one.state !== "absent";
    const act = (label: string, name: string, run: () => void): HTMLElement => {
      const made = iconButton(`${label} ${one.title}`, name, run);
      made.dataset["at"] = `${one.id} ${name}`;
      return made;
    };
    return h("li", { class: `app ${one.state}` },
      h("div", { class: "app-head" },
        icon(one.icon),
        there ? h("a", { ...at("open"), class: "app-name", href: one.page, target: "_blank", rel: "noopener", title: `Open ${one.title} in a tab of the browser` }, one.title) : h("span", { class: "app-name" }, one.title),
        h("span", { class: "app-state", role: "status" }, ...(one.state === "running" ? [h("span", { class: "dot running", title: "Running" }), h("span", { class: "visually-hidden" }, WORDS.running)] : [WORDS[one.state]])),
        h("span", { class: "acts" },
          there ? act("Open beside:", "columns-2", () => void this.beside(one)) : null,
          one.state === "running" || one.state === "starting" ? act("Stop", "square", () => void this.stop(one)) : null)),
      one.reason ? h("p", { class: "app-reason" }, one.reason) : null,
      one.state === "failed" && one.log ? h("details", { class: "log" }, h("summary", {}, "What it wrote last"), h("pre", { tabindex: 0 }, one.log)) : null);
  }
}

/** Put the apps above the ports. */
export function installApps(workbench: Workbench, ports: HTMLElement): void {
  const section = new AppsSection(workbench);
  ports.querySelector(".ports-list")?.before(section.element);
}

function portOf(app: App): Port {
  const share: Audience = "private";
  return { port: app.port, listening: true, address: null, command: app.title, share, expires: null, url: app.url, path: app.path, guests: [] };
}
