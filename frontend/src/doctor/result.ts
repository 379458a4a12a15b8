/** What a check of the doctor's page says, in the words of the server's own findings. */

export type Verdict = "ok" | "warn" | "fail" | "skip";

export interface Result {
  verdict: Verdict;
  what: string;
  /** What to change; shown to administrators. */
  hint?: string;
  /** Whether the proxy's configuration is what to change. */
  proxy?: boolean;
}

/** The answer of /api/v1/doctor/seen. */
export interface Seen {
  mark: string;
  scheme: string;
  host: string;
  address: string;
  now: string;
  secure_cookie: boolean;
  exposed: boolean;
  forwarded: string[];
  trusted_proxies: number | null;
}

/** What the template left in #boot. */
export interface Boot {
  admin: boolean;
  /** Which installation this is. */
  mark: string;
  /** A preview that nobody has; port "" is this page's. */
  probe: { host: string; port: string };
}

export const ok = (what: string): Result => ({ verdict: "ok", what });
export const warn = (what: string, hint = ""): Result => ({ verdict: "warn", what, hint });
export const fail = (what: string, hint = ""): Result => ({ verdict: "fail", what, hint });
/** What could not be looked at, because of another failure. */
export const skip = (what: string): Result => ({ verdict: "skip", what });
/** The same, for what a proxy in between does. */
export const byProxy = (result: Result): Result => ({ ...result, proxy: true });
