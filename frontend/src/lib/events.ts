/**
 * Server-sent events, one connection for all tabs of the browser: HTTP/1.1 allows six to a host.
 * The tab that holds a Web Lock reads and broadcasts to the others. Web Locks are missing on plain
 * http off localhost: there each visible tab reads for itself.
 */
import { Problem, request } from "./api";
import { meta } from "./dom";
import type { ArchiveProgress, Home, User, Workspace } from "./types";

export interface Events {
  state: { workspaces: Workspace[]; user?: User; home?: Home };
  archive: ArchiveProgress;
  /** Something happened in the commons; its number. */
  activity: { latest: number };
  "signed-out": unknown;
  /** Whether the server answers. */
  online: boolean;
}

type Listener<K extends keyof Events> = (data: Events[K]) => void;
const listeners: { [K in keyof Events]: Set<Listener<K>> } = { state: new Set(), archive: new Set(), activity: new Set(), "signed-out": new Set(), online: new Set() };
/** Somebody else may sign in in the next tab: people share neither connections nor news. */
const NAME = `rootblood.events.${meta("user")}`;
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(NAME) : null;
let leading = false;
/** This page's sign-in has ended: it leads no more. */
let over = false;
let release = (): void => undefined;
let last: Events["state"] | null = null;
let started = false;

/** Listen to one kind of event; the first listener opens the connection. */
export function listen<K extends keyof Events>(kind: K, listener: Listener<K>): void {
  listeners[kind].add(listener);
  if (started) return;
  started = true;
  channel?.addEventListener("message", (event: MessageEvent<{ kind: keyof Events | "hello"; data: never }>) => {
    if (event.data.kind === "signed-out") end();
    if (event.data.kind !== "hello") emit(event.data.kind, event.data.data);
    else if (leading && last) channel.postMessage({ kind: "state", data: last });
  });
  if (channel && "locks" in navigator) {
    channel.postMessage({ kind: "hello" });
    void navigator.locks.request(NAME, () => over ? null : new Promise<void>((resolve) => { leading = true; release = resolve; read(); }));
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

function end(): void {
  over = true;
  leading = false;
  last = null;
  release();
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
    if (source.readyState === EventSource.CLOSED) void refused();
  });
  source.addEventListener("state", (event) => {
    const state = JSON.parse(event.data) as Events["state"];
    // The page slept while somebody else signed in with this browser.
    if (state.user && state.user.username !== meta("user")) return signedOut();
    last = state;
    pass("state", state);
  });
  source.addEventListener("archive", (event) => pass("archive", JSON.parse(event.data) as ArchiveProgress));
  source.addEventListener("activity", (event) => pass("activity", JSON.parse(event.data) as Events["activity"]));
  const signedOut = (): void => { source.close(); pass("signed-out", null); end(); };
  source.addEventListener("signed-out", signedOut);
  const refused = async (): Promise<void> => {
    try {
      await request("GET", "/api/v1/me");
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return signedOut();
    }
    setTimeout(() => { if (leading) read(); }, 15_000);
  };
  return source;
}
