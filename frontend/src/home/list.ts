/** The snapshots as a list, newest first under the names of their days. */
import { h, icon } from "../lib/dom";
import { bytes, instant } from "../lib/format";
import type { Snapshot } from "../lib/types";
import { visible } from "../lib/visible";
import type { Store } from "./store";
import { clock, dayStart, dayWord, REASONS } from "./words";

export class SnapshotList {
  readonly element = h("nav", { class: "snapshot-list", "aria-label": "Snapshots" });
  private readonly rows = new Map<number, HTMLButtonElement>();
  private shape = "";

  constructor(private readonly store: Store, private readonly choose: (id: number) => void) {}

  update(): void {
    const { snapshots, selected } = this.store;
    const shape = `${snapshots.map((snapshot) => snapshot.id).join()} ${new Date().toDateString()}`;
    if (shape !== this.shape) this.rebuild(shape);
    for (const [id, row] of this.rows) {
      if (id === selected?.id) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  /** Bring the selected one into view without moving the page. */
  reveal(): void {
    const row = this.store.selected && this.rows.get(this.store.selected.id);
    if (!row) return;
    const [inner, outer] = [row.getBoundingClientRect(), this.element.getBoundingClientRect()];
    if (inner.top < outer.top + 28 || inner.bottom > outer.bottom) this.element.scrollTop += inner.top - outer.top - outer.height / 2;
  }

  private rebuild(shape: string): void {
    const focused = this.element.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset["snapshot"] : undefined;
    this.shape = shape;
    this.rows.clear();
    const days = byDay(this.store.snapshots.toReversed());
    this.element.replaceChildren(...[...days].map(([start, snapshots]) =>
      h("section", { "aria-label": dayWord(start) }, h("h3", {}, dayWord(start)), h("ul", {}, ...snapshots.map((snapshot) => h("li", {}, this.row(snapshot)))))));
    if (focused) this.rows.get(Number(focused))?.focus();
  }

  private row(snapshot: Snapshot): HTMLElement {
    const reason = REASONS[snapshot.reason];
    const row = h("button", { type: "button", class: "snapshot", title: instant(snapshot.taken_at), "data-snapshot": snapshot.id, onclick: () => this.choose(snapshot.id) },
      h("span", { class: `why ${snapshot.reason}` }, icon(reason.icon)),
      h("span", { class: "grow" }, h("span", { class: "time" }, clock(snapshot.taken_at)), h("span", { class: "note" }, ...(snapshot.note ? visible(snapshot.note) : [reason.word]))),
      h("span", { class: "added" }, `+${bytes(snapshot.added_bytes)}`));
    this.rows.set(snapshot.id, row);
    return row;
  }
}

function byDay(snapshots: Snapshot[]): Map<number, Snapshot[]> {
  const days = new Map<number, Snapshot[]>();
  for (const snapshot of snapshots) {
    const start = dayStart(Date.parse(snapshot.taken_at));
    days.set(start, [...(days.get(start) ?? []), snapshot]);
  }
  return days;
}
