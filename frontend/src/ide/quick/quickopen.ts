/** One box for all: files by name, ">" commands, "@" what the file declares, ":" a line. */
import { closeOnBackdrop } from "../../lib/dialog";
import { commands as offered } from "../../lib/commands";
import { h, icon } from "../../lib/dom";
import { explain } from "../../lib/api";
import { visible } from "../../lib/visible";
import { fuzzy } from "./fuzzy";
import { keyLabel, type Keys } from "../keys";
import type { FoundName, Names } from "./names";
import type { FileSymbol, SymbolKind } from "../editor/file-symbol";
import { nameOf, parentOf, relativeTo } from "../paths";
import { fileIcon } from "../tree/row";
import type { OpenOptions, Place } from "../workbench";

export interface QuickOpenHooks {
  root: () => string;
  /** Paths to offer before anything was typed, latest first. */
  recent: () => string[];
  open: (path: string, options: OpenOptions) => void;
  /** Where the cursor of the editor in front may go; null without one. */
  lines: () => number | null;
  goTo: (place: Place) => void;
  /** What the file in front declares; null without one. */
  symbols: () => Promise<FileSymbol[]> | null;
}

interface Row {
  icon: string;
  label: (string | HTMLElement)[];
  where: string;
  /** How far it is moved in. */
  depth?: number;
  run: (beside: boolean) => void;
}

const ROWS_MOST = 60;
/** All that a file declares is one list to look through. */
const SYMBOLS_SHOWN = 500;
const SYMBOL_ICONS: Record<SymbolKind, string> = { function: "square-function", type: "box", variable: "variable", module: "package", heading: "hash", other: "tag" };

export class QuickOpen {
  private dialog: HTMLDialogElement | null = null;
  private lately: string[] = [];

  constructor(private readonly names: Names, private readonly keys: Keys, private readonly hooks: QuickOpenHooks) {}

  /** Open the box with this in it; a second time closes it. */
  toggle(prefix: "" | ">" | "@" | ":"): void {
    if (this.dialog?.open) return this.dialog.close();
    const back = document.activeElement as HTMLElement | null;
    const input = h("input", { type: "text", value: prefix, placeholder: "A file's name, > for commands, @ for symbols, : for a line", role: "combobox", "aria-expanded": "true", "aria-controls": "quick-list", "aria-autocomplete": "list", autocomplete: "off", autocapitalize: "none", spellcheck: "false", "aria-label": "Name" });
    const list = h("ul", { id: "quick-list", role: "listbox", "aria-label": "Matches" });
    const note = h("p", { class: "none", role: "status", hidden: true });
    const dialog = h("dialog", { class: "palette", "aria-label": prefix === ">" ? "Command palette" : "Quick open" },
      h("div", { class: "query" }, icon("search"), input, h("kbd", {}, "Esc")), list, note,
      h("footer", {}, h("span", {}, "↑ ↓ choose"), h("span", {}, "Enter open"), h("span", {}, `${keyLabel("Mod+Enter")} at the side`)));
    this.dialog = dialog;
    let rows: Row[] = [];
    let at = 0;
    let asked = new AbortController();
    let symbols: Promise<FileSymbol[]> | null = null;
    const choose = (index: number): void => {
      at = Math.max(0, Math.min(rows.length - 1, index));
      [...list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === at)));
      const row = list.children[at];
      row?.scrollIntoView({ block: "nearest" });
      if (row) input.setAttribute("aria-activedescendant", row.id);
      else input.removeAttribute("aria-activedescendant");
    };
    const run = (index: number, beside: boolean): void => {
      const row = rows[index];
      if (!row) return;
      // What runs takes the keyboard where it wants it, and not where it was.
      dialog.dataset["ran"] = "yes";
      dialog.close();
      row.run(beside);
    };
    const show = (made: Row[], text: string): void => {
      rows = made.slice(0, input.value.startsWith("@") ? SYMBOLS_SHOWN : ROWS_MOST);
      list.replaceChildren(...rows.map((row, i) => h("li", { role: "option", id: `quick-${i}`, style: row.depth ? `--depth: ${row.depth}` : null, onclick: (event) => run(i, (event as MouseEvent).ctrlKey), onpointermove: () => { if (at !== i) choose(i); } }, icon(row.icon), h("span", { class: "label" }, ...row.label), h("span", { class: "where" }, row.where))));
      note.textContent = rows.length ? "" : text;
      note.hidden = rows.length > 0 || !text;
      choose(0);
    };
    const render = async (): Promise<void> => {
      asked.abort();
      const mine = (asked = new AbortController());
      const text = input.value;
      if (text.startsWith(">")) return show(this.commandRows(text.slice(1).trim()), "No command of that name.");
      if (text.startsWith(":")) return show(this.lineRows(text.slice(1)), this.hooks.lines() === null ? "Open a file first." : "A line's number, and a column's after another colon.");
      if (text.startsWith("@")) {
        symbols ??= this.hooks.symbols();
        if (!symbols) return show([], "Open a file first.");
        const known = await symbols;
        return mine.signal.aborted ? undefined : show(this.symbolRows(known, text.slice(1).trim()), known.length ? "No symbol of that name." : "Nothing that this file declares is known.");
      }
      const [query, place] = splitPlace(text);
      if (!query) return show(this.recentRows(""), "Type some letters of a file's name.");
      if (!this.names.knows(this.hooks.root())) show(this.recentRows(query), "Looking …");
      try {
        const found = await this.names.matching(this.hooks.root(), query, mine.signal);
        if (!mine.signal.aborted) show(this.nameRows(found, place), "No file of that name.");
      } catch (error) {
        if (!mine.signal.aborted) show(this.recentRows(query), explain(error));
      }
    };
    let shown = render();
    const renew = (): void => { shown = render(); };
    input.addEventListener("input", renew);
    input.addEventListener("keydown", (event) => {
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8 }[event.key];
      if (to !== undefined) choose(to === -1 ? rows.length - 1 : to >= rows.length && event.key === "ArrowDown" ? 0 : to);
      else if (event.key === "Enter" && !event.isComposing) {
        const beside = event.ctrlKey || event.metaKey;
        // Of what was typed, not of what is listed still: some type faster than names are found.
        void shown.then(() => { if (dialog.open) run(at, beside); });
      }
      else return;
      event.preventDefault();
    });
    dialog.addEventListener("close", () => {
      asked.abort();
      dialog.remove();
      if (!dialog.dataset["ran"]) back?.focus();
    });
    closeOnBackdrop(dialog);
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
    input.setSelectionRange(prefix.length, prefix.length);
    // What was known is shown at once, and what there is now when it has come.
    if (!prefix) this.names.prepare(this.hooks.root()).then(() => { if (dialog.open && at === 0 && !/^[>@:]/.test(input.value)) renew(); }, () => undefined);
  }

  private commandRows(query: string): Row[] {
    const own = [...this.keys.commands.values()].filter((one) => !one.hidden && (one.when?.() ?? true));
    const all = [...own.map((one) => ({ ...one, where: one.key ? keyLabel(one.key) : one.group })), ...offered().map((one) => ({ ...one, id: `${one.group} ${one.title}`, where: one.group }))];
    const found = all.flatMap((one) => {
      const match = fuzzy(query, one.title) ?? (query && `${one.group} ${one.words ?? ""}`.toLowerCase().includes(query.toLowerCase()) ? { score: -50, at: [] } : null);
      return match ? [{ one, match }] : [];
    });
    const rank = ({ one, match }: (typeof found)[number]): number => (query ? match.score : 0) + (this.lately.includes(one.id) ? 8 + this.lately.indexOf(one.id) / 10 : 0);
    return found.sort((a, b) => rank(b) - rank(a)).map(({ one, match }) => ({ icon: one.icon, label: marked(one.title, match.at), where: one.where, run: () => { this.lately = [...this.lately.filter((id) => id !== one.id), one.id].slice(-8); one.run(); } }));
  }

  private lineRows(text: string): Row[] {
    const most = this.hooks.lines();
    const found = /^\s*(\d+)(?:[:,]\s*(\d+))?\s*$/.exec(text);
    if (most === null || !found) return [];
    const line = Math.max(1, Math.min(most, Number(found[1])));
    const column = found[2] ? Number(found[2]) : 1;
    return [{ icon: "corner-left-up", label: [`Go to line ${line}${found[2] ? `, column ${column}` : ""}`], where: `of ${most}`, run: () => this.hooks.goTo({ line, column }) }];
  }

  private symbolRows(symbols: FileSymbol[], query: string): Row[] {
    const found = symbols.flatMap((one) => {
      const match = fuzzy(query, one.name);
      return match ? [{ one, match }] : [];
    });
    if (query) found.sort((a, b) => b.match.score - a.match.score);
    return found.map(({ one, match }) => ({
      icon: SYMBOL_ICONS[one.kind], label: marked(one.name, match.at), where: `line ${one.line}`, depth: query ? 0 : one.depth,
      run: () => this.hooks.goTo({ line: one.line, column: one.column }),
    }));
  }

  private recentRows(query: string): Row[] {
    return this.fileRows(this.hooks.recent().map((path) => ({ path, match: fuzzy(query, relativeTo(path, this.hooks.root())) })).filter((one) => one.match !== null).map((one) => ({ path: one.path, at: one.match!.at })), {});
  }

  private nameRows(found: FoundName[], place: Partial<Place>): Row[] {
    const recent = this.hooks.recent();
    const rank = (one: FoundName): number => one.match.score + (recent.includes(one.path) ? 12 : 0);
    return this.fileRows(found.sort((a, b) => rank(b) - rank(a)).map(({ path, match }) => ({ path, at: match.at })), place);
  }

  private fileRows(found: { path: string; at: number[] }[], place: Partial<Place>): Row[] {
    const root = this.hooks.root();
    return found.map(({ path, at }) => {
      const shown = relativeTo(path, root);
      const start = shown.length - nameOf(shown).length;
      return { icon: fileIcon(path), label: marked(nameOf(path), at.map((one) => one - start).filter((one) => one >= 0)), where: shown.includes("/") ? parentOf(shown) : "", run: (beside) => this.hooks.open(path, { preview: false, beside, ...place }) };
    });
  }
}

/** "a.ts:12:3" -> a file's name and where to go in it. */
export function splitPlace(text: string): [string, Partial<Place>] {
  const found = /^(.*?):(\d+)(?::(\d+))?$/.exec(text.trim());
  if (!found) return [text.trim(), {}];
  return [found[1]!, { line: Number(found[2]), ...(found[3] ? { column: Number(found[3]) } : {}) }];
}

function marked(text: string, at: number[]): (string | HTMLElement)[] {
  const hits = new Set(at);
  const parts: (string | HTMLElement)[] = [];
  let plain = "";
  for (let i = 0; i < text.length; i += 1) {
    if (!hits.has(i)) {
      plain += text[i];
      continue;
    }
    parts.push(...visible(plain));
    plain = "";
    let run = "";
    for (; hits.has(i) && i < text.length; i += 1) run += text[i];
    i -= 1;
    parts.push(h("b", {}, ...visible(run)));
  }
  parts.push(...visible(plain));
  return parts;
}
