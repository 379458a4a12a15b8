/** The names of all files below the root, for quick open: fetched once, matched here, renewed behind the scenes. */
import type { Files } from "./files";
import { fuzzy, type Match } from "./fuzzy";
import { join } from "./paths";

export interface FoundName {
  path: string;
  name: string;
  match: Match;
}

const FRESH_MS = 5_000;
const FOUND_MOST = 60;
/** Beyond this many candidates the longer ones are not looked at closely. */
const SCORED_MOST = 4000;

export class Names {
  private folder = "";
  private names: string[] = [];
  private lower: string[] = [];
  private truncated = false;
  private at = 0;
  private fetching: Promise<void> | null = null;
  private stale = true;

  constructor(private readonly files: Files) {}

  /** Files came or went: what is known is old. */
  expire(): void {
    this.stale = true;
  }

  /** Whether something is known of this folder. */
  knows(folder: string): boolean {
    return folder === this.folder && this.at > 0;
  }

  /** Fetch the names unless they are fresh. Raises: Problem. */
  prepare(folder: string): Promise<void> {
    if (this.knows(folder) && !this.stale && Date.now() - this.at < FRESH_MS) return Promise.resolve();
    this.fetching ??= this.fetch(folder).finally(() => { this.fetching = null; });
    return this.fetching;
  }

  /** The best matches; where there are more names than could be fetched, the server looks, too. Raises: Problem. */
  async matching(folder: string, query: string, signal: AbortSignal): Promise<FoundName[]> {
    if (!this.knows(folder)) await this.prepare(folder);
    const found = this.search(query);
    if (!this.truncated || found.length >= FOUND_MOST || signal.aborted) return found;
    const more = await this.files.names(folder, query.replaceAll(" ", ""), FOUND_MOST, signal);
    return best(more.names.map((name) => this.scored(name, query)).filter((one) => one !== null));
  }

  private async fetch(folder: string): Promise<void> {
    const { names, truncated } = await this.files.names(folder, "");
    this.folder = folder;
    this.names = names;
    this.lower = names.map((name) => name.toLowerCase());
    this.truncated = truncated;
    this.stale = false;
    this.at = Date.now();
  }

  private search(query: string): FoundName[] {
    const letters = query.toLowerCase().replaceAll(" ", "");
    let candidates: string[] = [];
    for (let i = 0; i < this.lower.length; i += 1) if (holds(this.lower[i]!, letters)) candidates.push(this.names[i]!);
    if (candidates.length > SCORED_MOST) candidates = candidates.sort((a, b) => a.length - b.length).slice(0, SCORED_MOST);
    return best(candidates.map((name) => this.scored(name, query)).filter((one) => one !== null));
  }

  private scored(name: string, query: string): FoundName | null {
    const match = fuzzy(query, name);
    return match && { path: name.startsWith("/") ? name : join(this.folder, name), name, match };
  }
}

function best(found: FoundName[]): FoundName[] {
  return found.sort((a, b) => b.match.score - a.match.score).slice(0, FOUND_MOST);
}

/** Whether a name has these letters in this order. */
function holds(name: string, letters: string): boolean {
  let at = -1;
  for (let i = 0; i < letters.length; i += 1) {
    at = name.indexOf(letters[i]!, at + 1);
    if (at < 0) return false;
  }
  return true;
}
