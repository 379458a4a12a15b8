/** Search and replace in the workspace's files, as the API does them. All of it raises Problem. */
import { Problem, request, send } from "../../lib/api";

export interface Query {
  text: string;
  /** A folder or a file. */
  path: string;
  regex: boolean;
  case: boolean;
  word: boolean;
  globs: string[];
}

export interface Match {
  path: string;
  /** Lines and columns count from 1, columns and lengths in UTF-16. */
  line: number;
  column: number;
  length: number;
  /** The line, cut to what is around the match. */
  text: string;
  /** Where in it the match begins. */
  at: number;
}

export interface Counts {
  matches: number;
  files: number;
}

/** "12 matches in 3 files". */
export function inWords({ matches, files }: Counts): string {
  return `${matches.toLocaleString()} ${matches === 1 ? "match" : "matches"} in ${files.toLocaleString()} ${files === 1 ? "file" : "files"}`;
}

export interface Found extends Counts {
  truncated: boolean;
  took_ms: number;
}

export interface Replaced {
  files: { path: string; count: number }[];
  skipped: { path: string; why: string }[];
  matches: number;
}

export const MATCHES_MOST = 2000;
const DRAWN_MOST = 200;
const FRAME_MS = 16;

/** "src, *.py" -> patterns for ripgrep: a name alone is a file, and a folder with all that is in it. */
export function patterns(included: string, excluded: string): string[] {
  const list = (text: string, sign: string): string[] =>
    text.split(",").map((part) => part.trim().replace(/^\.\//, "").replace(/\/$/, "")).filter(Boolean)
      .flatMap((part) => (part.endsWith("*") ? [sign + part] : [sign + part, `${sign}${part}/**`]));
  return [...list(included, ""), ...list(excluded, "!")];
}

/** Search; `found` gets matches while they come. */
export async function search(base: string, query: Query, signal: AbortSignal, found: (matches: Match[]) => void, counted: (counts: Counts) => void): Promise<Found> {
  const fields = new URLSearchParams({ q: query.text, path: query.path, most: String(MATCHES_MOST) });
  for (const name of ["regex", "case", "word"] as const) if (query[name]) fields.set(name, "1");
  for (const glob of query.globs) fields.append("glob", glob);
  const response = await send("GET", `${base}/search?${fields}`, { signal });
  for await (const lines of linesOf(response)) {
    const matches: Match[] = [];
    for (const said of lines.map((line) => JSON.parse(line) as Partial<Match & Found> & { error?: string; done?: boolean })) {
      if (said.error) throw new Problem("It cannot be searched for that", 422, said.error);
      if (said.done) {
        await give(matches, found);
        return said as Found;
      }
      if (said.path !== undefined) matches.push(said as Match);
      else if (said.matches !== undefined) counted(said as Counts);
    }
    await give(matches, found);
  }
  throw new Problem("The search ended early", 0, "", "", "Search again.");
}

/** Hand matches on, a few for each frame: to draw very many at once would hold the page up. */
async function give(matches: Match[], found: (matches: Match[]) => void): Promise<void> {
  for (let at = 0; at < matches.length; at += DRAWN_MOST) {
    if (at) await new Promise((resolve) => setTimeout(resolve, FRAME_MS));
    found(matches.slice(at, at + DRAWN_MOST));
  }
}

/** Replace every match, in these files alone where they are named. */
export function replace(base: string, query: Query, into: string, files: string[] | null): Promise<Replaced> {
  const { text, globs, ...rest } = query;
  return request("POST", `${base}/replace`, { q: text, with: into, glob: globs, files, dry: false, ...rest });
}

async function* linesOf(response: Response): AsyncGenerator<string[]> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (held + decoder.decode(value, { stream: true })).split("\n");
      held = lines.pop()!;
      yield lines.filter(Boolean);
    }
  } finally {
    // Whoever leaves early has no use for the rest: the server ends the search.
    void reader.cancel().catch(() => undefined);
  }
}
