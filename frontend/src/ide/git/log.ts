/** The history of a branch, or of one file of it, a page at a time. */
import { explain } from "../../lib/api";
import { copyText } from "../../lib/clipboard";
import { h, icon } from "../../lib/dom";
import { ago, instant } from "../../lib/format";
import { toast } from "../../lib/toast";
import { visible, visibleText } from "../../lib/visible";
import { COMMITS_AT_ONCE, type Commit, type Status } from "./api";
import { compareCommit } from "./diff";
import type { GitStore } from "./store";
import { nameOf, within } from "../paths";
import { focusRows, navigable, redraw } from "../rows";
import type { Workbench } from "../workbench";

export class HistoryList {
  readonly element: HTMLDetailsElement;
  private readonly list = h("div", { class: "commits", role: "list", "aria-label": "Commits" });
  private readonly more = h("button", { type: "button", class: "button quiet tiny wide", hidden: true, onclick: () => void this.load() }, "Older commits");
  private readonly note = h("p", { class: "muted small say", role: "status", hidden: true });
  private readonly scope = h("button", { type: "button", class: "chip", hidden: true, title: "Show all commits again", onclick: () => this.of("") });
  private commits: Commit[] = [];
  private root = "";
  private at: string | null = null;
  /** The file whose commits are shown; "" is all. */
  private path = "";

  constructor(private readonly workbench: Workbench, private readonly store: GitStore) {
    this.element = h("details", { class: "history" }, h("summary", {}, "History"), this.scope, this.list, this.note, this.more);
    this.element.addEventListener("toggle", () => { if (this.element.open && !this.commits.length) void this.load(); });
    navigable(this.list, {
      open: (row) => this.toggle(row),
      key: (row, event) => {
        if (event.key !== " ") return false;
        this.toggle(row);
        return true;
      },
    });
  }

  /** Take up another repository, branch or commit. */
  follow({ root, head, branch }: Status): void {
    const at = head && `${branch} ${head}`;
    if (root === this.root && at === this.at) return;
    if (root !== this.root) this.path = "";
    [this.root, this.at] = [root, at];
    this.element.hidden = head === null;
    this.begin();
  }

  /** Show the commits that changed a file, or "" for all. */
  of(path: string): void {
    this.path = path;
    this.element.open = true;
    this.begin();
  }

  private begin(): void {
    this.commits = [];
    this.list.replaceChildren();
    this.more.hidden = true;
    this.scope.hidden = !this.path;
    this.scope.replaceChildren(icon("file"), visibleText(nameOf(this.path)), icon("x"));
    if (this.element.open) void this.load();
  }

  private async load(): Promise<void> {
    const { root, at, path } = this;
    const skip = this.commits.length;
    const held = this.element.contains(document.activeElement);
    this.say("Looking …");
    this.more.disabled = true;
    try {
      const page = await this.store.git.log(root, skip, path);
      if (root !== this.root || at !== this.at || path !== this.path) return;
      this.commits = [...this.commits.slice(0, skip), ...page];
      this.more.hidden = page.length < COMMITS_AT_ONCE;
      this.say(this.commits.length ? "" : "No commit has changed this file yet.");
      redraw(this.list, () => this.list.append(...page.map((commit, index) => this.row(commit, skip + index))));
      if (held && this.more.hidden) focusRows(this.list);
    } catch (error) {
      this.say(explain(error));
    } finally {
      this.more.disabled = false;
    }
  }

  private row(commit: Commit, index: number): HTMLElement {
    const when = commit.at ? instant(commit.at) : "";
    return h("div", { class: "commit", role: "listitem" },
      h("div", { class: "line", tabindex: index === 0 ? 0 : -1, "data-row": commit.id, role: "button", "aria-expanded": "false", title: `${visibleText(commit.author)}, ${when}` },
        icon("git-commit-horizontal"), h("span", { class: "label" }, ...visible(commit.subject)),
        ...commit.refs.slice(0, 2).map((ref) => h("span", { class: "chip" }, visibleText(ref.replace(/^HEAD -> /, "")))),
        commit.at ? h("time", { class: "where", datetime: commit.at }, ago(commit.at)) : null),
      h("div", { class: "details", hidden: true }));
  }

  private toggle(row: HTMLElement): void {
    const commit = this.commits.find(({ id }) => id === row.dataset["row"]);
    const details = row.nextElementSibling as HTMLElement;
    if (!commit) return;
    details.hidden = !details.hidden;
    row.setAttribute("aria-expanded", String(!details.hidden));
    if (!details.hidden) details.replaceChildren(...this.details(commit));
  }

  private details(commit: Commit): (HTMLElement | string)[] {
    const file = this.path || this.workbench.activeFile() || "";
    const { body } = commit;
    return [
      h("p", { class: "small muted" }, ...visible(commit.author), commit.at ? ` · ${instant(commit.at)}` : ""),
      body ? h("p", { class: "body" }, ...body.split("\n").flatMap((line, i) => [...(i ? [h("br")] : []), ...visible(line, true)])) : "",
      h("div", { class: "row" },
        file && within(file, this.root) ? h("button", { type: "button", class: "button tiny", onclick: () => void compareCommit(this.workbench, this.store.git, this.root, commit, file) }, icon("git-compare"), `What it did to ${visibleText(nameOf(file))}`) : "",
        h("button", { type: "button", class: "button tiny quiet", title: "Copy the commit's number", onclick: async () => { if (await copyText(commit.id)) toast("Copied the number", { seconds: 1.6, kind: "ok" }); } }, icon("copy"), commit.id.slice(0, 10))),
    ];
  }

  private say(text: string): void {
    this.note.textContent = text;
    this.note.hidden = !text;
  }
}
