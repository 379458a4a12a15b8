/** Calls of the JSON API; failures become a Problem (RFC 9457) whatever went wrong. */
import { meta } from "./dom";
import type { FileDiff, FileVersion, Home, Job, Limits, Session, Snapshot, SnapshotFiles, Workspace } from "./types";

export class Problem extends Error {
  constructor(
    readonly title: string,
    /** HTTP status, 0 when the server could not be reached. */
    readonly status: number,
    readonly detail = "",
    readonly slug = "",
    readonly hint = "",
    readonly field = "",
    readonly log = "",
  ) {
    super(detail || title);
  }
}

/** Fetch anything, as the signed-in person. Raises: Problem. */
export async function send(method: string, path: string, options: { body?: BodyInit; headers?: Record<string, string>; signal?: AbortSignal } = {}): Promise<Response> {
  const headers: Record<string, string> = { ...options.headers };
  if (method !== "GET" && method !== "HEAD") headers["X-CSRFToken"] = meta("csrf-token");
  let response: Response;
  try {
    response = await fetch(path, { ...options, method, headers, credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem("The server cannot be reached", 0, "", "unreachable", "Check the network connection.");
  }
  if (response.ok) return response;
  const fields = (parsed(await response.text()) ?? {}) as Record<string, string | undefined>;
  throw new Problem(
    fields["title"] ?? `The server answered ${response.status}`,
    response.status,
    fields["detail"],
    fields["slug"],
    fields["hint"],
    fields["field"],
    fields["log"],
  );
}

/** Fetch JSON. Raises: Problem. */
export async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await send(method, path, { headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return parsed(await response.text()) as T;
}

function parsed(text: string): unknown {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

const path = (name: string, rest = ""): string => `/api/v1/workspaces/${encodeURIComponent(name)}${rest}`;

export const api = {
  create: (name: string, template?: string, limits?: Limits) =>
    request<Workspace>("POST", "/api/v1/workspaces", { name, ...(template ? { template } : {}), ...(limits ? { limits } : {}) }),
  get: (name: string) => request<Workspace>("GET", path(name)),
  change: (name: string, change: { name?: string; limits?: Limits }) => request<Workspace>("PATCH", path(name), change),
  remove: (name: string) => request<unknown>("DELETE", path(name)),
  act: (name: string, action: "start" | "stop" | "restart") => request<Workspace>("POST", path(name, `/${action}`)),
  snooze: (name: string, minutes: number) => request<Workspace>("POST", path(name, "/snooze"), { minutes }),
  sessions: async (name: string) => (await request<{ sessions: Session[] }>("GET", path(name, "/sessions"))).sessions,
  endSession: (name: string, session: string) => request<unknown>("DELETE", path(name, `/sessions/${encodeURIComponent(session)}`)),
};

const snapshotPath = (id: number, rest = ""): string => `/api/v1/home/snapshots/${id}${rest}`;
/** URLSearchParams takes any text, also what encodeURIComponent throws at. */
const query = (fields: Record<string, string>): string => `?${new URLSearchParams(fields)}`;

/** Calls about the home; what takes long answers with a Job and goes on without the page. */
export const homeApi = {
  get: () => request<Home>("GET", "/api/v1/home"),
  unlock: (password?: string) => request<Home>("POST", "/api/v1/home/unlock", password === undefined ? {} : { password }),
  lock: () => request<Home>("POST", "/api/v1/home/lock"),
  job: (id: string) => request<Job>("GET", `/api/v1/home/jobs/${encodeURIComponent(id)}`),
  snapshots: async () => (await request<{ snapshots: Snapshot[] }>("GET", "/api/v1/home/snapshots")).snapshots,
  take: (note: string) => request<Snapshot | Job>("POST", "/api/v1/home/snapshots", { note }),
  remove: (id: number) => request<Job | null>("DELETE", snapshotPath(id)),
  restore: (id: number, path?: string) => request<Job>("POST", snapshotPath(id, "/restore"), path === undefined ? {} : { path }),
  files: (id: number, path: string) => request<SnapshotFiles>("GET", snapshotPath(id, `/files${query({ path })}`)),
  versions: async (path: string) => (await request<{ versions: FileVersion[] }>("GET", `/api/v1/home/versions${query({ path })}`)).versions,
  /** newer absent: the home as it is. */
  diff: (path: string, older: number, newer?: number) =>
    request<FileDiff>("GET", `/api/v1/home/diff${query({ path, older: String(older), ...(newer === undefined ? {} : { newer: String(newer) }) })}`),
  contentUrl: (id: number, path: string) => snapshotPath(id, `/content${query({ path })}`),
  archiveUrl: (id: number, path?: string) => snapshotPath(id, `/archive${path === undefined ? "" : query({ path })}`),
};

/** What a failure looks like, with what to do about it. */
export function explainFully(error: unknown): string {
  const hint = error instanceof Problem ? error.hint : "";
  return hint ? `${explain(error).replace(/\.$/, "")}. ${hint}` : explain(error);
}

/** What a failure looks like in one sentence. */
export function explain(error: unknown): string {
  if (error instanceof Problem) return error.detail && error.detail !== error.title ? error.detail : error.title;
  return error instanceof Error ? error.message : String(error);
}
