/** What the home takes, split and live, and what the account may use. */
import { h, setText } from "../lib/dom";
import { bytes, duration, instant, percent } from "../lib/format";
import { usedPercent } from "../lib/home-level";
import type { Store } from "./store";

interface Part {
  bar: HTMLElement;
  row: HTMLElement;
  value: HTMLElement;
}

export class UsageCard {
  private readonly total = h("span", { class: "total" });
  private readonly of = h("span", { class: "muted" });
  private readonly share = h("span", { class: "share" });
  private readonly bar = h("div", { class: "splitbar", role: "img" });
  private readonly parts: Record<string, Part> = {};
  readonly element: HTMLElement;

  constructor(private readonly store: Store) {
    const legend = h("dl", { class: "legend" });
    for (const [name, label] of [["files", "Files"], ["snapshots", "Snapshots"], ["images", "Disk images"], ["published", "Published"], ["free", "Free"]] as const) {
      const part = { bar: h("span", { class: name }), value: h("dd"), row: h("div", {}, h("dt", { class: name }, label)) };
      part.row.append(part.value);
      if (name !== "free") this.bar.append(part.bar);
      legend.append(part.row);
      this.parts[name] = part;
    }
    this.element = h("section", { class: "card usage", "aria-labelledby": "usage-title" },
      h("div", { class: "top" }, h("h2", { id: "usage-title" }, "Space"), this.share), h("div", { class: "sum" }, this.total, this.of), this.bar, legend);
  }

  update(): void {
    const { home } = this.store;
    const { files_bytes, snapshots_bytes, images_bytes, published_bytes } = home.split;
    const known = files_bytes !== null;
    const values: Record<string, number | null> = { files: files_bytes, snapshots: snapshots_bytes, images: images_bytes, published: published_bytes, free: known ? Math.max(0, home.allowance_bytes - home.used_bytes) : null };
    for (const [name, part] of Object.entries(this.parts)) {
      const value = values[name] ?? null;
      setText(part.value, value === null ? "not measured" : bytes(value));
      part.bar.style.width = `${Math.min(100, (100 * (value ?? 0)) / Math.max(1, home.allowance_bytes))}%`;
      part.bar.hidden = !value;
    }
    this.parts["images"]!.row.hidden = images_bytes === 0;
    this.parts["published"]!.row.hidden = published_bytes === 0;
    this.parts["free"]!.row.hidden = !known;
    setText(this.total, known ? bytes(home.used_bytes) : bytes(home.allowance_bytes));
    setText(this.of, known ? ` of ${bytes(home.allowance_bytes)}` : " allowed");
    setText(this.share, known ? percent(usedPercent(home)) : "");
    this.element.dataset["level"] = home.level;
    this.bar.hidden = !known;
    this.bar.setAttribute("aria-label", `${bytes(home.used_bytes)} of ${bytes(home.allowance_bytes)} used`);
  }
}

/** "Your allowance": hours, workspaces, processors and memory. */
export class Allowance {
  readonly element: HTMLElement;
  private readonly hours = tile("Running hours this week");
  private readonly workspaces = tile("Workspaces");
  private readonly cpus = tile("Processors each");
  private readonly memory = tile("Memory each");
  private readonly hoursBar = h("span");
  private readonly hoursMeter = h("div", { class: "hours", role: "img", hidden: true }, this.hoursBar);

  constructor(private readonly store: Store) {
    this.hours.element.append(this.hoursMeter);
    this.element = h("section", { class: "allowance", "aria-labelledby": "allowance-title" }, h("h2", { id: "allowance-title", class: "visually-hidden" }, "Your allowance"),
      h("div", { class: "tiles" }, this.hours.element, this.workspaces.element, this.cpus.element, this.memory.element));
  }

  update(): void {
    const { home, user, workspaces } = this.store;
    const limit = home.hours_allowed;
    setText(this.hours.value, hours(home.hours_used));
    setText(this.hours.rest, limit === null ? "" : ` of ${hours(limit)}`);
    this.hours.element.title = `Counted since ${instant(home.week_began_at)}`;
    this.hoursMeter.hidden = limit === null;
    if (limit !== null) {
      const used = limit > 0 ? Math.min(100, (100 * home.hours_used) / limit) : 100;
      this.hoursBar.style.width = `${used}%`;
      this.hoursMeter.dataset["level"] = used >= 100 ? "full" : used >= 90 ? "nearly-full" : "ok";
      this.hoursMeter.setAttribute("aria-label", `${percent(used)} of the week's hours are used`);
    }
    setText(this.workspaces.value, workspaces ? String(workspaces.length) : String(user.allowance.workspaces));
    setText(this.workspaces.rest, workspaces ? ` of ${user.allowance.workspaces}` : " at most");
    setText(this.cpus.value, String(Number(user.allowance.cpus.toFixed(2))));
    setText(this.cpus.rest, user.allowance.cpus === 1 ? " core at most" : " cores at most");
    setText(this.memory.value, bytes(user.allowance.memory_bytes));
    setText(this.memory.rest, " at most");
  }
}

/** 1.5 -> "1 h 30 min", 31.4 -> "31 h": days would hide what is left. */
function hours(n: number): string {
  return n > 0.02 && n < 10 ? duration(n * 3600) : `${Math.round(n)} h`;
}

function tile(label: string): { element: HTMLElement; value: HTMLElement; rest: HTMLElement } {
  const value = h("span");
  const rest = h("small");
  return { element: h("div", { class: "card tile" }, h("div", { class: "label" }, label), h("div", { class: "value" }, value, rest)), value, rest };
}
