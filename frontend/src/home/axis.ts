/** Where snapshots stand on the axis of time: a column for each day, wider where there are more. */
import type { Snapshot } from "../lib/types";
import { dayStart, dayWord } from "./words";

/** What a finger or pointer needs, and so how near two may stand. */
export const MARK_PX = 24;
const DAY_PX = 84;
const ROOM_FOR_HOURS_PX = 220;
const HOURS = [6, 12, 18];
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export interface Mark {
  snapshot: Snapshot;
  /** 0 to 1 of the way that a mark can move within its day. */
  at: number;
  /** 0 to 1: how much it added beside the others. */
  size: number;
}

export interface Day {
  start: number;
  label: string;
  width: number;
  /** Hours to name, where there is room, and where they are. */
  hours: { hour: number; at: number }[];
  /** Days were left out before it. */
  gap: boolean;
  marks: Mark[];
  /** Where the next scheduled one will be, 0 to 1. */
  next: number | null;
}

/** Lay out snapshots, which come oldest first. */
export function layOut(snapshots: readonly Snapshot[], next: string | null, now: number): Day[] {
  const today = dayStart(now);
  const groups = new Map<number, Snapshot[]>();
  for (const snapshot of snapshots) {
    const start = dayStart(Date.parse(snapshot.taken_at));
    groups.set(start, [...(groups.get(start) ?? []), snapshot]);
  }
  if (!groups.has(today)) groups.set(today, []);
  const most = Math.max(1, ...snapshots.map((snapshot) => snapshot.added_bytes));
  const soon = next ? Date.parse(next) : null;
  let before = Number.NaN;
  return [...groups].sort(([a], [b]) => a - b).map(([start, list]) => {
    const coming = soon !== null && dayStart(soon) === start;
    const times = [...list.map((snapshot) => Date.parse(snapshot.taken_at)), ...(coming ? [soon] : [])];
    // The present day is as long as it has lasted: nothing stands in its rest.
    const end = start === today ? Math.max(now, ...times) : start + DAY_MS;
    const width = Math.max(DAY_PX, (times.length + 1) * MARK_PX);
    const gap = start - before > DAY_MS * 1.5;
    before = start;
    const places = spread(times.map((time) => Math.min(1, (time - start) / (end - start))), MARK_PX / (width - MARK_PX));
    return {
      start, width, gap,
      label: dayWord(start, now),
      hours: width >= ROOM_FOR_HOURS_PX ? HOURS.filter((hour) => start + hour * HOUR_MS < end).map((hour) => ({ hour, at: (hour * HOUR_MS) / (end - start) })) : [],
      marks: list.map((snapshot, i) => ({ snapshot, at: places[i] ?? 0, size: Math.sqrt(snapshot.added_bytes / most) })),
      next: coming ? places.at(-1) ?? null : null,
    };
  });
}

/** Move places apart to at least `least`, in order, within 0 to 1, each as little as can be (isotonic regression). */
function spread(places: number[], least: number): number[] {
  const runs: { sum: number; count: number }[] = [];
  places.forEach((place, i) => {
    let run = { sum: place - i * least, count: 1 };
    for (let last = runs.at(-1); last && last.sum / last.count > run.sum / run.count; last = runs.at(-1)) {
      runs.pop();
      run = { sum: last.sum + run.sum, count: last.count + run.count };
    }
    runs.push(run);
  });
  const room = Math.max(0, 1 - (places.length - 1) * least);
  return runs.flatMap(({ sum, count }) => Array<number>(count).fill(Math.min(room, Math.max(0, sum / count)))).map((place, i) => Math.min(1, place + i * least));
}
