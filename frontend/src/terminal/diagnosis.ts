/** Finds out why a terminal's connection closed, from the workspace's own state. */
import { api, Problem } from "../lib/api";
import type { Session, Workspace } from "../lib/types";

export type Diagnosis =
  | { kind: "offline" | "signed-out" | "gone" }
  | { kind: "down" | "blocked"; workspace: Workspace }
  | { kind: "running"; workspace: Workspace; sessions: Session[] | null };

const ECHO_MS = 5000;

/** Ask the server; suspectProxy: the handshake has failed while the server answers, so try a WebSocket that needs no workspace. */
export async function diagnose(name: string, suspectProxy: boolean): Promise<Diagnosis> {
  let workspace: Workspace;
  try {
    workspace = await api.get(name);
  } catch (error) {
    const status = error instanceof Problem ? error.status : 0;
    if (status === 401) return { kind: "signed-out" };
    return { kind: status === 404 || status === 403 ? "gone" : "offline" };
  }
  if (workspace.state !== "running") return { kind: "down", workspace };
  if (suspectProxy && !(await echoes())) return { kind: "blocked", workspace };
  try {
    return { kind: "running", workspace, sessions: await api.sessions(name) };
  } catch {
    return { kind: "running", workspace, sessions: null };
  }
}

/** Whether any WebSocket gets through to the server. */
function echoes(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/v1/echo`);
    const finish = (result: boolean): void => {
      clearTimeout(timer);
      resolve(result);
      socket.close();
    };
    const timer = setTimeout(() => finish(false), ECHO_MS);
    socket.addEventListener("open", () => socket.send("echo"));
    socket.addEventListener("message", () => finish(true));
    socket.addEventListener("error", () => finish(false));
    socket.addEventListener("close", () => finish(false));
  });
}
