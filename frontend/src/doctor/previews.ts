/** Checks of the way between this browser and the origins of previews. */
import { firstMessage } from "../lib/echo";
import { type Boot, type Result, byProxy, fail, ok, warn } from "./result";

const PATIENCE_MS = 8000;
const HERE = "/.rootblood/here";
const PROBE = "/.rootblood/probe";

interface Marker {
  mark: string;
  scheme: string;
  host: string;
}

/** Where a preview that nobody has would be, for this browser. */
export function originOf(probe: Boot["probe"]): string {
  const port = probe.port || location.port;
  return `${location.protocol}//${probe.host}${port ? `:${port}` : ""}`;
}

const wildcard = (probe: Boot["probe"]): string => probe.host.replace(/^[0-9]+--[^.]*\./, "*.");

/** Whether a preview's host reaches this server, as itself. */
export async function host(origin: string, boot: Boot): Promise<Result> {
  const name = wildcard(boot.probe);
  let marker: Marker;
  try {
    const answer = await fetch(origin + HERE, { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(PATIENCE_MS) });
    marker = (await answer.json()) as Marker;
  } catch {
    return (await anybody(origin)) ? byProxy(another(name)) : byProxy(nobody(name));
  }
  if (marker.mark !== boot.mark) return byProxy(another(name));
  const seen = `${marker.scheme}://${marker.host}`;
  if (seen !== origin) return byProxy(fail(`A preview at ${origin} is taken for one at ${seen}: signing in to previews fails.`,
    "Let the proxy pass Host, with its port, and X-Forwarded-Proto on for previews, as for the panel."));
  return ok(`Previews reach this server at ${name}.`);
}

/** Whether anything answers there that a browser would show. */
async function anybody(origin: string): Promise<boolean> {
  try {
    await fetch(origin + HERE, { mode: "no-cors", cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(PATIENCE_MS) });
    return true;
  } catch {
    return false;
  }
}

const another = (name: string): Result => fail(`Something answers at ${name}, but not this server: previews do not open.`,
  "Let the proxy send every host below the apps domain to this server, with its Host.");

function nobody(name: string): Result {
  const secure = location.protocol === "https:" ? " The certificate must cover it, too: a wildcard reaches one level down." : "";
  return fail(`Nothing answers at ${name}: previews do not open.`,
    name.startsWith("*.")
      ? `Make a wildcard DNS record that leads here, and let the proxy take it.${secure} Without wildcard DNS set ROOTBLOOD_APPS_HOST and ROOTBLOOD_APPS_PORTS.`
      : `The name must lead here, and the ports of ROOTBLOOD_APPS_PORTS be open.${secure}`);
}

/** Whether WebSockets get through to previews. */
export async function webSocket(origin: string): Promise<Result> {
  const came = await firstMessage(origin.replace(/^http/, "ws") + HERE);
  if (came !== null) return ok("WebSockets get through to previews: hot reload works.");
  return byProxy(fail("WebSockets do not get through to previews: hot reload and notebooks do not work.",
    "Let “Upgrade: websocket” pass for the hosts of previews as for the panel."));
}

/** Whether a preview can be shown beside the editor, in a frame with cookies of its own. */
export function frame(origin: string): Promise<Result> {
  return new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.title = "Probe";
    frame.src = origin + PROBE;
    const finish = (result: Result): void => {
      clearTimeout(timer);
      removeEventListener("message", hear);
      frame.remove();
      resolve(result);
    };
    const hear = (event: MessageEvent): void => {
      if (event.source !== frame.contentWindow || event.origin !== origin) return;
      const cookie = (event.data as { cookie?: string }).cookie === "yes";
      finish(cookie ? ok("Previews open beside the editor, with cookies of their own.") : withoutCookies());
    };
    const timer = setTimeout(() => finish(byProxy(fail("Previews cannot be shown beside the editor.",
      "Something forbids frames: let the proxy add no X-Frame-Options and no Content-Security-Policy to previews."))), PATIENCE_MS);
    addEventListener("message", hear);
    document.body.append(frame);
  });
}

function withoutCookies(): Result {
  if (!window.isSecureContext) return warn("Previews open in tabs of their own only: without TLS a browser keeps no cookies in frames.", "Put a proxy with a certificate in front.");
  return warn("Your browser keeps no cookies in frames: previews open in tabs of their own only.", "It is the browser's setting, or the proxy removes Set-Cookie from previews.");
}
