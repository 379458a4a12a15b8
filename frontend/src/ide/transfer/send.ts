/** Sends one file; unlike fetch, XMLHttpRequest tells how far it has come. */
import { Problem } from "../../lib/api";
import { meta } from "../../lib/dom";

export interface Sending {
  done: Promise<void>;
  cancel: () => void;
}

/** PUT a file where there must be none yet, unless it may replace one. `done` rejects with Problem, or null when cancelled. */
export function sendFile(url: string, file: File, replace: boolean, progress: (sent: number) => void): Sending {
  const call = new XMLHttpRequest();
  const done = new Promise<void>((resolve, reject) => {
    call.open("PUT", url);
    call.setRequestHeader("X-CSRFToken", meta("csrf-token"));
    call.setRequestHeader("Content-Type", "application/octet-stream");
    if (!replace) call.setRequestHeader("If-None-Match", "*");
    call.upload.addEventListener("progress", (event) => progress(event.loaded));
    call.addEventListener("load", () => {
      if (call.status < 300) return resolve();
      reject(problemOf(call));
    });
    // The browser says the same of a file that has changed or gone since it was picked.
    call.addEventListener("error", () => reject(new Problem("It could not be sent", 0, "The connection broke, or the file on your device has changed.", "unreachable")));
    call.addEventListener("abort", () => reject(null));
    call.send(file);
  });
  return { done, cancel: () => call.abort() };
}

function problemOf(call: XMLHttpRequest): Problem {
  try {
    const { title, detail, slug, hint } = JSON.parse(call.responseText) as Record<string, string | undefined>;
    return new Problem(title ?? `The server answered ${call.status}`, call.status, detail, slug, hint);
  } catch {
    return new Problem(`The server answered ${call.status}`, call.status);
  }
}
