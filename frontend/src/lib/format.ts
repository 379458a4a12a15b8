/** Numbers, sizes and times as people read them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 4294967296 -> "4 GiB". */
export function bytes(n: number): string {
  let value = n;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = value >= 100 || unit === 0 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, "")} ${UNITS[unit]}`;
}

/** 23.4 -> "23 %", 0.31 -> "0.3 %". */
export function percent(n: number): string {
  return `${n < 10 ? n.toFixed(1).replace(/\.0$/, "") : Math.round(n)} %`;
}

/** "2 CPU · 4 GiB". */
export function limits(l: { cpus: number; memory_bytes: number }): string {
  return `${Number(l.cpus.toFixed(2))} CPU · ${bytes(l.memory_bytes)}`;
}

/** 754 -> "12 min", 40 -> "40 s", 8000 -> "2 h 13 min". */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return `${s} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 && hours < 10 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.round(hours / 24)} days`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [["year", 31_557_600], ["month", 2_629_800], ["week", 604_800], ["day", 86_400], ["hour", 3600], ["minute", 60]];

/** An instant as "3 days ago" or "in 5 minutes". */
export function ago(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  for (const [unit, size] of STEPS) if (Math.abs(seconds) >= size * 0.97) return relative.format(Math.round(seconds / size), unit);
  return seconds > 10 ? "in a moment" : "just now";
}

/** An instant in the viewer's zone and language. */
export function instant(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** Seconds from now until an instant, negative when past. */
export function secondsUntil(iso: string): number {
  return (Date.parse(iso) - Date.now()) / 1000;
}
