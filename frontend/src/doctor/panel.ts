/** Checks of the way between this browser and the panel. */
import { request } from "../lib/api";
import { echoes, socketUrl } from "../lib/echo";
import { type Result, type Seen, byProxy, fail, ok, skip, warn } from "./result";

const FIRST_EVENT_MS = 5000;
/** The default of nginx, and of most others, is to cut off after a minute. */
const QUIET_SECONDS = 65;
const OFF_SECONDS = 30;

/** The same as the page's own request, a moment later; raises where no answer comes. */
export const see = (): Promise<Seen> => request<Seen>("GET", "/api/v1/doctor/seen");

/** Whether host and scheme arrive as the browser has them. */
export function address(seen: Seen): Result {
  const here = `${location.protocol}//${location.host}`;
  const there = `${seen.scheme}://${seen.host}`;
  if (here === there) return ok(`The server sees this page where your browser does, at ${here}.`);
  const bad = fail(`Your browser is at ${here}, the server believes to be at ${there}. WebSockets are refused.`, addressHint(seen));
  return byProxy(bad);
}

function addressHint(seen: Seen): string {
  const hostDiffers = seen.host !== location.host;
  const header = hostDiffers ? "X-Forwarded-Host" : "X-Forwarded-Proto";
  if (seen.forwarded.includes(header)) {
    if (seen.trusted_proxies === 0) return `The proxy sends ${header}, but ROOTBLOOD_TRUSTED_PROXIES is 0: set it to the number of proxies in front.`;
    return `The proxy sends ${header}, and what it says is wrong, or ROOTBLOOD_TRUSTED_PROXIES is more or less than the number of proxies in front.`;
  }
  return hostDiffers
    ? "Let the proxy pass the Host header on with its port: in nginx, proxy_set_header Host $http_host."
    : "Let the proxy say that it was asked over TLS: in nginx, proxy_set_header X-Forwarded-Proto $scheme. ROOTBLOOD_TRUSTED_PROXIES must be the number of proxies in front.";
}

/** Whether what is typed can be read on the way, and the cookie be stolen. */
export function encryption(seen: Seen): Result {
  if (location.protocol === "https:") {
    if (seen.secure_cookie) return ok("TLS from your browser on. The sign-in's cookie is Secure and this host's alone.");
    return byProxy(fail("There is TLS, but the server does not know: the sign-in's cookie would be sent without it, too.", "See the address above."));
  }
  if (!seen.exposed) return ok("The browser and the server are on one machine: nothing to encrypt.");
  return warn("Nothing is encrypted: passwords and everything you type can be read on the way.", "Put a proxy with a certificate in front: see 'How to serve over HTTPS'.");
}

/** Whether a WebSocket opens, and carries messages both ways. */
export async function webSocket(): Promise<Result> {
  const began = performance.now();
  if (await echoes()) return ok(`WebSockets get through: opened and echoed in ${Math.round(performance.now() - began)} ms.`);
  const bad = fail("WebSockets do not get through: terminals and the editor's live parts cannot work.",
    "Let “Upgrade: websocket” pass: in nginx, proxy_http_version 1.1 and proxy_set_header for Upgrade and Connection. If the address above is wrong, mend that first.");
  return byProxy(bad);
}

/** Whether events come when they happen. */
export function events(): Promise<Result> {
  return new Promise((resolve) => {
    const source = new EventSource("/api/v1/events");
    const finish = (result: Result): void => {
      clearTimeout(timer);
      source.close();
      resolve(result);
    };
    const timer = setTimeout(() => finish(byProxy(fail("Live events are held back on the way: pages show old states.",
      "Let the proxy send on what comes at once: in nginx, proxy_buffering off, and no proxy_ignore_headers X-Accel-Buffering."))), FIRST_EVENT_MS);
    source.addEventListener("state", () => finish(ok("Live events come at once.")));
    source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) finish(byProxy(fail("Live events do not get through."))); });
  });
}

/** Whether clocks agree; the answer was under way for as long as `took`. */
export function clock(seen: Seen, took: number): Result {
  const off = (Date.now() - took / 2 - Date.parse(seen.now)) / 1000;
  const by = Math.abs(off) < 120 ? `${Math.abs(off).toFixed(1)} s` : `${Math.round(Math.abs(off) / 60)} minutes`;
  if (Math.abs(off) <= OFF_SECONDS) return ok(`Your clock and the server's agree within ${by}.`);
  return warn(`Your clock is ${by} ${off > 0 ? "ahead of" : "behind"} the server's: times on the pages are off.`, "One of the two machines does not keep its time: look at both.");
}

/** Whether a WebSocket on which nobody speaks stays open; `tell` gets the seconds so far. */
export function quiet(tell: (seconds: number) => void): Promise<Result> {
  return new Promise((resolve) => {
    const socket = new WebSocket(socketUrl("/api/v1/echo"));
    let opened = 0;
    const since = (): number => Math.floor((performance.now() - opened) / 1000);
    const finish = (result: Result): void => {
      clearInterval(ticker);
      resolve(result);
      socket.close();
    };
    const ticker = setInterval(() => {
      if (!opened) return;
      if (since() >= QUIET_SECONDS) finish(ok(`A quiet WebSocket stays open for more than ${QUIET_SECONDS - 5} seconds.`));
      else tell(since());
    }, 1000);
    socket.addEventListener("open", () => { opened = performance.now(); tell(0); });
    socket.addEventListener("close", () => finish(opened ? cut(since()) : skip("No WebSocket gets through to keep quiet on.")));
  });
}

function cut(seconds: number): Result {
  const hint = "Raise the proxy's timeouts to an hour: in nginx, proxy_read_timeout and proxy_send_timeout.";
  // A terminal speaks every 5 seconds by itself.
  if (seconds > 30) return byProxy(warn(`A quiet WebSocket is cut off after ${seconds} s. Terminals stay; the editor and previews connect again and again.`, hint));
  return byProxy(fail(`A quiet WebSocket is cut off after ${seconds} s.`, hint));
}
