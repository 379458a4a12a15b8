/** The snapshot that is looked at: what it is, its folders and files, and what can be done with all of it. */
import { homeApi } from "../lib/api";
import { button, h, icon, iconButton } from "../lib/dom";
import { bytes, instant } from "../lib/format";
import { popMenu } from "../lib/menu";
import type { Snapshot } from "../lib/types";
import { visible } from "../lib/visible";
import type { Actions } from "./actions";
import { fileList, save, type Places } from "./files";
import { Loader } from "./loading";
import type { Store } from "./store";
import { Versions } from "./versions";
import { count, moment, REASONS } from "./words";

export class Panel {
  readonly element = h("section", { class: "panel", "aria-labelledby": "panel-title", tabindex: -1 });
  private readonly top = h("header");
  private readonly crumbs = h("nav", { class: "crumbs", "aria-label": "Folder" });
  private readonly content = h("div", { class: "content", tabindex: -1 });
  private readonly loader = new Loader(this.content, "Snapshots are encrypted for you, too. Unlock your home to look inside.");
  private shown: Snapshot | null = null;
  private path = "";
  private isFile = false;

  constructor(private readonly store: Store, private readonly actions: Actions) {
    this.element.append(this.top, this.crumbs, this.content);
  }

  private readonly places: Places = { folder: (path) => this.open(path, false), file: (path) => this.open(path, true) };

  update(): void {
    const { selected } = this.store;
    if (!selected || selected.id === this.shown?.id) return;
    this.shown = selected;
    this.renderTop(selected);
    // The same place in another time, as far as it was there then.
    this.open(this.isFile ? parent(this.path) : this.path, false);
  }

  private renderTop(snapshot: Snapshot): void {
    const reason = REASONS[snapshot.reason];
    const more = iconButton("More for this snapshot", "ellipsis", () => popMenu(more, "Actions for this snapshot", [
      { label: "Download as .tar.gz", icon: "download", run: () => save(homeApi.archiveUrl(snapshot.id)) },
      null,
      { label: "Delete …", icon: "trash-2", danger: true, run: () => this.actions.remove(snapshot) },
    ]));
    more.setAttribute("aria-haspopup", "menu");
    this.top.replaceChildren(
      h("span", { class: `why ${snapshot.reason}` }, icon(reason.icon)),
      h("div", { class: "grow" }, h("h2", { id: "panel-title", title: instant(snapshot.taken_at) }, moment(snapshot.taken_at)),
        h("p", { class: "muted small" }, ...(snapshot.note ? [h("q", {}, ...visible(snapshot.note)), " · "] : []), `${reason.word} · ${count(snapshot.files, "file")} · ${bytes(snapshot.total_bytes)}, ${bytes(snapshot.added_bytes)} of it new`)),
      button("Restore everything …", "history", "", () => this.actions.restore(snapshot)), more);
    if (!snapshot.consistent) this.top.append(h("p", { class: "caveat small" }, icon("triangle-alert"), "Programs could write while it was taken: files that changed just then may be half old, half new."));
  }

  private open(path: string, isFile: boolean): void {
    const snapshot = this.shown;
    if (!snapshot) return;
    this.path = path;
    this.isFile = isFile;
    this.renderCrumbs(path);
    if (isFile) void this.loader.show(() => homeApi.versions(path), (versions) => new Versions(path, versions, snapshot, this.store, this.actions).nodes());
    else void this.loader.show(() => this.list(snapshot, path), (files) => fileList(snapshot, files, this.places, this.actions));
  }

  private async list(snapshot: Snapshot, path: string): ReturnType<typeof homeApi.files> {
    try {
      return await homeApi.files(snapshot.id, path);
    } catch (error) {
      if (!path || !(error instanceof Error && "status" in error && error.status === 404)) throw error;
      // The folder was not there yet.
      this.path = "";
      this.renderCrumbs("");
      return homeApi.files(snapshot.id, "");
    }
  }

  private renderCrumbs(path: string): void {
    const focused = this.crumbs.contains(document.activeElement);
    const parts = path ? path.split("/") : [];
    const crumb = (label: (string | Node)[], to: string, last: boolean): HTMLElement => h("li", {}, last
      ? h("span", { "aria-current": "location" }, ...label)
      : h("button", { type: "button", onclick: () => this.open(to, false) }, ...label));
    this.crumbs.replaceChildren(h("ol", {}, crumb([icon("house"), "Home"], "", parts.length === 0), ...parts.map((part, i) => crumb(visible(part), parts.slice(0, i + 1).join("/"), i === parts.length - 1))));
    if (focused) this.content.focus();
  }
}

function parent(path: string): string {
  return path.split("/").slice(0, -1).join("/");
}
