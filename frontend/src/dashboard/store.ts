/** The list of workspaces on the page, and who wants to know when it changes. */
import { announce } from "../lib/dom";
import type { Workspace } from "../lib/types";
import { record } from "./samples";

export class Store {
  private workspaces: Workspace[] = [];
  private readonly listeners = new Set<() => void>();

  constructor(initial: Workspace[]) {
    this.workspaces = initial;
    record(initial);
  }

  list(): readonly Workspace[] {
    return this.workspaces;
  }

  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Take the server's whole list. */
  replace(workspaces: Workspace[]): void {
    const before = new Map(this.workspaces.map((workspace) => [workspace.name, workspace.state]));
    for (const { name, state } of workspaces) {
      const was = before.get(name);
      if (was && was !== state) announce(`${name} is ${state}`);
    }
    this.workspaces = workspaces;
    record(workspaces);
    this.changed();
  }

  /** Add or replace one. */
  put(workspace: Workspace): void {
    const at = this.workspaces.findIndex((other) => other.name === workspace.name);
    if (at < 0) this.replace([...this.workspaces, workspace]);
    else this.replace(this.workspaces.with(at, workspace));
  }

  drop(name: string): void {
    this.replace(this.workspaces.filter((workspace) => workspace.name !== name));
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}
