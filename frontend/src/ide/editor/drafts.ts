/** What is typed and not saved, kept in this browser over a reload or a crash. */
import { owner } from "../memory";
import type { Encoding, LineEnd } from "./text";

export interface Draft {
  text: string;
  /** The version of the file that it began as; null: there was none. */
  etag: string | null;
  encoding: Encoding;
  lineEnd: LineEnd;
}

const STORE = "drafts";
const LATE = "rootblood.ide.late";
/** More than this does not fit beside the rest into what a page may write while it goes. */
const LATE_MOST = 1 << 20;

export class Drafts {
  private readonly known = new Set<string>();
  private readonly pending = new Map<string, () => Draft | null>();
  private readonly timers = new Map<string, number>();
  private readonly prefix: string;
  private database: Promise<IDBDatabase | null>;

  constructor(workspace: string) {
    // Somebody else may sign in with the same browser.
    this.prefix = `${owner()}/${workspace}:`;
    this.database = open();
    addEventListener("pagehide", () => this.leave());
    document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") void this.flush(); });
  }

  /** Find out which files have a draft. */
  async load(): Promise<string[]> {
    await this.takeLate();
    const keys = await this.ask<IDBValidKey[]>("readonly", (store) => store.getAllKeys());
    for (const key of keys ?? []) if (String(key).startsWith(this.prefix)) this.known.add(String(key).slice(this.prefix.length));
    return [...this.known];
  }

  has(path: string): boolean {
    return this.known.has(path);
  }

  async get(path: string): Promise<Draft | null> {
    return (await this.ask<Draft | undefined>("readonly", (store) => store.get(this.prefix + path))) ?? null;
  }

  /** Keep a file's text soon; `draft` is asked then, and null means that nothing is unsaved. */
  later(path: string, size: number, draft: () => Draft | null): void {
    this.pending.set(path, draft);
    clearTimeout(this.timers.get(path));
    this.timers.set(path, window.setTimeout(() => void this.write(path), size > LATE_MOST ? 1500 : 250));
  }

  async drop(path: string): Promise<void> {
    clearTimeout(this.timers.get(path));
    this.pending.delete(path);
    if (this.known.delete(path)) await this.ask("readwrite", (store) => store.delete(this.prefix + path));
  }

  /** A file has another name. */
  async rename(from: string, to: string): Promise<void> {
    const draft = await this.get(from);
    if (!draft) return;
    this.known.add(to);
    await this.ask("readwrite", (store) => store.put(draft, this.prefix + to));
    await this.drop(from);
  }

  private async flush(): Promise<void> {
    await Promise.all([...this.pending.keys()].map((path) => this.write(path)));
  }

  private async write(path: string): Promise<void> {
    const draft = this.pending.get(path)?.();
    this.pending.delete(path);
    clearTimeout(this.timers.get(path));
    if (draft === undefined) return;
    if (!draft) return this.drop(path);
    this.known.add(path);
    await this.ask("readwrite", (store) => store.put(draft, this.prefix + path));
  }

  /** The page goes: a database may not be done in time, this is. */
  private leave(): void {
    const late: [string, Draft | null][] = [...this.pending].map(([path, draft]) => [this.prefix + path, draft()]);
    const text = JSON.stringify(late.filter(([, draft]) => (draft?.text.length ?? 0) < LATE_MOST));
    if (late.length) try { localStorage.setItem(LATE, text); } catch { /* The database may still make it. */ }
    void this.flush();
  }

  private async takeLate(): Promise<void> {
    const text = localStorage.getItem(LATE);
    if (!text) return;
    localStorage.removeItem(LATE);
    for (const [key, draft] of JSON.parse(text) as [string, Draft | null][])
      await this.ask("readwrite", (store) => (draft ? store.put(draft, key) : store.delete(key)));
  }

  /** Null where the browser has no database for us, as in some private windows: drafts end with the page. */
  private async ask<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest): Promise<T | null> {
    const database = await this.database;
    if (!database) return null;
    return new Promise((resolve) => {
      const asked = act(database.transaction(STORE, mode).objectStore(STORE));
      asked.addEventListener("success", () => resolve(asked.result as T));
      asked.addEventListener("error", () => resolve(null));
    });
  }
}

function open(): Promise<IDBDatabase | null> {
  return new Promise((resolve) => {
    let asked: IDBOpenDBRequest;
    try {
      asked = indexedDB.open("rootblood-ide", 1);
    } catch {
      return resolve(null);
    }
    asked.addEventListener("upgradeneeded", () => asked.result.createObjectStore(STORE));
    asked.addEventListener("success", () => resolve(asked.result));
    asked.addEventListener("error", () => resolve(null));
  });
}
