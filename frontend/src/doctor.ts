/** The doctor's page: what only this browser can find out about the way to the server. */
import { copyText } from "./lib/clipboard";
import { boot, byId, setText } from "./lib/dom";
import { toast } from "./lib/toast";
import { explain } from "./lib/api";
import * as panel from "./doctor/panel";
import * as previews from "./doctor/previews";
import { type Boot, type Result, fail, skip } from "./doctor/result";
import { Row, report } from "./doctor/view";

const given = boot<Boot>();
const rows = {
  address: "Address",
  encryption: "Encryption",
  websocket: "WebSockets",
  events: "Live events",
  quiet: "Quiet connections",
  clock: "Clocks",
  previews: "Previews",
  "preview-websocket": "Previews: WebSockets",
  "preview-frame": "Previews: beside the editor",
};
type Key = keyof typeof rows;
const table = new Map(Object.entries(rows).map(([key, title]) => [key as Key, new Row(key, title, given.admin)]));
const again = byId<HTMLButtonElement>("again");
const summary = byId("summary");

const row = (key: Key): Row => table.get(key)!;

/** Show the result of a check, whatever goes wrong in it. */
async function put(key: Key, work: Promise<Result> | Result): Promise<void> {
  let result: Result;
  try {
    result = await work;
  } catch (error) {
    result = fail(explain(error));
  }
  row(key).show(result);
  tell();
}

function tell(): void {
  const results = [...table.values()].map((one) => one.result);
  const count = (verdict: string): number =>
    results.filter((result) => result?.verdict === verdict).length + document.querySelectorAll(`#findings tr[data-verdict="${verdict}"]`).length;
  const [broken, better, open] = [count("fail"), count("warn"), results.filter((result) => result === null).length];
  const parts = [broken && `${broken} broken`, better && `${better} could be better`, open && `${open} being looked at`].filter(Boolean);
  setText(summary, parts.length ? `${parts.join(", ")}.` : "All is well.");
  const proxies = document.getElementById("proxies");
  if (proxies instanceof HTMLDetailsElement && results.some((result) => result?.proxy)) proxies.open = true;
}

async function checkAddress(): Promise<void> {
  const began = performance.now();
  try {
    const seen = await panel.see();
    const took = performance.now() - began;
    await Promise.all([put("address", panel.address(seen)), put("encryption", panel.encryption(seen)), put("clock", panel.clock(seen, took))]);
  } catch (error) {
    for (const key of ["address", "encryption", "clock"] as const) await put(key, fail(explain(error)));
  }
}

async function checkPreviews(): Promise<void> {
  const origin = previews.originOf(given.probe);
  await put("previews", previews.host(origin, given));
  if (row("previews").result?.verdict === "fail") {
    for (const key of ["preview-websocket", "preview-frame"] as const) await put(key, skip("Previews do not reach this server."));
    return;
  }
  await Promise.all([put("preview-websocket", previews.webSocket(origin)), put("preview-frame", previews.frame(origin))]);
}

async function checkAll(): Promise<void> {
  again.disabled = true;
  for (const one of table.values()) one.wait("Looking …");
  tell();
  const quiet = put("quiet", panel.quiet((seconds) => row("quiet").wait(`Nothing said for ${seconds} s, still open …`)));
  await Promise.all([checkAddress(), put("websocket", panel.webSocket()), put("events", panel.events()), checkPreviews()]);
  await quiet;
  again.disabled = false;
}

byId("outside").querySelector("tbody")?.append(...[...table.values()].map((one) => one.element));
again.addEventListener("click", () => void checkAll());
byId("report").addEventListener("click", () => void copyText(report()).then((done) => toast(done ? "The report is copied" : "The browser does not let this page copy")));
for (const choice of document.querySelectorAll<HTMLButtonElement>("[data-snippet]"))
  choice.addEventListener("click", () => {
    for (const other of document.querySelectorAll<HTMLButtonElement>("[data-snippet]")) {
      other.setAttribute("aria-pressed", String(other === choice));
      byId(other.dataset["snippet"]!).hidden = other !== choice;
    }
  });
void checkAll();
