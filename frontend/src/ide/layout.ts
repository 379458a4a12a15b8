/** Which parts of the page are seen and how large they are: dragged, folded away, remembered. */
import { byId } from "../lib/dom";
import type { Memory } from "./memory";

export type View = "files" | "editor" | "terminal" | "git" | "ports";
/** Panels that are views of their own on a phone; the others share that of the files. */
const PANEL_VIEWS: string[] = ["git", "ports"] satisfies View[];

interface Kept {
  side: boolean;
  sideWidth: number;
  panel: string;
  dock: "open" | "only" | "hidden";
  /** Of what the editors and the dock share. */
  dockShare: number;
  /** Where the keyboard was last. */
  focus: "editor" | "terminal";
}

const DEFAULTS: Kept = { side: true, sideWidth: 240, panel: "files", dock: "open", dockShare: 0.45, focus: "terminal" };
const SIDE_MIN = 150;
const STEP_PX = 24;
const phone = matchMedia("(max-width: 720px)");

export class Layout {
  private readonly kept: Kept;
  private readonly page = byId("page");
  private readonly listeners = new Set<() => void>();
  /** Where the keyboard was at the end of the last visit. */
  readonly lastFocus: Kept["focus"];

  constructor(private readonly memory: Memory) {
    this.kept = memory.get("layout", DEFAULTS);
    this.lastFocus = this.kept.focus;
    this.sash(byId("side-sash"), (event) => this.setSideWidth(event.clientX - byId("panels").getBoundingClientRect().left), (step) => this.setSideWidth(this.kept.sideWidth + step));
    this.sash(byId("dock-sash"), (event) => this.setDockShare(this.shareAt(event.clientY)), (step) => this.setDockShare(this.kept.dockShare - step / byId("centre").clientHeight));
    byId("dock-sash").addEventListener("dblclick", () => this.setDockShare(DEFAULTS.dockShare));
    byId("side-sash").addEventListener("dblclick", () => this.setSideWidth(DEFAULTS.sideWidth));
    for (const button of byId("views").querySelectorAll<HTMLElement>("[data-view]")) button.addEventListener("click", () => this.show(button.dataset["view"] as View));
    phone.addEventListener("change", () => this.apply());
    this.page.addEventListener("focusin", (event) => {
      const focus = byId("dock").contains(event.target as Node) ? "terminal" : byId("editors").contains(event.target as Node) ? "editor" : this.kept.focus;
      if (focus !== this.kept.focus) { this.kept.focus = focus; this.keep(); }
    });
    this.apply();
  }

  get onPhone(): boolean {
    return phone.matches;
  }

  get panel(): string {
    return this.kept.panel;
  }

  get sideShown(): boolean {
    return this.onPhone ? ["files", ...PANEL_VIEWS].includes(this.view) : this.kept.side && this.kept.dock !== "only";
  }

  get dock(): Kept["dock"] {
    return this.kept.dock;
  }

  /** Whether terminals can be seen. */
  get terminalShown(): boolean {
    return this.onPhone ? this.view === "terminal" : this.kept.dock !== "hidden";
  }

  get view(): View {
    return this.page.dataset["view"] as View;
  }

  /** Call back whenever a part comes or goes. */
  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** On a phone, put one part in front. */
  show(view: View): void {
    this.page.dataset["view"] = view;
    if (PANEL_VIEWS.includes(view)) this.kept.panel = view;
    else if (view === "files" && PANEL_VIEWS.includes(this.kept.panel)) this.kept.panel = "files";
    this.apply();
  }

  /** Bring a panel into view. */
  showPanel(id: string): void {
    this.kept.panel = id;
    this.kept.side = true;
    if (this.kept.dock === "only") this.kept.dock = "open";
    this.page.dataset["view"] = this.onPhone ? (PANEL_VIEWS.includes(id) ? id : "files") : this.view;
    this.apply();
  }

  /** Bring the editors into view. */
  showEditors(): void {
    if (this.kept.dock === "only") this.kept.dock = "open";
    if (this.onPhone) this.page.dataset["view"] = "editor";
    this.apply();
  }

  showTerminal(): void {
    if (this.kept.dock === "hidden") this.kept.dock = "open";
    if (this.onPhone) this.page.dataset["view"] = "terminal";
    this.apply();
  }

  toggleSide(): void {
    if (this.kept.dock === "only") { this.kept.dock = "open"; this.kept.side = true; }
    else this.kept.side = !this.kept.side;
    this.apply();
  }

  setDock(dock: Kept["dock"]): void {
    this.kept.dock = dock;
    this.apply();
  }

  private setSideWidth(width: number): void {
    this.kept.sideWidth = Math.round(Math.max(SIDE_MIN, Math.min(innerWidth * 0.5, width)));
    this.apply();
  }

  private setDockShare(share: number): void {
    this.kept.dockShare = Math.max(0.12, Math.min(0.88, share));
    this.apply();
  }

  private shareAt(y: number): number {
    const box = byId("centre").getBoundingClientRect();
    return (box.bottom - y) / box.height;
  }

  private apply(): void {
    const { kept, page } = this;
    page.classList.toggle("no-side", !kept.side);
    page.dataset["dock"] = kept.dock;
    page.style.setProperty("--side-width", `${kept.sideWidth}px`);
    page.style.setProperty("--dock-share", `${(kept.dockShare * 100).toFixed(2)}%`);
    byId("dock-max").setAttribute("aria-pressed", String(kept.dock === "only"));
    byId("side-sash").setAttribute("aria-valuenow", String(kept.sideWidth));
    byId("dock-sash").setAttribute("aria-valuenow", String(Math.round(kept.dockShare * 100)));
    for (const button of byId("views").querySelectorAll<HTMLElement>("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset["view"] === this.view));
    this.keep();
    for (const listener of this.listeners) listener();
  }

  private keep(): void {
    this.memory.set("layout", this.kept);
  }

  /** A bar between two parts: dragged by the pointer, moved by arrow keys. */
  private sash(bar: HTMLElement, drag: (event: PointerEvent) => void, nudge: (step: number) => void): void {
    bar.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      bar.setPointerCapture(event.pointerId);
      bar.classList.add("dragging");
      bar.addEventListener("pointermove", drag);
    });
    const end = (): void => {
      bar.classList.remove("dragging");
      bar.removeEventListener("pointermove", drag);
    };
    bar.addEventListener("lostpointercapture", end);
    bar.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -STEP_PX, ArrowUp: -STEP_PX, ArrowRight: STEP_PX, ArrowDown: STEP_PX }[event.key];
      if (!step) return;
      event.preventDefault();
      nudge(step);
    });
  }
}
