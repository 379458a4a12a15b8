/** What can be done to a workspace, with the dialogs that ask for details. */
import { api, explain, explainFully, Problem } from "../lib/api";
import { openDialog } from "../lib/dialog";
import { announce, h } from "../lib/dom";
import { toast } from "../lib/toast";
import type { User, Workspace } from "../lib/types";
import { withUnlock } from "../lib/unlock";
import { nameField } from "./create";
import { limitFields } from "./limits";
import type { Store } from "./store";

export interface Actions {
  start: (workspace: Workspace) => Promise<void>;
  stop: (workspace: Workspace) => Promise<void>;
  restart: (workspace: Workspace) => Promise<void>;
  snooze: (workspace: Workspace) => Promise<void>;
  rename: (workspace: Workspace) => void;
  limits: (workspace: Workspace) => void;
  remove: (workspace: Workspace) => void;
}

/** Actions that write what they learn into the store. */
export function actionsFor(store: Store, user: () => User): Actions {
  const act = async (workspace: Workspace, verb: "start" | "stop" | "restart", meanwhile: Workspace["state"]): Promise<void> => {
    store.put({ ...workspace, state: meanwhile, started_at: new Date().toISOString(), usage: null, reason: "" });
    try {
      store.put((await withUnlock(() => api.act(workspace.name, verb))) ?? workspace);
    } catch (error) {
      if (error instanceof Problem && verb !== "stop" && error.status >= 400 && error.status !== 401)
        store.put({ ...workspace, state: "failed", reason: explain(error), log: error.log, usage: null });
      else store.put(workspace);
      toast(`${workspace.name} could not ${verb}`, { kind: "error", text: explainFully(error) });
    }
  };
  return {
    start: (workspace) => act(workspace, "start", "starting"),
    stop: (workspace) => act(workspace, "stop", "stopping"),
    restart: (workspace) => act(workspace, "restart", "starting"),
    async snooze(workspace) {
      try {
        store.put(await api.snooze(workspace.name, 60));
        announce(`${workspace.name} stays on for an hour`);
      } catch (error) {
        toast("Snooze failed", { kind: "error", text: explain(error) });
      }
    },
    rename(workspace) {
      const taken = new Set(store.list().map((other) => other.name));
      taken.delete(workspace.name);
      const field = nameField("New name", workspace.name, taken);
      openDialog({
        title: `Rename ${workspace.name}`,
        verb: "Rename",
        body: [field.element],
        submit: async () => {
          if (!field.check()) throw new Error("Choose another name.");
          if (field.input.value === workspace.name) return;
          const renamed = await api.change(workspace.name, { name: field.input.value });
          store.drop(workspace.name);
          store.put(renamed);
        },
        place: (problem) => {
          if (problem.field === "name") field.fail(problem.detail || problem.title);
          return problem.field === "name";
        },
      });
      field.input.select();
    },
    limits(workspace) {
      const fields = limitFields(user().allowance, workspace.limits);
      openDialog({
        title: `Limits of ${workspace.name}`,
        verb: "Save",
        body: [fields.element, h("p", { class: "muted small" }, workspace.state === "running" ? "They hold from its next start: restart it to have them at once." : "They hold from the next start.")],
        submit: async () => store.put(await api.change(workspace.name, { limits: fields.value() })),
      });
    },
    remove(workspace) {
      const input = h("input", { class: "input", id: "confirm-name", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
      const { ok } = openDialog({
        title: `Delete ${workspace.name}?`,
        verb: "Delete the workspace",
        danger: true,
        body: [
          h("p", {}, "Its container goes, with everything that runs in it. ", h("strong", {}, "Your home is kept"), ": the files in it are there in every other workspace."),
          h("div", { class: "field" }, h("label", { for: "confirm-name" }, "Type ", h("code", {}, workspace.name), " to agree"), input),
        ],
        submit: async () => {
          await api.remove(workspace.name);
          store.drop(workspace.name);
          announce(`${workspace.name} is deleted`);
        },
      });
      ok.disabled = true;
      input.addEventListener("input", () => { ok.disabled = input.value !== workspace.name; });
      input.focus();
    },
  };
}
