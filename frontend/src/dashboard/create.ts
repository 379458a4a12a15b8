/** The dialog for a new workspace: name, template, limits. */
import { api, type Problem } from "../lib/api";
import { openDialog } from "../lib/dialog";
import { h } from "../lib/dom";
import { limits as showLimits } from "../lib/format";
import { workspaceNameProblem } from "../lib/names";
import type { Template, User, Workspace } from "../lib/types";
import { limitFields } from "./limits";

/** A text field that says at once what is wrong with its name. */
export function nameField(label: string, value: string, taken: ReadonlySet<string>): { element: HTMLElement; input: HTMLInputElement; check: () => boolean; fail: (text: string) => void } {
  const input = h("input", { class: "input", id: "workspace-name", value, maxlength: 24, autocomplete: "off", autocapitalize: "none", spellcheck: "false", "aria-describedby": "workspace-name-note" });
  const note = h("p", { class: "hint", id: "workspace-name-note", "aria-live": "polite" });
  const fail = (text: string): void => {
    note.textContent = text || "Small letters, digits and single hyphens inside; up to 24 characters.";
    note.className = text ? "error" : "hint";
    input.setAttribute("aria-invalid", String(Boolean(text)));
  };
  const check = (): boolean => {
    const problem = workspaceNameProblem(input.value) || (taken.has(input.value) ? "You have a workspace of this name." : "");
    fail(problem);
    return !problem;
  };
  fail("");
  input.addEventListener("input", () => { if (input.value) check(); else fail(""); });
  return { element: h("div", { class: "field" }, h("label", { for: "workspace-name" }, label), input, note), input, check, fail };
}

function freeName(template: Template | undefined, taken: ReadonlySet<string>): string {
  const base = taken.has("main") ? template?.name ?? "work" : "main";
  for (let i = 1; ; i += 1) {
    const name = i === 1 ? base : `${base.slice(0, 20)}-${i}`;
    if (!taken.has(name)) return name;
  }
}

/** Open the dialog; `created` gets the new workspace, which is then started by the caller. */
export function newWorkspaceDialog(options: { templates: Template[]; user: User; workspaces: Workspace[]; template?: string | undefined; created: (workspace: Workspace) => void }): void {
  const usable = options.templates.filter((template) => template.enabled);
  const first = usable.find((template) => template.name === options.template && template.image_present) ?? usable.find((template) => template.image_present);
  const taken = new Set(options.workspaces.map((workspace) => workspace.name));
  const name = nameField("Name", freeName(first, taken), taken);
  let chosen = first;
  const fields = limitFields(options.user.allowance, first ?? { cpus: 1, memory_bytes: 2 ** 30, pids: 512 });
  const choices = usable.map((template) => {
    const input = h("input", { type: "radio", name: "template", value: template.name, checked: template === first, disabled: !template.image_present });
    input.addEventListener("change", () => { chosen = template; fields.set(template); });
    return h("label", { class: "choice" }, input, h("strong", {}, template.title || template.name), h("span", { class: "muted" }, template.image_present ? template.description : "Its image is not on this server yet."), h("span", { class: "muted" }, showLimits(template)));
  });
  const full = options.workspaces.length >= options.user.allowance.workspaces;
  const { ok } = openDialog({
    title: "New workspace",
    verb: "Create and start",
    body: [
      ...(full ? [h("div", { class: "notice warn" }, `You have ${options.workspaces.length} of ${options.user.allowance.workspaces} workspaces. Delete one first; its home is kept.`)] : []),
      name.element,
      h("div", { class: "field", role: "radiogroup", "aria-label": "Template" }, h("span", { class: "label" }, "Template"), choices.length ? h("div", { class: "choices" }, ...choices) : h("p", { class: "muted" }, "There are no templates yet. Ask an administrator to add one.")),
      fields.element,
    ],
    submit: async () => {
      if (!name.check()) {
        name.input.focus();
        throw new Error("Choose another name.");
      }
      options.created(await api.create(name.input.value, chosen?.name, fields.value()));
    },
    place: (problem: Problem) => {
      if (problem.field !== "name") return false;
      name.fail(problem.detail || problem.title);
      name.input.focus();
      return true;
    },
  });
  ok.disabled = full || !first;
  name.input.focus();
  name.input.select();
}
