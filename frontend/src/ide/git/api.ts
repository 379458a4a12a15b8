/** The workspace's own git, as the API runs it. All of it raises Problem. */
import { request, send } from "../../lib/api";
import { encodePath, join } from "../paths";

/** Of `git status`: "U" is unmerged, "?" is not followed, " " is as it was. */
export type Code = "M" | "T" | "A" | "D" | "R" | "C" | "U" | "?" | " ";

export interface FileStatus {
  /** Absolute. */
  path: string;
  /** What is staged. */
  index: Code;
  /** What is not. */
  work: Code;
  /** Its path before it was moved. */
  from: string | null;
}

export interface Status {
  root: string;
  /** Null on no branch. */
  branch: string | null;
  upstream: string | null;
  ahead: number;
  behind: number;
  /** The commit; null before the first. */
  head: string | null;
  detached: boolean;
  /** "merging", "rebasing" and the like, or "". */
  state: string;
  files: FileStatus[];
  truncated: boolean;
}

export interface Branch {
  name: string;
  current: boolean;
  /** One that a remote repository had when it was last asked. */
  remote: boolean;
  at: string | null;
}

export interface Commit {
  id: string;
  parents: string[];
  author: string;
  at: string | null;
  /** Branches and tags that point at it. */
  refs: string[];
  subject: string;
  body: string;
}

export const COMMITS_AT_ONCE = 30;

export class Git {
  private readonly base: string;

  constructor(workspace: string) {
    this.base = `/api/v1/workspaces/${encodeURIComponent(workspace)}/git`;
  }

  /** The state of the repository that a path lies in; null where it lies in none. */
  async status(path: string): Promise<Status | null> {
    const status = await request<Omit<Status, "root"> & { root: string | null }>("GET", `${this.base}?path=${encodePath(path)}`);
    const { root } = status;
    if (root === null) return null;
    return { ...status, root, files: status.files.map((file) => ({ ...file, path: join(root, file.path), from: file.from ? join(root, file.from) : null })) };
  }

  /** The text of a file at "HEAD", in the "INDEX" or at a commit; null where it is no text. */
  async textAt(root: string, path: string, at: string, signal?: AbortSignal): Promise<string | null> {
    const response = await send("GET", `${this.base}/show?root=${encodePath(root)}&path=${encodePath(path)}&at=${encodeURIComponent(at)}`, signal ? { signal } : {});
    const text = await response.text();
    return text.includes("\0") ? null : text;
  }

  change(verb: "stage" | "unstage" | "discard", root: string, paths: string[]): Promise<unknown> {
    return request("POST", `${this.base}/${verb}`, { root, paths });
  }

  commit(root: string, message: string, amend: boolean): Promise<unknown> {
    return request("POST", `${this.base}/commit`, { root, message, amend });
  }

  async branches(root: string): Promise<Branch[]> {
    return (await request<{ branches: Branch[] }>("GET", `${this.base}/branches?root=${encodePath(root)}`)).branches;
  }

  switch(root: string, branch: string, create: boolean): Promise<unknown> {
    return request("POST", `${this.base}/switch`, { root, branch, create });
  }

  async log(root: string, skip: number, path = ""): Promise<Commit[]> {
    const of = path ? `&path=${encodePath(path)}` : "";
    return (await request<{ commits: Commit[] }>("GET", `${this.base}/log?root=${encodePath(root)}${of}&skip=${skip}&count=${COMMITS_AT_ONCE}`)).commits;
  }

  init(root: string): Promise<unknown> {
    return request("POST", `${this.base}/init`, { root });
  }
}
