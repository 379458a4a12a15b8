/** Finds out why a terminal's connection closed, from the workspace's own state. */
import { api, Problem } from "../lib/api";
import { echoes } from "../lib/echo";
import type { Session, Workspace } from "../lib/types";

export type Diagnosis =
  | { kind: "offline" | "signed-out" | "gone" }
  | { kind: "down" | "blocked"; workspace: Workspace }
  | { kind: "running"; workspace: Workspace; sessions: Session[] | null };

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
