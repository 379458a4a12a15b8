/** What git says of a file, in letters and words. */
import type { Code, FileStatus } from "./api";
import { parentOf } from "../paths";
import type { Decoration } from "../workbench";

const WORDS: Record<Code, string> = { M: "Changed", T: "Of another kind", A: "Added", D: "Deleted", R: "Moved", C: "Copied", U: "In conflict", "?": "Not in git yet", " ": "" };
const KINDS: Record<Code, Decoration["kind"]> = { M: "changed", T: "changed", A: "added", D: "removed", R: "added", C: "added", U: "conflict", "?": "added", " ": "changed" };
const RANK: Decoration["kind"][] = ["ignored", "removed", "added", "changed", "conflict"];

export function inConflict(file: FileStatus): boolean {
  return file.index === "U" || file.work === "U" || (file.index === "A" && file.work === "A") || (file.index === "D" && file.work === "D");
}

/** The mark of one side of a status. */
export function mark(code: Code): Decoration {
  return { letter: code === "?" ? "U" : code === "U" ? "!" : code, kind: KINDS[code], title: WORDS[code] };
}

/** The marks of files, and of the folders that hold them up to the root of their repository. */
export function decorations(root: string, files: FileStatus[]): Map<string, Decoration> {
  const marks = new Map<string, Decoration>();
  for (const file of files) {
    const own = mark(inConflict(file) ? "U" : file.work === " " ? file.index : file.work);
    const { path } = file;
    marks.set(path, own);
    for (let folder = parentOf(path); folder.length >= root.length && folder !== "/"; folder = parentOf(folder)) {
      const there = marks.get(folder);
      if (there && RANK.indexOf(there.kind) >= RANK.indexOf(own.kind)) break;
      marks.set(folder, { letter: "•", kind: own.kind, title: "Holds changes" });
    }
  }
  return marks;
}

/** "main ↑1 ↓2". */
export function branchLabel(status: { branch: string | null; head: string | null; detached: boolean; ahead: number; behind: number }): string {
  const name = status.detached || status.branch === null ? (status.head ?? "").slice(0, 8) : status.branch;
  return [name, status.ahead && `↑${status.ahead}`, status.behind && `↓${status.behind}`].filter(Boolean).join(" ");
}
