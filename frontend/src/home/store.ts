/** What the page knows: the home, its snapshots, which one is looked at, and who wants to know of changes. */
import { homeApi } from "../lib/api";
import type { Home, Snapshot, User, Workspace } from "../lib/types";

export class Store {
  /** Oldest first. */
  snapshots: Snapshot[] = [];
  selected: Snapshot | null = null;
  /** Null until the server has told of them. */
  workspaces: Workspace[] | null = null;
  private readonly listeners = new Set<() => void>();
  private asked = 0;

  constructor(public home: Home, snapshots: Snapshot[], public user: User) {
    this.keep(snapshots);
  }

  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  takeHome(home: Home): void {
    // Something was taken, deleted or thinned out, maybe in another tab or by the schedule.
    const stale = home.split.snapshots_bytes !== this.home.split.snapshots_bytes || home.next_snapshot_at !== this.home.next_snapshot_at;
    this.home = home;
    this.changed();
    if (stale) void this.refresh();
  }

  takeAccount(user: User | undefined, workspaces: Workspace[]): void {
    if (user) this.user = user;
    this.workspaces = workspaces;
    this.changed();
  }

  select(id: number): void {
    this.selected = this.snapshots.find((snapshot) => snapshot.id === id) ?? null;
    this.changed();
  }

  /** Ask for the snapshots again; an answer that was overtaken by a later one is dropped. */
  async refresh(): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    try {
      const snapshots = await homeApi.snapshots();
      if (mine === this.asked) this.keep(snapshots);
    } catch {
      // What is shown stays; the next event asks again.
    }
    this.changed();
  }

  drop(id: number): void {
    this.keep(this.snapshots.filter((snapshot) => snapshot.id !== id));
    this.changed();
  }

  private keep(snapshots: Snapshot[]): void {
    this.snapshots = [...snapshots].sort((a, b) => Date.parse(a.taken_at) - Date.parse(b.taken_at));
    const was = this.selected;
    this.selected = this.snapshots.find((snapshot) => snapshot.id === was?.id) ?? this.snapshots.at(-1) ?? null;
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}
