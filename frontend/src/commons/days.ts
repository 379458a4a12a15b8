/** The days that a log is divided into: the server knows those of UTC, the reader has others. */
import { h } from "../lib/dom";

/** Put a heading above the first commit of each of the reader's days. */
export function divideByDay(): void {
  for (const list of document.querySelectorAll<HTMLElement>("[data-days]")) {
    let before = "";
    for (const item of list.children) {
      const written = item.querySelector("time")?.dateTime;
      if (!written) continue;
      const day = new Date(written).toLocaleDateString("en-GB", { dateStyle: "long" });
      item.querySelector(".day")?.remove();
      if (day !== before) item.prepend(h("h2", { class: "day" }, day));
      before = day;
    }
  }
}
