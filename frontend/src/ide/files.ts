/** The files API of one workspace. All of it raises Problem. */
import { request, send } from "../lib/api";
import { encodePath } from "./paths";

export type EntryType = "file" | "folder" | "link" | "other";

export interface Entry {
  name: string;
  type: EntryType;
  size: number;
  /** Seconds since 1970. */
  mtime: number;
  mode: number;
  /** What a link leads to; absent where it leads nowhere. */
  target_type?: EntryType | null;
}

/** What a folder holds; truncated: not all of it. */
export interface Listing {
  entries: Entry[];
  truncated: boolean;
}

export interface Content {
  bytes: Uint8Array<ArrayBuffer>;
  etag: string;
}

/** Whether an entry can be gone into. */
export function isFolder(entry: Entry): boolean {
  return entry.type === "folder" || (entry.type === "link" && entry.target_type === "folder");
}

export class Files {
  readonly base: string;

  constructor(workspace: string) {
    this.base = `/api/v1/workspaces/${encodeURIComponent(workspace)}/files`;
  }

  list(path: string): Promise<Listing> {
    return request("GET", `${this.base}?path=${encodePath(path)}`);
  }

  /** Size and version of a file without its content. */
  async look(path: string): Promise<{ size: number; etag: string }> {
    const response = await send("HEAD", this.contentUrl(path));
    return { size: Number(response.headers.get("Content-Length") ?? 0), etag: response.headers.get("ETag") ?? "" };
  }

  /** Read a file; null where it is larger than `most` bytes, of which nothing is kept. */
  async read(path: string, most: number): Promise<Content | { size: number }> {
    const stop = new AbortController();
    const response = await send("GET", this.contentUrl(path), { signal: stop.signal });
    const size = Number(response.headers.get("Content-Length") ?? 0);
    if (size > most) {
      stop.abort();
      return { size };
    }
    return { bytes: new Uint8Array(await response.arrayBuffer()), etag: response.headers.get("ETag") ?? "" };
  }

  /** Write a file whose version is still `etag`, or that must not be there yet where that is null; return its version. */
  async write(path: string, body: Uint8Array<ArrayBuffer>, etag: string | null): Promise<string> {
    const condition: Record<string, string> = etag === null ? { "If-None-Match": "*" } : etag ? { "If-Match": etag } : {};
    const response = await send("PUT", this.contentUrl(path), { body, headers: { "Content-Type": "application/octet-stream", ...condition } });
    return response.headers.get("ETag") ?? "";
  }

  remove(path: string): Promise<unknown> {
    return send("DELETE", `${this.contentUrl(path)}&recursive=1`);
  }

  makeFolder(path: string): Promise<unknown> {
    return request("POST", `${this.base}/mkdir`, { path, parents: true });
  }

  move(from: string, to: string, overwrite = false): Promise<unknown> {
    return request("POST", `${this.base}/move`, { from, to, overwrite });
  }

  copy(from: string, to: string, overwrite = false): Promise<unknown> {
    return request("POST", `${this.base}/copy`, { from, to, overwrite });
  }

  contentUrl(path: string): string {
    return `${this.base}/content?path=${encodePath(path)}`;
  }

  archiveUrl(paths: string[], format: "tar.gz" | "zip"): string {
    return `${this.base}/archive?${paths.map((path) => `path=${encodePath(path)}`).join("&")}&format=${format}`;
  }

  /** The names of files below a folder: all of them, or the best for a few letters. JSON, `{ names, truncated }`. */
  names(folder: string, letters: string, most: number, signal?: AbortSignal): Promise<Response> {
    return send("GET", `${this.base}/names?path=${encodePath(folder)}&q=${encodePath(letters)}&most=${most}`, signal ? { signal } : {});
  }
}
