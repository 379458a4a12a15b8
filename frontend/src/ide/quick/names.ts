/** The names of all files below the root, for quick open: fetched once, matched by a worker, renewed behind the scenes. */
import { Problem } from "../../lib/api";
import type { Files } from "../files";
import { join } from "../paths";
import type { Match } from "./fuzzy";
import { best, FOUND_MOST, type Scored } from "./name-index";
import type { Answer, Question } from "./names-worker";

export interface FoundName {
  path: string;
  name: string;
  match: Match;
}

/** As many as the server gives away at once. */
const NAMES_MOST = 200_000;
const LATER_MS = 3_000;

export class Names {
  private folder = "";
  private truncated = false;
  private known = false;
  private fetching: Promise<void> | null = null;
  private worker: Worker | null = null;
  private readonly waiting: PromiseWithResolvers<Answer>[] = [];

  constructor(private readonly files: Files) {}

  /** Whether something is known of this folder. */
  knows(folder: string): boolean {
    return this.known && folder === this.folder;
  }

  /** Fetch the names as they are from now on. Raises: Problem. */
  async prepare(folder: string): Promise<void> {
    await this.fetching?.catch(() => undefined);  // it may have begun before the last file came
    this.fetching ??= this.fetch(folder).finally(() => { this.fetching = null; });
    await this.fetching;
  }

  /** Fetch them once the page has nothing else to do, so that the first letter finds them here. */
  prepareLater(folder: string): void {
    const prepare = (): void => void this.prepare(folder).catch(() => undefined);
    if ("requestIdleCallback" in window) requestIdleCallback(prepare, { timeout: LATER_MS });
    else setTimeout(prepare, LATER_MS);
  }

  /** The best matches; where there are more names than could be fetched, the server looks, too. Raises: Problem. */
  async matching(folder: string, query: string, signal: AbortSignal): Promise<FoundName[]> {
    if (!this.knows(folder)) await this.prepare(folder);
    const { found } = await this.ask<{ found: Scored[] }>({ query });
    if (!this.truncated || found.length >= FOUND_MOST || signal.aborted) return this.placed(found);
    const more = await this.files.names(folder, query.replaceAll(" ", ""), FOUND_MOST, signal);
    return this.placed(best(((await more.json()) as { names: string[] }).names, query));
  }

  private async fetch(folder: string): Promise<void> {
    const names = await (await this.files.names(folder, "", NAMES_MOST)).arrayBuffer();
    const { truncated } = await this.ask<{ truncated: boolean }>({ names }, [names]);
    this.folder = folder;
    this.truncated = truncated;
    this.known = true;
  }

  private placed(found: Scored[]): FoundName[] {
    return found.map(({ name, match }) => ({ path: name.startsWith("/") ? name : join(this.folder, name), name, match }));
  }

  private ask<A extends Answer>(question: Question, transfer: Transferable[] = []): Promise<A> {
    this.worker ??= this.hire();
    const answer = Promise.withResolvers<Answer>();
    this.waiting.push(answer);
    this.worker.postMessage(question, transfer);
    return answer.promise as Promise<A>;
  }

  private hire(): Worker {
    const worker = new Worker(new URL("names-worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.waiting.shift()?.resolve(data));
    worker.addEventListener("error", () => {
      // What it knew is gone: the next one begins anew.
      this.worker = null;
      this.known = false;
      for (const answer of this.waiting.splice(0)) answer.reject(new Problem("The names of files cannot be looked through", 0, "", "", "Load the page anew."));
    });
    return worker;
  }
}
