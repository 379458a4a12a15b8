/** Switching to another branch, or to a new one. */
import { closeOnBackdrop } from "../../lib/dialog";
import { explain, explainFully } from "../../lib/api";
import { h, icon } from "../../lib/dom";
import { ago } from "../../lib/format";
import { toast } from "../../lib/toast";
import { visible, visibleText } from "../../lib/visible";
import type { Branch } from "./api";
import type { GitStore } from "./store";
import type { Workbench } from "../workbench";

/** What git-check-ref-format(1) refuses, roughly: git itself has the last word. */
const REFUSED = /[\p{Cc}\s~^:?*[\\]|\.\.|@\{|^[-/.]|[/.]$|\/\/|\.lock$/u;
const ROWS_MOST = 100;

/** Let a branch be chosen from a list, by typing. */
export function chooseBranch(workbench: Workbench, store: GitStore): void {
  const { current } = store;
  if (!current) return;
  const { root } = current;
  let branches: Branch[] | null = null;
  let at = 0;
  let runs: (() => void)[] = [];
  const input = h("input", { type: "text", placeholder: "A branch, or the name of a new one", role: "combobox", "aria-expanded": "true", "aria-controls": "branch-list", autocomplete: "off", autocapitalize: "none", spellcheck: "false", "aria-label": "Branch" });
  const list = h("ul", { id: "branch-list", role: "listbox", "aria-label": "Branches" });
  const note = h("p", { class: "none", role: "status" }, "Looking …");
  const dialog = h("dialog", { class: "palette", "aria-label": "Switch to a branch" }, h("div", { class: "query" }, icon("git-branch"), input, h("kbd", {}, "Esc")), list, note);
  const choose = (index: number): void => {
    at = Math.max(0, Math.min(runs.length - 1, index));
    [...list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === at)));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", list.children[at]?.id ?? "");
  };
  const row = (name: string, label: string, where: string, act: () => void): HTMLElement => {
    const index = runs.push(() => { dialog.close(); act(); }) - 1;
    return h("li", { role: "option", id: `branch-${index}`, onclick: () => runs[index]?.() }, icon(name), h("span", { class: "label" }, ...visible(label)), h("span", { class: "where" }, where));
  };
  const render = (): void => {
    if (!branches) return;
    const query = input.value.trim();
    runs = [];
    const found = branches.filter((branch) => branch.name.toLowerCase().includes(query.toLowerCase())).slice(0, ROWS_MOST);
    const rows = found.map((branch) => row(branch.current ? "check" : branch.remote ? "cloud" : "git-branch", branch.name, branch.current ? "you are here" : branch.at ? ago(branch.at) : "", () => void switchTo(workbench, store, root, branch.name, false)));
    const fresh = query && !REFUSED.test(query) && !branches.some((branch) => branch.name === query);
    if (fresh) rows.push(row("plus", `Make the branch ${query}`, `from ${current.branch ?? "here"}`, () => void switchTo(workbench, store, root, query, true)));
    list.replaceChildren(...rows);
    note.textContent = rows.length ? "" : query && REFUSED.test(query) ? "That cannot be the name of a branch." : "There is no branch yet: commit something, or type a name.";
    note.hidden = rows.length > 0;
    choose(0);
  };
  input.addEventListener("input", render);
  input.addEventListener("keydown", (event) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8 }[event.key];
    if (to !== undefined) choose(to);
    else if (event.key === "Enter" && !event.isComposing) runs[at]?.();
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("close", () => dialog.remove());
  closeOnBackdrop(dialog);
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
  store.git.branches(root).then((all) => { branches = all; render(); }, (error: unknown) => { note.textContent = explain(error); });
}

async function switchTo(workbench: Workbench, store: GitStore, root: string, branch: string, create: boolean): Promise<void> {
  if (branch === store.current?.branch) return;
  if (!(await workbench.saveAll())) return void toast("The branch is the same", { kind: "error", text: "A file with unsaved changes could not be saved first." });
  try {
    await store.git.switch(root, branch, create);
    toast(create ? `You are on the new branch ${visibleText(branch)}` : `You are on ${visibleText(branch)}`, { kind: "ok", seconds: 3 });
  } catch (error) {
    toast("The branch is the same", { kind: "error", text: explainFully(error) });
  }
  await store.refresh();
  workbench.refresh(root);
}
