/** The panel of git: what has changed, staging, committing, branches, history. */
import type { EditorView } from "@codemirror/view";
import { explainFully } from "../../lib/api";
import { confirmThat } from "../../lib/dialog";
import { h, icon, iconButton } from "../../lib/dom";
import { popMenu } from "../../lib/menu";
import { toast } from "../../lib/toast";
import { visibleText } from "../../lib/visible";
import type { FileStatus, Status } from "./api";
import { chooseBranch } from "./branches";
import { CommitForm } from "./commit";
import { compareWithHead, openChange } from "./diff";
import { emptyElement, noRepository } from "./empty";
import { ChangeList } from "./list";
import { HistoryList } from "./log";
import { GitStore } from "./store";
import { branchLabel } from "./words";
import { nameOf, shorten } from "../paths";
import type { Panel, Workbench } from "../workbench";

class GitPanel implements Panel {
  readonly id = "git";
  readonly title = "Git";
  readonly icon = "git-branch";
  readonly key = "Ctrl+Shift+G";
  readonly element: HTMLElement;
  private readonly body = h("div", { class: "git-body" });
  private readonly place = h("button", { type: "button", class: "button quiet tiny place", onclick: () => this.chooseRepository() });
  private readonly branch = h("button", { type: "button", class: "button tiny branch", title: "Switch to a branch", onclick: () => chooseBranch(this.workbench, this.store) });
  private readonly state = h("p", { class: "notice warn small", role: "status", hidden: true });
  private readonly clean = h("p", { class: "muted small say", hidden: true }, "Nothing has changed since the last commit.");
  private readonly form: CommitForm;
  private readonly list: ChangeList;
  private readonly history: HistoryList;
  private readonly repository: HTMLElement;
  private none: HTMLElement | null = null;

  constructor(private readonly workbench: Workbench, private readonly store: GitStore) {
    this.form = new CommitForm(store, () => this.saveFirst());
    this.list = new ChangeList({
      open: (file, section, background) => void openChange(workbench, store.git, store.current!.root, file, section, background),
      edit: (file) => void workbench.open(file.path, { preview: false }),
      change: (verb, files) => void this.change(verb, files),
    });
    this.history = new HistoryList(workbench, store);
    this.repository = h("div", { class: "repository" }, h("div", { class: "row" }, this.place, this.branch), this.state, this.form.element, this.clean, this.list.element, this.history.element);
    this.element = h("div", { class: "panel git" },
      h("header", {}, h("h2", { class: "title" }, "Git"), iconButton("Look again", "refresh-cw", () => store.again())),
      this.body);
    store.onChange(() => this.render());
    this.render();
  }

  shown(): void {
    if (this.store.current) this.store.soon();
    else this.store.again();
    // A page that opens with this panel leaves the keyboard where it belongs.
    if (!navigator.userActivation.isActive) return;
    if (!this.store.current) this.element.querySelector<HTMLElement>(".git-body button")?.focus();
    else if (!this.list.focus()) this.form.focus();
  }

  private render(): void {
    const { store } = this;
    const { current } = store;
    if (current) {
      if (!this.repository.isConnected) this.body.replaceChildren(this.repository);
      return this.show(current);
    }
    this.workbench.badge("git", 0);
    if (!store.running) this.body.replaceChildren(emptyElement("git-branch", "The workspace does not run", h("p", {}, "Git runs inside of it. Start it, in the terminal below or on the page of workspaces.")));
    else if (store.failure) this.body.replaceChildren(emptyElement("circle-alert", "Git cannot be asked", h("p", {}, store.failure), h("button", { type: "button", class: "button", onclick: () => void store.refresh() }, "Try again")));
    else if (!store.ready) this.body.replaceChildren(h("p", { class: "muted small say", role: "status" }, "Looking …"));
    else if (!this.none?.isConnected) this.body.replaceChildren((this.none = noRepository(this.workbench, store)));
  }

  private show(status: Status): void {
    const { workbench, store } = this;
    this.place.replaceChildren(icon("folder-git-2"), h("span", { class: "label" }, visibleText(nameOf(status.root) || "/")));
    this.place.title = shorten(status.root, workbench.home);
    this.place.disabled = store.repositories.size < 2;
    this.branch.replaceChildren(icon("git-branch"), h("span", { class: "label" }, visibleText(branchLabel(status) || "no commit yet")), icon("chevron-down"));
    const doing = status.state ? `Git is ${status.state}: settle the conflicts, stage and commit, or finish it in the terminal.` : status.detached ? "You are on no branch: commits made here are easily lost. Switch to a branch, or make one." : "";
    this.state.textContent = store.failure || doing;
    this.state.hidden = !this.state.textContent;
    this.clean.hidden = status.files.length > 0;
    this.form.show(status);
    this.list.show(status);
    this.history.follow(status);
    workbench.badge("git", status.files.length);
  }

  private chooseRepository(): void {
    popMenu(this.place, "Repository", [...this.store.repositories.values()].map(({ root }) => ({ label: shorten(root, this.workbench.home), icon: "folder-git-2", checked: root === this.store.current?.root, run: () => this.store.select(root) })));
  }

  /** Save what lies in the repository; false when that failed. */
  private async saveFirst(): Promise<boolean> {
    return !this.workbench.openFiles().some(({ dirty }) => dirty) || this.workbench.saveAll();
  }

  private async change(verb: "stage" | "unstage" | "discard", files: FileStatus[]): Promise<void> {
    const { current } = this.store;
    if (!current || !files.length) return;
    if (verb === "discard" && !(await this.agreed(files))) return;
    try {
      await this.store.git.change(verb, current.root, files.map(({ path }) => path));
    } catch (error) {
      toast("It is as it was", { kind: "error", text: explainFully(error) });
    }
    await this.store.refresh();
    if (verb === "discard") this.workbench.refresh(current.root);
  }

  private agreed(files: FileStatus[]): Promise<boolean> {
    const fresh = files.filter((file) => file.work === "?").length;
    const what = files.length === 1 ? `“${visibleText(nameOf(files[0]!.path))}”` : `${files.length} files`;
    const question = fresh === files.length ? `Delete ${what}? Git has no copy of it` : `Discard the changes of ${what}? What was not staged is lost${fresh ? `, and ${fresh} that git does not know are deleted` : ""}`;
    return confirmThat(`${question}; a snapshot of your home may have it.`, fresh === files.length ? "Delete" : "Discard", true);
  }
}

export function installGit(workbench: Workbench): GitStore {
  const store = new GitStore(workbench);
  const panel = new GitPanel(workbench, store);
  workbench.addPanel(panel);
  workbench.decorate((path) => store.decoration(path));
  store.onChange(() => {
    const { current } = store;
    workbench.redecorate();
    workbench.status("branch", current ? branchLabel(current) || "no commit" : "", current ? `Branch of ${shorten(current.root, workbench.home)}: switch to another` : "", () => chooseBranch(workbench, store));
  });
  const compare = (path: string): void => { const root = store.repositoryOf(path)?.root; if (root) void compareWithHead(workbench, store.git, root, path); };
  const here = (): boolean => store.current !== null;
  const fileHere = (): boolean => { const path = workbench.activeFile(); return path !== null && store.repositoryOf(path) !== null; };
  workbench.command(
    { id: "git.checkout", title: "Switch to a branch …", icon: "git-branch", group: "Git", words: "checkout create", when: here, run: () => chooseBranch(workbench, store) },
    { id: "git.refresh", title: "Look again at what has changed", icon: "refresh-cw", group: "Git", when: here, run: () => void store.refresh() },
    { id: "git.openChange", title: "Compare this file with the last commit", icon: "git-compare", group: "Git", words: "diff changes", when: fileHere, run: () => compare(workbench.activeFile()!) },
  );
  workbench.fileActions((paths) => {
    const [path] = paths;
    if (paths.length !== 1 || !path || !store.fileStatus(path) || store.fileStatus(path)!.work === "?") return [];
    return [{ label: "Compare with the last commit", icon: "git-compare", run: () => compare(path) }];
  });
  return store;
}

/** Mark changed lines in the editors. */
export function gitMarks(workbench: Workbench, store: GitStore): void {
  // It brings the editor's code with it: only pages with an editor need it.
  const gutter = (): Promise<typeof import("./gutter")> => import("./gutter");
  workbench.extendEditors(async (path) => (await gutter()).gitGutter(store, path));
  const at = async (act: (module: typeof import("./gutter"), view: EditorView) => void): Promise<void> => {
    const path = workbench.activeFile();
    const view = path && (await workbench.open(path));
    if (view) act(await gutter(), view);
  };
  const when = (): boolean => workbench.activeFile() !== null;
  workbench.command(
    { id: "editor.action.dirtydiff.next", title: "Next change since the last commit", icon: "arrow-down", group: "Git", key: "Alt+F3", when, run: () => void at((module, view) => module.nextChange(view, 1)) },
    { id: "editor.action.dirtydiff.previous", title: "Previous change since the last commit", icon: "arrow-up", group: "Git", key: "Alt+Shift+F3", when, run: () => void at((module, view) => module.nextChange(view, -1)) },
    { id: "git.revertSelectedRanges", title: "Bring back what was here at the last commit", icon: "undo-2", group: "Git", words: "revert hunk", when, run: () => void at((module, view) => module.revertChange(view)) },
  );
}
