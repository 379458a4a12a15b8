/** Files on their way into the workspace: some at a time, each with its own fate. */
import { explainFully, Problem } from "../../lib/api";
import { Files } from "../files";
import { join, nameOf, parentOf } from "../paths";
import { Conflicts } from "./conflict";
import type { Picked } from "./pick";
import { sendFile, type Sending } from "./send";
import { copyName } from "../tree/actions";

export type Fate = "waiting" | "sending" | "done" | "skipped" | "failed" | "cancelled";

export interface Upload {
  /** Where it goes. */
  path: string;
  file: File;
  fate: Fate;
  sent: number;
  /** Why it failed. */
  why: string;
  sending: Sending | null;
}

const AT_ONCE = 3;
/** No other file fares better then. */
const FINAL = ["allowance-reached", "no-space", "home-locked", "sign-in-required"];

export class Queue {
  readonly uploads: Upload[] = [];
  private readonly files: Files;
  private readonly conflicts = new Conflicts();
  /** What each folder holds; a folder that was not there is made. */
  private readonly folders = new Map<string, Promise<Set<string>>>();
  /** Folders that files were dropped on: they are there. */
  private readonly targets = new Set<string>();
  private active = 0;

  constructor(workspace: string, private readonly changed: () => void, private readonly ended: (folders: string[]) => void) {
    this.files = new Files(workspace);
  }

  get running(): boolean {
    return this.uploads.some(({ fate }) => fate === "waiting" || fate === "sending");
  }

  add(folder: string, { files, folders }: Picked): void {
    for (const { path, file } of files) this.uploads.push({ path: join(folder, path), file, fate: "waiting", sent: 0, why: "", sending: null });
    this.targets.add(folder);
    this.folders.delete(folder);
    for (const path of folders) void this.namesIn(join(folder, path)).catch(() => undefined);
    if (!files.length && folders.length) void Promise.allSettled(this.folders.values()).then(() => this.ended([folder]));
    this.next();
  }

  cancel(upload: Upload): void {
    if (upload.fate !== "waiting" && upload.fate !== "sending") return;
    upload.fate = "cancelled";
    upload.sending?.cancel();
    this.changed();
  }

  cancelAll(): void {
    for (const upload of this.uploads) this.cancel(upload);
  }

  retry(upload: Upload): void {
    if (upload.fate !== "failed" && upload.fate !== "cancelled") return;
    Object.assign(upload, { fate: "waiting", sent: 0, why: "" });
    this.next();
  }

  private next(): void {
    while (this.active < AT_ONCE) {
      const upload = this.uploads.find(({ fate }) => fate === "waiting");
      if (!upload) break;
      upload.fate = "sending";
      this.active += 1;
      void this.send(upload).finally(() => {
        this.active -= 1;
        this.next();
        if (!this.running) {
          const folders = [...new Set(this.uploads.filter(({ fate }) => fate === "done").map(({ path }) => parentOf(path)))];
          this.folders.clear();
          this.ended(folders);
        }
      });
    }
    this.changed();
  }

  private async send(upload: Upload): Promise<void> {
    try {
      const names = await this.namesIn(parentOf(upload.path));
      let replace = false;
      if (names.has(nameOf(upload.path))) {
        const fate = await this.settle(upload, names);
        if (fate === null) return;
        replace = fate;
      }
      names.add(nameOf(upload.path));
      await this.put(upload, replace, names);
    } catch (error) {
      this.fail(upload, error);
    }
    this.changed();
  }

  /** Ask about a name that is taken: whether it may be replaced, or null when it is left out. */
  private async settle(upload: Upload, names: Set<string>): Promise<boolean | null> {
    const answer = await this.conflicts.ask(upload.path, () => this.uploads.filter(({ fate }) => fate === "waiting" || fate === "sending").length - 1);
    if (upload.fate !== "sending") return null;
    if (answer === "skip") {
      upload.fate = "skipped";
      this.changed();
      return null;
    }
    if (answer === "both") upload.path = join(parentOf(upload.path), freeName(nameOf(upload.path), names));
    return answer === "replace";
  }

  private async put(upload: Upload, replace: boolean, names: Set<string>): Promise<void> {
    if (upload.fate !== "sending") return;
    upload.sending = sendFile(this.files.contentUrl(upload.path), upload.file, replace, (sent) => { upload.sent = Math.min(sent, upload.file.size); this.changed(); });
    try {
      await upload.sending.done;
    } catch (error) {
      // Somebody was quicker with a file of this name.
      if (!(error instanceof Problem) || error.status !== 412 || replace) throw error;
      const fate = await this.settle(upload, names);
      return fate === null ? undefined : this.put(upload, fate, names);
    }
    upload.fate = "done";
    upload.sent = upload.file.size;
  }

  private fail(upload: Upload, error: unknown): void {
    if (upload.fate === "cancelled" || error === null) return;
    upload.fate = "failed";
    upload.why = explainFully(error);
    if (!(error instanceof Problem) || !FINAL.includes(error.slug)) return;
    for (const other of this.uploads) if (other.fate === "waiting") Object.assign(other, { fate: "failed", why: upload.why });
  }

  /** The names in a folder, which is made unless it is there. Raises: Problem. */
  private namesIn(folder: string): Promise<Set<string>> {
    const there = this.folders.get(folder) ?? this.listOrMake(folder);
    this.folders.set(folder, there);
    return there;
  }

  private async listOrMake(folder: string): Promise<Set<string>> {
    if (!this.targets.has(folder)) {
      const beside = await this.namesIn(parentOf(folder));
      if (!beside.has(nameOf(folder))) {
        beside.add(nameOf(folder));
        await this.files.makeFolder(folder);
        return new Set();
      }
    }
    return new Set((await this.files.list(folder)).entries.map(({ name }) => name));
  }
}

function freeName(name: string, names: Set<string>): string {
  for (let n = 1; ; n += 1) if (!names.has(copyName(name, n))) return copyName(name, n);
}
