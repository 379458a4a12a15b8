/** What is known of the repositories that the page has to do with. */
import { explain, Problem } from "../../lib/api";
import { Files } from "../files";
import { Git, type FileStatus, type Status } from "./api";
import { repositoriesIn } from "./discover";
import { decorations } from "./words";
import { nameOf, parentOf, within } from "../paths";
import type { Decoration, Workbench } from "../workbench";

const PAUSE_MS = 250;
/** More than these are not kept fresh. */
const ROOTS_MOST = 6;

export class GitStore {
  readonly git: Git;
  /** Repositories by their root, latest last. */
  readonly repositories = new Map<string, Status>();
  /** The repository in front; null without one. */
  current: Status | null = null;
  /** Whether the first answer is there. */
  ready = false;
  running = false;
  failure = "";
  private readonly marks = new Map<string, Map<string, Decoration>>();
  /** Folders in which there is no repository. */
  private readonly bare = new Set<string>();
  private readonly listeners = new Set<() => void>();
  private timer = 0;
  /** The folder that was looked through for repositories. */
  private searched = "";
  private turn: Promise<void> = Promise.resolve();

  constructor(private readonly workbench: Workbench) {
    this.git = new Git(workbench.workspace);
    workbench.onRunning((running) => {
      this.running = running;
      if (running) void this.refresh();
      else this.tell();
    });
    workbench.onGit(() => this.soon());
    workbench.onFiles((changes) => {
      // A folder that is new may be a clone.
      if (!changes || changes.some(({ kind, path }) => kind !== "changed" && (parentOf(path) === workbench.root || nameOf(path) === ".git"))) this.searched = "";
      this.soon();
    });
    workbench.onSaved(() => this.soon());
    workbench.onActive((path) => { if (path) void this.follow(path); });
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The repository that a path lies in, as far as is known. */
  repositoryOf(path: string): Status | null {
    let best: Status | null = null;
    for (const status of this.repositories.values()) if (within(path, status.root) && status.root.length > (best?.root.length ?? 0)) best = status;
    return best;
  }

  /** Look for the repository of a path; null where it lies in none. Raises: Problem. */
  async find(path: string): Promise<Status | null> {
    const known = this.repositoryOf(path);
    if (known) return known;
    const status = await this.git.status(path);
    if (status) this.take(status);
    return status;
  }

  fileStatus(path: string): FileStatus | null {
    return this.repositoryOf(path)?.files.find((file) => file.path === path) ?? null;
  }

  /** Put a repository in front. */
  select(root: string): void {
    const status = this.repositories.get(root);
    if (!status || this.current === status) return;
    this.current = status;
    this.tell();
  }

  decoration(path: string): Decoration | null {
    const status = this.repositoryOf(path);
    return (status && this.marks.get(status.root)?.get(path)) ?? null;
  }

  /** Look for repositories again, too. */
  again(): void {
    this.searched = "";
    this.soon();
  }

  /** Ask for all of it again, a moment from now. */
  soon(): void {
    if (!this.running || this.timer) return;
    this.timer = window.setTimeout(() => { this.timer = 0; void this.refresh(); }, PAUSE_MS);
  }

  /** Ask for all of it again; one question at a time. */
  refresh(): Promise<void> {
    return (this.turn = this.turn.then(() => this.ask()));
  }

  private async ask(): Promise<void> {
    if (!this.running) return;
    this.bare.clear();
    try {
      const roots = [...this.repositories.keys()];
      const front = this.current?.root ?? this.workbench.activeFile() ?? this.workbench.root;
      for (const path of new Set([front, ...roots])) {
        const status = await this.git.status(path);
        if (status) this.take(status);
        if (this.repositories.has(path) && status?.root !== path) this.repositories.delete(path);
      }
      if (this.searched !== this.workbench.root) await this.discover();
      if (this.current) this.current = this.repositories.get(this.current.root) ?? null;
      this.current ??= this.repositories.values().next().value ?? null;
      this.failure = "";
    } catch (error) {
      // A workspace that stops is told of by other means.
      this.failure = error instanceof Problem && error.slug === "workspace-stopped" ? "" : explain(error);
    }
    this.ready = true;
    this.tell();
  }

  private async discover(): Promise<void> {
    const { root } = this.workbench;
    this.searched = root;
    for (const path of (await repositoriesIn(new Files(this.workbench.workspace), root)).slice(0, ROOTS_MOST)) {
      const status = this.repositories.has(path) ? null : await this.git.status(path);
      if (status) this.take(status);
    }
  }

  /** The repository of the file in front comes to the front. */
  private async follow(path: string): Promise<void> {
    const folder = path.slice(0, path.lastIndexOf("/"));
    const known = this.repositoryOf(path);
    if (known) return this.select(known.root);
    if (!this.running || this.bare.has(folder)) return;
    try {
      const status = await this.find(path);
      if (!status) this.bare.add(folder);
      else if (this.workbench.activeFile() === path) this.select(status.root);
    } catch {
      // The file may be of this second; the next change asks again.
    }
  }

  private take(status: Status): void {
    this.repositories.delete(status.root);
    this.repositories.set(status.root, status);
    this.marks.set(status.root, decorations(status.root, status.files));
    for (const root of this.repositories.keys()) if (this.repositories.size > ROOTS_MOST && root !== this.current?.root) this.repositories.delete(root);
    if (this.current?.root === status.root) this.current = status;
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
