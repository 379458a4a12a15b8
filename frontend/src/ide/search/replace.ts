/** Replacing what a search has found: asked about, done by the server, told. */
import { explainFully } from "../../lib/api";
import { confirmThat } from "../../lib/dialog";
import { toast } from "../../lib/toast";
import { visibleText } from "../../lib/visible";
import { relativeTo } from "../paths";
import { inWords, replace, type Counts, type Query } from "./api";
import type { Workbench } from "../workbench";

const NAMED_MOST = 5;

/** Replace in these files, or in all that match; false when nothing was done. */
export async function replaceIn(workbench: Workbench, base: string, query: Query, into: string, files: string[] | null, known: Counts): Promise<boolean> {
  const what = files ? inWords(known) : "every match, also those that are not listed";
  const by = into ? `by “${visibleText(into)}”` : "by nothing";
  if (!(await confirmThat(`Replace ${what} ${by}? It cannot be taken back here; git or a snapshot of your home may still have the old text.`, "Replace", true))) return false;
  const touched = workbench.openFiles().some(({ path, dirty }) => dirty && (files?.includes(path) ?? true));
  if (touched && !(await workbench.saveAll())) {
    toast("Nothing was replaced", { kind: "error", text: "A file with unsaved changes could not be saved first." });
    return false;
  }
  try {
    const done = await replace(base, query, into, files);
    const { skipped } = done;
    const names = skipped.slice(0, NAMED_MOST).map(({ path, why }) => `${visibleText(relativeTo(path, workbench.root))}: ${why}`);
    if (skipped.length > NAMED_MOST) names.push(`and ${skipped.length - NAMED_MOST} more`);
    toast(`Replaced ${inWords({ matches: done.matches, files: done.files.length })}`, skipped.length ? { kind: "warn", seconds: 0, text: `Left as they were: ${names.join("; ")}` } : { kind: "ok" });
  } catch (error) {
    toast("It was not replaced", { kind: "error", text: explainFully(error) });
  }
  workbench.refresh();
  return true;
}
