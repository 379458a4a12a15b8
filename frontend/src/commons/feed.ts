/** The list of what people do, kept up to date while the page is open. */
import { listen } from "../lib/events";
import { refreshTimes } from "../lib/time";

const SHOWN_MAX = 60;

/** Ask for what is new whenever something happened; entries come as the server draws them. */
export function followFeed(): void {
  const list = document.querySelector<HTMLElement>("[data-feed]");
  const dot = document.querySelector<HTMLElement>("[data-live]");
  if (!list) return;
  const newest = (): number => Number(list.querySelector<HTMLElement>("[data-id]")?.dataset["id"] ?? 0);
  let asking = false;
  const load = async (latest: number): Promise<void> => {
    if (asking || latest <= newest()) return;
    asking = true;
    try {
      const answer = await fetch(`/global/-/feed?after=${newest()}`, { credentials: "same-origin", cache: "no-store" });
      if (!answer.ok || answer.redirected) return;
      const template = document.createElement("template");
      template.innerHTML = await answer.text();
      refreshTimes(template.content);
      list.prepend(template.content);
      while (list.children.length > SHOWN_MAX) list.lastElementChild?.remove();
      list.parentElement?.querySelector(":scope > p")?.remove();
    } catch {
      return; // the next event asks again
    } finally {
      asking = false;
    }
  };
  listen("activity", ({ latest }) => void load(latest));
  listen("online", (online) => {
    dot?.classList.toggle("on", online);
    if (dot) dot.title = online ? "Live" : "Not live";
  });
}
