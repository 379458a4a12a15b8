/** The words, icons and days of snapshots. */
import type { Snapshot } from "../lib/types";

export const REASONS: Record<Snapshot["reason"], { icon: string; word: string }> = {
  manual: { icon: "camera", word: "By hand" },
  scheduled: { icon: "clock", word: "Scheduled" },
  "before-restore": { icon: "undo-2", word: "Before a restore" },
};

const DAY_MS = 86_400_000;

/** The first instant of an instant's day in the viewer's zone. */
export function dayStart(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0);
}

/** "Today", "Yesterday", "Thu 19", "2 Nov", "30 Dec 2025". */
export function dayWord(start: number, now = Date.now()): string {
  const days = Math.round((dayStart(now) - start) / DAY_MS);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days > 0 && days < 7) return new Date(start).toLocaleDateString(undefined, { weekday: "short", day: "numeric" });
  const year = new Date(start).getFullYear() === new Date(now).getFullYear() ? {} : { year: "numeric" as const };
  return new Date(start).toLocaleDateString(undefined, { day: "numeric", month: "short", ...year });
}

/** The time of day in the viewer's zone. */
export function clock(iso: string): string {
  return new Date(iso).toLocaleTimeString(undefined, { timeStyle: "short" });
}

/** "Today, 14:05". */
export function moment(iso: string): string {
  return `${dayWord(dayStart(Date.parse(iso)))}, ${clock(iso)}`;
}

/** "1,240 files". */
export function count(n: number, one: string): string {
  return `${n.toLocaleString()} ${n === 1 ? one : `${one}s`}`;
}
