/** What can be done with snapshots, with the dialogs that say what it means. */
import { api, explainFully, homeApi } from "../lib/api";
import { openDialog } from "../lib/dialog";
import { h, icon } from "../lib/dom";
import { bytes } from "../lib/format";
import { toast } from "../lib/toast";
import type { Job, Snapshot } from "../lib/types";
import { withUnlock } from "../lib/unlock";
import { visible, visibleText } from "../lib/visible";
import type { Jobs } from "./jobs";
import type { Store } from "./store";
import { count, moment } from "./words";

export interface Actions {
  take: () => void;
  /** Bring back a file or folder, or all of the home. */
  restore: (snapshot: Snapshot, path?: string, folder?: boolean) => void;
  remove: (snapshot: Snapshot) => void;
}

export function actionsFor(store: Store, jobs: Jobs): Actions {
  const run = async (kind: Job["kind"], text: string, failed: string, call: () => Promise<Job | Snapshot | null>, snapshot: number | null): Promise<boolean> => {
    const answered = jobs.begin(kind, text);
    try {
      const answer = await withUnlock(async () => ({ result: await call() }));
      answered();
      if (!answer) return false;
      const { result } = answer;
      if (result && "state" in result) await jobs.follow(result);
      else jobs.ended({ kind, snapshot_id: result?.id ?? snapshot, text: result ? `${count(result.files, "file")}, ${bytes(result.added_bytes)} of it new` : "" });
      return true;
    } catch (error) {
      toast(failed, { kind: "error", text: explainFully(error) });
      return false;
    } finally {
      answered();
    }
  };

  const stopAll = async (): Promise<void> => {
    for (const workspace of running(store)) await api.act(workspace, "stop");
  };

  return {
    take() {
      const note = h("input", { class: "input", id: "snapshot-note", maxlength: 80, autocomplete: "off", "aria-describedby": "snapshot-note-hint" });
      openDialog({
        title: "Take a snapshot",
        verb: "Take it",
        body: [
          h("div", { class: "field" }, h("label", { for: "snapshot-note" }, "A note (optional)"), note, h("p", { class: "hint", id: "snapshot-note-hint" }, "So that you find it again, as in “before the upgrade”.")),
          h("p", { class: "muted small" }, "Workspaces go on running. Only what has changed takes space."),
        ],
        submit: () => {
          void run("snapshot", note.value.trim(), "The snapshot could not be taken", () => homeApi.take(note.value.trim()), null).then((done) => {
            const newest = store.snapshots.at(-1);
            if (done && newest) store.select(newest.id);
          });
        },
      });
      note.focus();
    },

    restore(snapshot, path, folder = false) {
      const when = moment(snapshot.taken_at);
      if (path !== undefined) {
        openDialog({
          title: folder ? "Restore this folder?" : "Restore this file?",
          verb: "Restore",
          body: [
            h("p", {}, h("code", { class: "path" }, ...visible(path)), h("br"), `becomes what it was ${lower(when)}.`),
            safety(folder ? "Files in it that the snapshot does not have stay. Your home as it is now is kept in a snapshot first, so that this can be undone." : "The file as it is now is kept in a snapshot first, so that this can be undone."),
          ],
          submit: () => { void run("restore", visibleText(path), "The restore did not work", () => homeApi.restore(snapshot.id, path), snapshot.id); },
        });
        return;
      }
      const on = running(store);
      openDialog({
        title: "Restore everything?",
        verb: on.length ? "Stop and restore" : "Restore everything",
        danger: true,
        body: [
          h("p", {}, "All of your home becomes what it was ", h("strong", {}, lower(when)), ". Files that were made since then go."),
          safety("Your home as it is now is kept in a snapshot first. Restore that one to undo this."),
          ...(on.length ? [h("div", { class: "notice warn" }, icon("square"), h("div", { class: "grow" }, h("strong", {}, on.length === 1 ? `Your workspace ${on[0]} is stopped first` : `Your workspaces ${on.join(", ")} are stopped first`), "What runs in them ends. Nothing may write while the files are replaced."))] : []),
        ],
        submit: async () => {
          await stopAll();
          void run("restore", "everything", "The restore did not work", () => homeApi.restore(snapshot.id), snapshot.id);
        },
      });
    },

    remove(snapshot) {
      const { element } = openDialog({
        title: "Delete this snapshot?",
        verb: "Delete",
        danger: true,
        body: [
          h("p", {}, "What your home was ", h("strong", {}, lower(moment(snapshot.taken_at))), ...(snapshot.note ? [" (", ...visible(snapshot.note), ")"] : []), " can then no longer be brought back. Your files and the other snapshots stay as they are."),
        ],
        submit: () => { void run("delete", lower(moment(snapshot.taken_at)), "The snapshot could not be deleted", () => homeApi.remove(snapshot.id), snapshot.id); },
      });
      // Enter must not delete what a slip of the hand chose.
      element.querySelector<HTMLElement>("footer button")?.focus();
    },
  };
}

function safety(text: string): HTMLElement {
  return h("div", { class: "notice ok" }, icon("history"), h("div", { class: "grow" }, text));
}

function lower(when: string): string {
  return when.replace(/^(Today|Yesterday)/, (word) => word.toLowerCase());
}

function running(store: Store): string[] {
  return (store.workspaces ?? []).filter(({ state }) => state === "running" || state === "starting").map(({ name }) => name);
}
