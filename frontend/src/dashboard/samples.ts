/** CPU samples of each workspace, kept in this browser so that a reload does not empty the sparklines. */
import type { Workspace } from "../lib/types";

const KEY = "rootblood.samples";
const KEEP = 60;
const STALE_MS = 10 * 60_000;

interface Series {
  at: number;
  values: number[];
}

const series = new Map<string, Series>(load());

function load(): [string, Series][] {
  try {
    const stored = JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as [string, Series][];
    return stored.filter(([, entry]) => Date.now() - entry.at < STALE_MS);
  } catch {
    return [];
  }
}

/** Add what the server just said; a workspace that does not run loses its line. */
export function record(workspaces: readonly Workspace[]): void {
  for (const workspace of workspaces) {
    if (!workspace.usage) {
      series.delete(workspace.name);
      continue;
    }
    const entry = series.get(workspace.name) ?? { at: 0, values: [] };
    // Several changes can come within a second; one sample of it is enough.
    if (Date.now() - entry.at < 1500) entry.values.pop();
    entry.values.push(workspace.usage.cpu_percent);
    entry.values.splice(0, entry.values.length - KEEP);
    entry.at = Date.now();
    series.set(workspace.name, entry);
  }
  sessionStorage.setItem(KEY, JSON.stringify([...series]));
}

export function samplesOf(name: string): readonly number[] {
  return series.get(name)?.values ?? [];
}
