/** "Download my home": a native download, with its progress told by the server's events. */
import { h } from "./dom";
import { listen } from "./events";
import { bytes, duration } from "./format";
import { toast, type Toast } from "./toast";

const mine = new Map<string, Toast>();
let listening = false;

/** Start the download; the browser saves the file and cancels it natively. */
export function downloadHome(): void {
  if (!listening) listen("archive", update);
  listening = true;
  const id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const note = toast("Packing your home", { seconds: 0, text: "The browser saves it as a .tar.gz file." });
  note.body.append(h("div", { class: "bar unknown" }, h("span")));
  mine.set(id, note);
  const link = h("a", { href: `/api/v1/home/archive?id=${id}`, download: true, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  // Without an event in this time the server has none to send, or the download never began.
  setTimeout(() => { if (!note.element.dataset["seen"]) { mine.delete(id); note.close(); } }, 20_000);
}

function update(progress: Parameters<Parameters<typeof listen<"archive">>[1]>[0]): void {
  const note = mine.get(progress.id);
  if (!note) return;
  note.element.dataset["seen"] = "yes";
  const title = note.body.querySelector(".title")!;
  const text = note.body.querySelector(".small")!;
  const rate = progress.elapsed_seconds > 0 ? ` · ${bytes(progress.sent_bytes / progress.elapsed_seconds)}/s` : "";
  const total = progress.home_bytes ? ` of about ${bytes(progress.home_bytes)}` : "";
  text.textContent = `${bytes(progress.sent_bytes)}${progress.state === "running" ? total : ""}${rate} · ${duration(progress.elapsed_seconds)}`;
  const bar = note.body.querySelector<HTMLElement>(".bar");
  if (bar && progress.home_bytes) {
    bar.classList.remove("unknown");
    bar.querySelector("span")!.style.width = `${Math.min(100, (100 * progress.sent_bytes) / progress.home_bytes)}%`;
  }
  if (progress.state === "running") return;
  bar?.remove();
  title.textContent = progress.state === "done" ? "Your home is saved" : "The download broke off";
  note.element.classList.add(progress.state === "done" ? "ok" : "error");
  mine.delete(progress.id);
  setTimeout(note.close, 10_000);
}
