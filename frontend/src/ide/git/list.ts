/** Changed files in sections: what is staged, what is not, what is in conflict. */
import { h, icon, iconButton } from "../../lib/dom";
import { visible, visibleText } from "../../lib/visible";
import type { Code, FileStatus, Status } from "./api";
import { inConflict, mark } from "./words";
import { nameOf, parentOf, relativeTo } from "../paths";
import { focusRows, navigable, redraw } from "../rows";

export type Section = "conflicts" | "staged" | "changes";
type Verb = "stage" | "unstage" | "discard";

export interface ListHooks {
  open: (file: FileStatus, section: Section, background: boolean) => void;
  /** Open the file itself. */
  edit: (file: FileStatus) => void;
  change: (verb: Verb, files: FileStatus[]) => void;
}

/** A section with more is cut: nobody reads on. */
const ROWS_MOST = 500;
const TITLES: Record<Section, string> = { conflicts: "In conflict", staged: "Staged", changes: "Changes" };
const VERBS: Record<Verb, { label: string; icon: string }> = { stage: { label: "Stage", icon: "plus" }, unstage: { label: "Take back from the stage", icon: "minus" }, discard: { label: "Discard", icon: "undo-2" } };
const OF_SECTION: Record<Section, Verb[]> = { conflicts: ["stage"], staged: ["unstage"], changes: ["discard", "stage"] };

/** Which files belong into a section. */
export function filesOf(status: Status, section: Section): FileStatus[] {
  const wanted = { conflicts: inConflict, staged: (file: FileStatus) => !inConflict(file) && file.index !== " " && file.index !== "?", changes: (file: FileStatus) => !inConflict(file) && file.work !== " " }[section];
  return status.files.filter(wanted);
}

export class ChangeList {
  readonly element = h("div", { class: "changes", role: "tree", "aria-label": "Changed files" });
  private readonly rows = new Map<string, { file: FileStatus; section: Section }>();
  private readonly folded = new Set<Section>();

  constructor(private readonly hooks: ListHooks) {
    navigable(this.element, {
      open: (row, event) => {
        const known = this.rows.get(row.dataset["row"]!);
        if (known) hooks.open(known.file, known.section, event instanceof MouseEvent);
        else this.fold(row);
      },
      key: (row, event) => this.key(row, event),
    });
  }

  focus(): boolean {
    return focusRows(this.element);
  }

  show(status: Status): void {
    redraw(this.element, () => {
      this.rows.clear();
      this.element.replaceChildren(...(["conflicts", "staged", "changes"] as const).flatMap((section) => this.section(section, filesOf(status, section), status)));
      if (this.element.querySelector("[data-row]") && !this.element.querySelector('[data-row][tabindex="0"]')) this.element.querySelector<HTMLElement>("[data-row]")!.tabIndex = 0;
    });
  }

  private section(section: Section, files: FileStatus[], status: Status): HTMLElement[] {
    if (!files.length) return [];
    const open = !this.folded.has(section);
    const head = h("div", { class: "line head", role: "treeitem", "aria-level": 1, "aria-expanded": String(open), tabindex: -1, "data-row": section },
      icon("chevron-down"), h("span", { class: "label" }, TITLES[section]),
      h("span", { class: "acts" }, ...OF_SECTION[section].map((verb) => this.act(verb, files, "all"))),
      h("span", { class: "count" }, status.truncated ? `${files.length}+` : files.length));
    const rows = files.slice(0, ROWS_MOST).map((file) => this.row(file, section, status.root));
    if (files.length > ROWS_MOST) rows.push(h("p", { class: "more muted small" }, `${(files.length - ROWS_MOST).toLocaleString()} more are not shown.`));
    return [h("div", { class: "section", role: "none", "data-section": section }, head, h("div", { class: "rows", role: "group", hidden: !open }, ...rows))];
  }

  private row(file: FileStatus, section: Section, root: string): HTMLElement {
    const key = `${section}:${file.path}`;
    this.rows.set(key, { file, section });
    const sign = mark(section === "conflicts" ? "U" : codeOf(file, section));
    const { path } = file;
    const shown = relativeTo(path, root);
    const moved = file.from && section !== "changes" ? `${relativeTo(file.from, root)} → ` : "";
    return h("div", { class: `line change is-${sign.kind}`, role: "treeitem", "aria-level": 2, tabindex: -1, "data-row": key, title: `${visibleText(moved + shown)} (${sign.title})` },
      h("span", { class: "label" }, ...visible(nameOf(path)), h("span", { class: "where" }, shown.includes("/") ? visibleText(parentOf(shown)) : "")),
      h("span", { class: "acts" }, iconButton("Open the file", "file", () => this.hooks.edit(file)), ...OF_SECTION[section].map((verb) => this.act(verb, [file], visibleText(nameOf(path))))),
      h("span", { class: "mark", "aria-label": sign.title }, sign.letter));
  }

  private act(verb: Verb, files: FileStatus[], what: string): HTMLElement {
    return iconButton(`${VERBS[verb].label}: ${what}`, VERBS[verb].icon, () => this.hooks.change(verb, files));
  }

  private key(row: HTMLElement, event: KeyboardEvent): boolean {
    const known = this.rows.get(row.dataset["row"]!);
    if (!known) {
      const open = row.getAttribute("aria-expanded") === "true";
      if (event.key !== (open ? "ArrowLeft" : "ArrowRight") && event.key !== " ") return false;
      this.fold(row);
    } else if (event.key === " ") this.hooks.open(known.file, known.section, true);
    else if (event.key === "+" || event.key === "-") this.hooks.change(event.key === "+" ? "stage" : "unstage", [known.file]);
    else if (event.key === "Delete" && known.section === "changes") this.hooks.change("discard", [known.file]);
    else if (event.key === "ArrowLeft") row.closest(".section")?.querySelector<HTMLElement>(".head")?.focus();
    else return false;
    return true;
  }

  private fold(row: HTMLElement): void {
    const section = row.dataset["row"] as Section;
    const open = this.folded.delete(section);
    if (!open) this.folded.add(section);
    row.setAttribute("aria-expanded", String(open));
    (row.nextElementSibling as HTMLElement).hidden = !open;
  }
}

function codeOf(file: FileStatus, section: Section): Code {
  return section === "staged" ? file.index : file.work;
}
