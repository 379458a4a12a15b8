/** Comparing versions of a file. */
import { explain, Problem } from "../../lib/api";
import { toast } from "../../lib/toast";
import { visibleText } from "../../lib/visible";
import type { Commit, FileStatus, Git } from "./api";
import type { Section } from "./list";
import { nameOf } from "../paths";
import type { Workbench } from "../workbench";

/** Longer is not compared line by line. */
const CHARACTERS_MOST = 2_000_000;

class NoText extends Error {}

/** Compare what a section says of a file with what was before. */
export async function openChange(workbench: Workbench, git: Git, root: string, file: FileStatus, section: Section, background: boolean): Promise<void> {
  const { path } = file;
  const name = nameOf(path);
  if (file.work === "?" || section === "conflicts") return void (await workbench.open(path, { preview: background, background }));
  const text = async (at: string, of = path): Promise<string> => textOrFail(await git.textAt(root, of, at));
  await trying(async () => {
    if (section === "staged") {
      const before = file.index === "A" ? "" : await text("HEAD", file.from ?? path);
      const after = file.index === "D" ? "" : await text("INDEX");
      await workbench.openDiff(`${name} (staged)`, { label: "Last commit", path, text: before }, { label: "Staged", text: after });
    } else {
      const before = await text("INDEX");
      await workbench.openDiff(`${name} (changes)`, { label: "Staged or committed", path, text: before }, file.work === "D" ? { label: "Deleted", text: "" } : { label: "In the folder", path });
    }
  });
}

/** Compare a file with the last commit. */
export async function compareWithHead(workbench: Workbench, git: Git, root: string, path: string): Promise<void> {
  await trying(async () => {
    const before = textOrFail(await git.textAt(root, path, "HEAD"));
    await workbench.openDiff(`${nameOf(path)} (since the last commit)`, { label: "Last commit", path, text: before }, { label: "In the folder", path });
  });
}

/** Compare a file as a commit left it with what it was before. */
export async function compareCommit(workbench: Workbench, git: Git, root: string, commit: Commit, path: string): Promise<void> {
  const text = async (at: string): Promise<string> => {
    try {
      return textOrFail(await git.textAt(root, path, at));
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return "";
      throw error;
    }
  };
  await trying(async () => {
    const before = commit.parents[0] ? await text(commit.parents[0]) : "";
    const id = commit.id.slice(0, 8);
    await workbench.openDiff(`${nameOf(path)} (${id})`, { label: `Before ${id}`, path, text: before }, { label: visibleText(commit.subject), text: await text(commit.id) });
  });
}

function textOrFail(text: string | null): string {
  if (text === null) throw new NoText("It is no text, so its changes cannot be shown as lines.");
  if (text.length > CHARACTERS_MOST) throw new NoText("It is too large to compare here.");
  return text;
}

async function trying(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    toast("It cannot be compared", { kind: error instanceof NoText ? "info" : "error", text: explain(error) });
  }
}
