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
    addEventListener("pageshow", (event) => { if (event.persisted) void this.takeLate(); });
    document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") void this.flush(); });
  }

  /** Find out which files have a draft. */
  async load(): Promise<string[]> {
    await this.takeLate();
    const keys = await this.ask<IDBValidKey[]>("readonly", (store) => store.getAllKeys());
    for (const key of keys?.result ?? []) if (String(key).startsWith(this.prefix)) this.known.add(String(key).slice(this.prefix.length));
    return [...this.known];
  }

  has(path: string): boolean {
    return this.known.has(path);
  }

  async get(path: string): Promise<Draft | null> {
    const found = await this.ask<Draft | undefined>("readonly", (store) => store.get(this.prefix + path));
    return found?.result ?? null;
  }

  /** Keep a file's text soon; `draft` is asked then, and null means that nothing is unsaved. */
  later(path: string, size: number, draft: () => Draft | null): void {
    this.pending.set(path, draft);
    clearTimeout(this.timers.get(path));
    this.timers.set(path, window.setTimeout(() => void this.write(path), size > LATE_MOST ? 1500 : 250));
  }

  async drop(path: string): Promise<void> {
    if (!this.known.has(path) && !this.pending.has(path)) return;
    this.pending.set(path, () => null);
    await this.write(path);
  }

  /** A file has another name. */
  async rename(from: string, to: string): Promise<void> {
    const asked = this.pending.get(from);
    const draft = asked ? asked() : await this.get(from);
    // What was typed meanwhile is newer.
    if (draft && !this.pending.has(to)) {
      this.pending.set(to, () => draft);
      await this.write(to);
    }
    await this.drop(from);
  }

  private async flush(): Promise<void> {
    await Promise.all([...this.pending.keys()].map((path) => this.write(path)));
  }

  /** Write what is pending of a path, which it is until the database has it for good. */
  private async write(path: string): Promise<void> {
    clearTimeout(this.timers.get(path));
    const asked = this.pending.get(path);
    if (!asked) return;
    const draft = asked();
    if (draft) this.known.add(path);
    else this.known.delete(path);
    const kept = await this.keep(this.prefix + path, draft);
    if (kept && this.pending.get(path) === asked) this.pending.delete(path);
  }

  /** The page goes: a database may not be done in time, this is. */
  private leave(): void {
    const late = new Map(lateOnes(localStorage.getItem(LATE)));
    for (const [path, draft] of this.pending) late.set(this.prefix + path, draft());
    const text = JSON.stringify([...late].filter(([, draft]) => (draft?.text.length ?? 0) < LATE_MOST));
    if (late.size) try { localStorage.setItem(LATE, text); } catch { /* The database may still make it. */ }
    void this.flush();
  }

  private async takeLate(): Promise<void> {
    const text = localStorage.getItem(LATE);
    if (!text) return;
    const kept = await Promise.all(lateOnes(text).map(([key, draft]) => this.keep(key, draft)));
    const done = kept.every(Boolean) || !(await this.database);
    // Another page of this browser may have gone meanwhile.
    if (done && localStorage.getItem(LATE) === text) localStorage.removeItem(LATE);
  }

  /** Keep a draft, or its absence; return whether the database has it for good. */
  private keep(key: string, draft: Draft | null): Promise<boolean> {
    return this.ask("readwrite", (store) => (draft ? store.put(draft, key) : store.delete(key))).then((done) => done !== null);
  }

  /** Ask the database; null where there is none, as in some private windows, or where it could not. */
  private async ask<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest): Promise<{ result: T } | null> {
    const database = await this.database;
    if (!database) return null;
    return new Promise((resolve) => {
      const transaction = database.transaction(STORE, mode);
      const asked = act(transaction.objectStore(STORE));
      transaction.addEventListener("complete", () => resolve({ result: asked.result as T }));
      transaction.addEventListener("abort", () => resolve(null));
    });
  }
}

/** What pages that went were not sure to have in the database, by its key there. */
function lateOnes(text: string | null): [string, Draft | null][] {
  return JSON.parse(text ?? "[]") as [string, Draft | null][];
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
