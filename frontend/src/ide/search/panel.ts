/** The panel that searches all files, and replaces. */
import { explain } from "../../lib/api";
import { announce, h, icon, iconButton } from "../../lib/dom";
import { visibleText } from "../../lib/visible";
import { shorten } from "../paths";
import { inWords, MATCHES_MOST, patterns, search, type Found, type Match, type Query } from "./api";
import { replaceIn } from "./replace";
import { Results } from "./results";
import type { Panel, Workbench } from "../workbench";

const PAUSE_MS = 250;
/** A search for one letter is meant only where it is asked for. */
const SHORTEST = 2;

type Flag = "case" | "word" | "regex";

export class SearchPanel implements Panel {
  readonly id = "search";
  readonly title = "Search";
  readonly icon = "search";
  readonly key = "Mod+Shift+F";
  readonly element: HTMLElement;
  private readonly base: string;
  private readonly text = this.field("Search", "Search in all files");
  private readonly into = this.field("Replace", "Replace by");
  private readonly included = this.field("Files to include", "such as src, *.py");
  private readonly excluded = this.field("Files to leave out", "such as docs, *.min.js");
  private readonly flags = {
    case: this.toggle("Match case", "Aa", "Alt+C"),
    word: this.toggle("Whole words", "ab", "Alt+W"),
    regex: this.toggle("Regular expression", ".*", "Alt+R"),
  };
  private readonly opener = iconButton("Replace", "chevron-right", () => this.setReplacing(this.replacing.hidden), "quiet opener");
  private readonly replaceAll = iconButton("Replace all", "replace", () => void this.replaceFiles(null));
  private readonly replacing = h("div", { class: "with-tools", hidden: true }, this.into, this.replaceAll);
  private readonly details = h("details", {}, h("summary", {}, "In which files"), h("label", {}, "Include", this.included), h("label", {}, "Leave out", this.excluded));
  private readonly scope = h("button", { type: "button", class: "chip", hidden: true, title: "Search everywhere again", onclick: () => this.searchIn("") });
  private readonly summary = h("p", { class: "summary", role: "status" });
  private readonly busy = h("div", { class: "bar unknown", hidden: true }, h("span"));
  private readonly results: Results;
  private folder = "";
  private asked = new AbortController();
  private timer = 0;
  private done: Found | null = null;

  constructor(private readonly workbench: Workbench) {
    this.base = `/api/v1/workspaces/${encodeURIComponent(workbench.workspace)}/files`;
    this.results = new Results({
      open: (match, { background, beside }) => void workbench.open(match.path, { line: match.line, column: match.column, length: match.length, preview: background, background, beside }),
      replace: (path) => void this.replaceFiles(path),
      changed: () => this.summarize(),
    });
    const form = h("form", { class: "search-form", role: "search" },
      this.opener,
      h("div", { class: "fields" },
        h("div", { class: "with-tools" }, this.text, h("span", { class: "flags" }, ...Object.values(this.flags))),
        this.replacing, this.scope, this.details));
    form.addEventListener("submit", (event) => { event.preventDefault(); void this.run(); });
    form.addEventListener("input", (event) => this.onInput(event.target));
    form.addEventListener("keydown", (event) => this.onKey(event));
    this.element = h("div", { class: "panel search" },
      h("header", {}, h("h2", { class: "title" }, "Search"),
        iconButton("Search again", "refresh-cw", () => void this.run()),
        iconButton("Clear", "x", () => this.clear()),
        iconButton("Fold all", "chevrons-down-up", () => this.results.foldAll())),
      form, this.busy, this.summary, this.results.element);
    this.summarize();
  }

  shown(): void {
    // A page that opens with this panel leaves the keyboard where it belongs.
    if (!navigator.userActivation.isActive) return;
    const chosen = getSelection()?.toString() ?? "";
    if (chosen && !chosen.includes("\n") && chosen.length <= 200 && !this.element.contains(document.activeElement)) {
      this.text.value = chosen;
      void this.run();
    }
    this.text.focus();
    this.text.select();
  }

  setReplacing(on: boolean): void {
    this.replacing.hidden = !on;
    this.opener.setAttribute("aria-expanded", String(on));
    this.results.replacing = on;
    this.preview();
    if (on) (this.text.value ? this.into : this.text).focus();
  }

  /** Search below one folder; "" is everywhere. */
  searchIn(folder: string): void {
    this.folder = folder === this.workbench.root ? "" : folder;
    this.scope.hidden = !this.folder;
    this.scope.replaceChildren(icon("folder"), shorten(this.folder, this.workbench.home), icon("x"));
    if (this.text.value) void this.run();
    this.text.focus();
  }

  /** List matches that something else has found. */
  present(title: string, matches: Match[]): void {
    this.asked.abort();
    clearTimeout(this.timer);
    this.busy.hidden = true;
    this.done = null;
    this.results.clear();
    this.results.add(matches, this.workbench.root);
    this.replaceAll.disabled = true;
    this.say(`${title} ${inWords({ matches: matches.length, files: this.results.files.length })}`);
    this.results.focus();
  }

  private query(): Query {
    const on = (flag: Flag): boolean => this.flags[flag].getAttribute("aria-pressed") === "true";
    return {
      text: this.text.value, path: this.folder || this.workbench.root, globs: patterns(this.included.value, this.excluded.value),
      case: on("case"), word: on("word"), regex: on("regex"),
    };
  }

  private async run(): Promise<void> {
    clearTimeout(this.timer);
    this.asked.abort();
    const mine = (this.asked = new AbortController());
    this.results.clear();
    this.done = null;
    if (!this.text.value) {
      this.busy.hidden = true;
      return this.summarize();
    }
    this.busy.hidden = false;
    this.say("Searching …");
    const root = this.folder || this.workbench.root;
    try {
      const found = await search(this.base, this.query(), mine.signal, (matches) => { if (!mine.signal.aborted) this.results.add(matches, root); }, (counts) => this.say(`${inWords(counts)} so far …`));
      if (mine.signal.aborted) return;
      this.done = found;
      this.summarize();
      announce(this.summary.textContent ?? "");
    } catch (error) {
      if (mine.signal.aborted) return;
      this.say(explain(error), true);
    }
    this.busy.hidden = true;
  }

  private async replaceFiles(path: string | null): Promise<void> {
    if (!this.done || !this.results.count) return void this.text.focus();
    const whole = path === null && this.done.truncated;
    const files = path === null ? this.results.files : [path];
    const matches = path === null ? this.results.count : this.results.countIn(path);
    if (await replaceIn(this.workbench, this.base, this.query(), this.into.value, whole ? null : files, { matches, files: files.length })) await this.run();
  }

  private summarize(): void {
    const { count, files } = this.results;
    this.replaceAll.disabled = !count;
    if (!this.text.value) return this.say("Type what to look for: it is searched in every file but those that git ignores.");
    if (!this.done) return;
    if (!count) return this.say(`No match${this.folder ? ` in ${shorten(this.folder, this.workbench.home)}` : ""}. Files that git ignores are left out${this.details.open ? "" : "; the box above may leave out more"}.`);
    this.say(`${inWords({ matches: count, files: files.length })}${this.done.truncated ? `: the first of many, at most ${MATCHES_MOST.toLocaleString()}. Look for something longer, or in fewer files.` : ""}`);
  }

  private say(text: string, wrong = false): void {
    this.summary.textContent = visibleText(text);
    this.summary.classList.toggle("error", wrong);
  }

  private clear(): void {
    this.text.value = "";
    void this.run();
    this.text.focus();
  }

  private onInput(target: EventTarget | null): void {
    if (target === this.into) return this.preview();
    clearTimeout(this.timer);
    this.preview();
    const { length } = this.text.value;
    if (length === 0 || length >= SHORTEST) this.timer = window.setTimeout(() => void this.run(), PAUSE_MS);
  }

  private onKey(event: KeyboardEvent): void {
    const flag = event.altKey && !event.ctrlKey && ({ KeyC: "case", KeyW: "word", KeyR: "regex" } as Record<string, Flag>)[event.code];
    if (flag) this.flags[flag].click();
    else if (event.key === "ArrowDown" && event.target instanceof HTMLInputElement) this.results.focus();
    else if (event.key === "Escape" && !this.busy.hidden) {
      this.asked.abort();
      this.busy.hidden = true;
      this.say("The search was stopped.");
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** What a regular expression's groups become is known to the server alone. */
  private preview(): void {
    const plain = this.flags.regex.getAttribute("aria-pressed") !== "true";
    this.results.preview(!this.replacing.hidden && plain ? this.into.value : null);
  }

  private toggle(label: string, sign: string, key: string): HTMLButtonElement {
    const button = h("button", { type: "button", class: "flag", "aria-pressed": "false", "aria-label": label, title: `${label} (${key})` }, sign);
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      this.preview();
      void this.run();
    });
    return button;
  }

  private field(label: string, placeholder: string): HTMLInputElement {
    return h("input", { class: "input", type: "text", "aria-label": label, placeholder, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  }
}

export function installSearch(workbench: Workbench): SearchPanel {
  const panel = new SearchPanel(workbench);
  workbench.addPanel(panel);
  workbench.command({ id: "workbench.action.replaceInFiles", title: "Replace in files", icon: "replace", group: "Search", key: "Mod+Shift+H", run: () => { workbench.showPanel("search"); panel.setReplacing(true); } });
  workbench.fileActions((paths, folder) => (paths.length > 1 ? [] : [{ label: "Search in this folder", icon: "search", run: () => { workbench.showPanel("search"); panel.searchIn(folder); } }]));
  return panel;
}
