/** Rewrites every <time datetime> into the viewer's zone, and keeps the relative ones fresh. */
import { setText } from "./dom";
import { ago, instant } from "./format";

/** Rewrite all times below a node once. */
export function refreshTimes(root: ParentNode = document): void {
  for (const element of root.querySelectorAll<HTMLTimeElement>("time[datetime]")) {
    if (Number.isNaN(Date.parse(element.dateTime))) continue;
    const full = instant(element.dateTime);
    setText(element, element.dataset["relative"] === undefined ? full : ago(element.dateTime));
    element.title = full;
  }
}

/** Keep the page's times fresh from now on. */
export function keepTimes(): void {
  refreshTimes();
  setInterval(() => refreshTimes(), 30_000);
}
