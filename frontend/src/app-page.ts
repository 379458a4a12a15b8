/** The page that starts an app and goes there. */
import { explainFully } from "./lib/api";
import { AppsApi, type App } from "./lib/apps";
import { boot, byId, setText } from "./lib/dom";

/** Until then nobody wants to read what it writes. */
const PATIENCE_MS = 4000;

const start = boot<{ workspace: string; id: string; title: string; asks: boolean }>();
const api = new AppsApi(start.workspace);
let began = 0;

function write(log: string): void {
  const pre = byId("app-log");
  setText(pre, log);
  pre.hidden = !log;
  pre.scrollTop = pre.scrollHeight;
}

function show(busy: boolean, title: string, text: string): void {
  byId("app").setAttribute("aria-busy", String(busy));
  byId("app-progress").hidden = !busy;
  byId("app-actions").hidden = busy;
  setText(byId("app-title"), title);
  setText(byId("app-text"), text);
}

function follow(app: App): void {
  if (performance.now() - began > PATIENCE_MS) write(app.log);
}

async function go(): Promise<void> {
  began = performance.now();
  show(true, `Starting ${start.title} …`, `In the workspace ${start.workspace}. This page goes there by itself.`);
  write("");
  byId("app-more").hidden = false;
  try {
    const app = await api.run(start.id, follow);
    // Not a step back to here: "back" would lead there again.
    if (app.state === "running") return location.replace(app.path);
    show(false, `${start.title} does not run`, app.reason || "It ended by itself.");
    write(app.log);
  } catch (error) {
    show(false, `${start.title} did not start`, explainFully(error));
  }
}

const again = byId<HTMLButtonElement>("app-again");
again.addEventListener("click", () => void go());
again.disabled = false;
if (!start.asks) void go();
