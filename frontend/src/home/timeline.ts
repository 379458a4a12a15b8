/** The axis of time: a bead for each snapshot on a stem as tall as what it added. */
import { h, icon } from "../lib/dom";
import { bytes, instant } from "../lib/format";
import type { Snapshot } from "../lib/types";
import { visibleText } from "../lib/visible";
import { layOut, type Day, type Mark } from "./axis";
import type { Store } from "./store";
import { count, moment, REASONS } from "./words";

const STEM_PX = 58;

export class Timeline {
  readonly element: HTMLElement;
  private readonly axis = h("div", { class: "axis" });
  private readonly tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  private readonly marks = new Map<number, HTMLButtonElement>();
  private shape = "";

  constructor(private readonly store: Store, private readonly choose: (id: number) => void) {
    this.element = h("div", { class: "timeline" }, this.axis, this.tip);
    this.axis.addEventListener("keydown", (event) => this.step(event));
    this.axis.addEventListener("scroll", () => { this.tip.hidden = true; }, { passive: true });
  }

  update(): void {
    const { snapshots, selected, home } = this.store;
    const shape = `${snapshots.map((snapshot) => snapshot.id).join()} ${home.next_snapshot_at} ${new Date().toDateString()}`;
    if (shape !== this.shape) this.rebuild(shape);
    for (const [id, mark] of this.marks) {
      mark.setAttribute("aria-selected", String(id === selected?.id));
      mark.tabIndex = id === selected?.id ? 0 : -1;
    }
  }

  /** Bring the selected one into view without moving the page. */
  reveal(): void {
    const mark = this.store.selected && this.marks.get(this.store.selected.id);
    if (!mark) return;
    const [inner, outer] = [mark.getBoundingClientRect(), this.axis.getBoundingClientRect()];
    if (inner.left < outer.left + 12 || inner.right > outer.right - 12) this.axis.scrollLeft += inner.left - outer.left - outer.width / 2;
  }

  private rebuild(shape: string): void {
    const first = this.shape === "";
    const focused = this.axis.contains(document.activeElement);
    this.shape = shape;
    this.tip.hidden = true;
    this.marks.clear();
    const days = layOut(this.store.snapshots, this.store.home.next_snapshot_at, Date.now());
    this.axis.replaceChildren(h("div", { class: "days", role: "listbox", "aria-label": "Snapshots over time", "aria-orientation": "horizontal" }, ...days.map((day) => this.day(day))));
    if (focused && this.store.selected) this.marks.get(this.store.selected.id)?.focus();
    // What is newest is what people look for.
    if (first || focused) this.axis.scrollLeft = this.axis.scrollWidth;
  }

  private day(day: Day): HTMLElement {
    const track = h("div", { class: "track" });
    for (const { hour, at } of day.hours) track.append(h("span", { class: "hour", style: place(at), "aria-hidden": "true" }, h("span", {}, `${hour}:00`)));
    track.append(...day.marks.map((mark) => this.mark(mark)));
    if (day.next !== null) track.append(h("span", { class: "mark next", style: place(day.next), title: `Next: ${instant(this.store.home.next_snapshot_at ?? "")}`, "aria-hidden": "true" }, h("span", { class: "bead" })));
    return h("div", { class: `day${day.gap ? " gap" : ""}`, role: "group", "aria-label": day.label, style: `flex: ${day.marks.length + 1} 0 ${day.width}px` }, track, h("div", { class: "label", "aria-hidden": "true" }, day.label));
  }

  private mark({ snapshot, at, size }: Mark): HTMLElement {
    const button = h("button", { type: "button", role: "option", class: `mark ${snapshot.reason}`, style: place(at), "aria-label": describe(snapshot), "data-snapshot": snapshot.id, onclick: () => this.choose(snapshot.id) },
      h("span", { class: "bead" }), h("span", { class: "stem", style: `height: ${Math.round(6 + size * STEM_PX)}px` }));
    for (const on of ["pointerenter", "focus"]) button.addEventListener(on, () => this.showTip(snapshot, button));
    for (const off of ["pointerleave", "blur"]) button.addEventListener(off, () => { this.tip.hidden = true; });
    this.marks.set(snapshot.id, button);
    return button;
  }

  private showTip(snapshot: Snapshot, mark: HTMLElement): void {
    const reason = REASONS[snapshot.reason];
    this.tip.replaceChildren(
      h("strong", {}, moment(snapshot.taken_at)),
      h("span", { class: `why ${snapshot.reason}` }, icon(reason.icon), reason.word),
      ...(snapshot.note ? [h("span", { class: "note" }, visibleText(snapshot.note))] : []),
      h("span", { class: "muted" }, `${bytes(snapshot.added_bytes)} added · ${count(snapshot.files, "file")}`));
    this.tip.hidden = false;
    const [at, around, size] = [mark.getBoundingClientRect(), this.element.getBoundingClientRect(), this.tip.getBoundingClientRect()];
    const bead = (mark.querySelector(".bead") ?? mark).getBoundingClientRect();
    this.tip.style.left = `${Math.max(4, Math.min(at.left + at.width / 2 - around.left - size.width / 2, around.width - size.width - 4))}px`;
    this.tip.style.top = `${bead.top - around.top - size.height - 8}px`;
  }

  private step(event: KeyboardEvent): void {
    const { snapshots, selected } = this.store;
    const at = snapshots.findIndex((snapshot) => snapshot.id === selected?.id);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: snapshots.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = snapshots[Math.max(0, Math.min(snapshots.length - 1, to))];
    if (!next) return;
    this.choose(next.id);
    this.marks.get(next.id)?.focus();
  }
}

function place(at: number): string {
  return `left: calc(${at.toFixed(4)} * (100% - var(--mark)))`;
}

/** What a screen reader says of a snapshot. */
export function describe(snapshot: Snapshot): string {
  return [moment(snapshot.taken_at), REASONS[snapshot.reason].word, visibleText(snapshot.note), `${bytes(snapshot.added_bytes)} added`].filter(Boolean).join(", ");
}
