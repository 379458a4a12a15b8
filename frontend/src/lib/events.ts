/**
 * Server-sent events, one connection for all tabs of the browser: HTTP/1.1 allows six to a host.
 * The tab that holds a Web Lock reads and broadcasts to the others. Web Locks are missing on plain
 * http off localhost: there each visible tab reads for itself.
 */
import type { ArchiveProgress, User, Workspace } from "./types";

export interface Events {
  state: { workspaces: Workspace[]; user?: User };
  archive: ArchiveProgress;
  "signed-out": unknown;
  /** Whether the server answers. */
  online: boolean;
}

type Listener<K extends keyof Events> = (data: Events[K]) => void;
const listeners: { [K in keyof Events]: Set<Listener<K>> } = { state: new Set(), archive: new Set(), "signed-out": new Set(), online: new Set() };
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("rootblood.events") : null;
let leading = false;
let last: Events["state"] | null = null;
let started = false;

/** Listen to one kind of event; the first listener opens the connection. */
export function listen<K extends keyof Events>(kind: K, listener: Listener<K>): void {
  listeners[kind].add(listener);
  if (started) return;
  started = true;
  channel?.addEventListener("message", (event: MessageEvent<{ kind: keyof Events | "hello"; data: never }>) => {
    if (event.data.kind !== "hello") emit(event.data.kind, event.data.data);
    else if (leading && last) channel.postMessage({ kind: "state", data: last });
  });
  if (channel && "locks" in navigator) {
    channel.postMessage({ kind: "hello" });
    void navigator.locks.request("rootblood.events", () => new Promise<never>(() => { leading = true; read(); }));
  } else {
    let source: EventSource | null = null;
    const follow = (): void => {
      if (document.visibilityState === "visible") source ??= read();
      else { source?.close(); source = null; }
    };
    document.addEventListener("visibilitychange", follow);
    follow();
  }
}

function emit<K extends keyof Events>(kind: K, data: Events[K]): void {
  for (const listener of listeners[kind]) listener(data);
}

function read(): EventSource {
  const source = new EventSource("/api/v1/events");
  const pass = <K extends keyof Events>(kind: K, data: Events[K]): void => {
    emit(kind, data);
    if (leading) channel?.postMessage({ kind, data });
  };
  source.addEventListener("open", () => pass("online", true));
  source.addEventListener("error", () => {
    pass("online", false);
    // A refusal (401, 503) closes the source for good; a lost connection makes it retry by itself.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => { if (leading) read(); }, 15_000);
  });
  source.addEventListener("state", (event) => { last = JSON.parse(event.data) as Events["state"]; pass("state", last); });
  source.addEventListener("archive", (event) => pass("archive", JSON.parse(event.data) as ArchiveProgress));
  source.addEventListener("signed-out", () => { source.close(); pass("signed-out", null); });
  return source;
}
