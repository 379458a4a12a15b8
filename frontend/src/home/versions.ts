/** One file through time: its versions, what changed, and the way back to any of them. */
import { homeApi } from "../lib/api";
import { button, h } from "../lib/dom";
import { bytes, instant } from "../lib/format";
import type { FileVersion, Snapshot } from "../lib/types";
import type { Actions } from "./actions";
import { diffElement } from "./diff";
import { save } from "./files";
import { Loader } from "./loading";
import type { Store } from "./store";
import { moment } from "./words";

type Against = "now" | "before";

/** What a snapshot holds of a file: the newest version that is not younger than it. */
export function versionIn(versions: readonly FileVersion[], snapshot: Snapshot): number {
  const at = versions.findIndex((version) => version.snapshot_id === snapshot.id || Date.parse(version.taken_at) <= Date.parse(snapshot.taken_at));
  return at < 0 ? versions.length - 1 : at;
}

export class Versions {
  private chosen: number;
  private against: Against = "now";
  private readonly list = h("ul", { class: "versions", "aria-label": "Versions" });
  private readonly changes = h("div", { class: "changes", tabindex: -1 });
  private readonly tools = h("div", { class: "row tools" });
  private readonly loader = new Loader(this.changes, "Unlock your home to compare with it.");

  constructor(private readonly path: string, private readonly versions: FileVersion[], snapshot: Snapshot, private readonly store: Store, private readonly actions: Actions) {
    this.chosen = versionIn(versions, snapshot);
  }

  nodes(): Node[] {
    if (!this.versions.length) return [h("p", { class: "say muted" }, "No snapshot has this file.")];
    this.render();
    return [h("div", { class: "through" }, h("div", { class: "side" }, h("h3", {}, this.versions.length === 1 ? "One version" : `${this.versions.length} versions`), this.list), h("div", { class: "main-side" }, this.tools, this.changes))];
  }

  private render(): void {
    const focused = this.list.contains(document.activeElement);
    this.list.replaceChildren(...this.versions.map((version, i) => h("li", {},
      h("button", { type: "button", class: "version", "aria-current": i === this.chosen ? "true" : null, title: `Changed ${instant(version.modified_at)}`, onclick: () => { this.chosen = i; this.render(); } },
        h("span", { class: "grow" }, moment(version.taken_at)), h("span", { class: "muted" }, bytes(version.size_bytes))))));
    if (focused) this.list.querySelector<HTMLElement>("[aria-current]")?.focus();
    this.renderTools();
    void this.compare();
  }

  private renderTools(): void {
    const version = this.versions[this.chosen]!;
    const choice = (against: Against, label: string): HTMLElement => h("button", { type: "button", "aria-pressed": String(this.against === against), onclick: () => {
      this.against = against;
      this.renderTools();
      this.tools.querySelector<HTMLElement>("[aria-pressed=true]")?.focus();
      void this.compare();
    } }, label);
    this.tools.replaceChildren(
      h("div", { class: "segments", role: "group", "aria-label": "Compare this version with" }, choice("now", "Changes since"), choice("before", "Changes in it")),
      h("span", { class: "grow" }),
      button("Download", "download", "", () => save(homeApi.contentUrl(version.snapshot_id, this.path))),
      button("Restore", "undo-2", "primary", () => this.actions.restore(this.snapshotOf(version), this.path)));
  }

  private compare(): Promise<void> {
    const version = this.versions[this.chosen]!;
    if (this.against === "now") return this.loader.show(() => homeApi.diff(this.path, version.snapshot_id), (diff) => [diffElement(diff, "The file in your home is exactly this version.")]);
    // Of the first version all is new, beside a snapshot that does not have it yet.
    const older = this.versions[this.chosen + 1]?.snapshot_id ?? this.store.snapshots.findLast((snapshot) => Date.parse(snapshot.taken_at) < Date.parse(version.taken_at))?.id;
    if (older === undefined) return this.loader.show(async () => null, () => [h("p", { class: "say muted" }, "No snapshot is older: what changed in this version is not known.")]);
    return this.loader.show(() => homeApi.diff(this.path, older, version.snapshot_id), (diff) => [diffElement(diff, "It is equal to the version before.")]);
  }

  private snapshotOf(version: FileVersion): Snapshot {
    return this.store.snapshots.find((snapshot) => snapshot.id === version.snapshot_id)
      ?? { id: version.snapshot_id, reason: "scheduled", note: "", taken_at: version.taken_at, files: 0, total_bytes: 0, added_bytes: 0, consistent: true };
  }
}
