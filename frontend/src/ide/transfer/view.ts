/** The list of what is on its way, at the corner of the page. */
import { button, h, icon, iconButton, setText } from "../../lib/dom";
import { bytes, duration } from "../../lib/format";
import { visible, visibleText } from "../../lib/visible";
import { shorten } from "../paths";
import type { Fate, Queue, Upload } from "./queue";

/** The others are counted. */
const ROWS_MOST = 100;
const DRAW_MS = 120;
const ICONS: Record<Fate, string> = { waiting: "clock", sending: "upload", done: "circle-check", skipped: "ban", failed: "circle-alert", cancelled: "ban" };
const WORDS: Record<Fate, string> = { waiting: "Waits", sending: "", done: "Done", skipped: "Skipped", failed: "", cancelled: "Cancelled" };

export class TransferView {
  private readonly title = h("h2", { role: "status" });
  private readonly numbers = h("p", { class: "small muted" });
  private readonly bar = h("span");
  private readonly cancel = button("Cancel all", null, "tiny", () => this.queue.cancelAll());
  private readonly list = h("ul", { class: "uploads" });
  private readonly rest = h("p", { class: "small muted", hidden: true });
  private readonly element: HTMLElement;
  private readonly rows = new Map<Upload, { row: HTMLElement; fate: Fate }>();
  private timer = 0;
  private began = 0;

  constructor(private readonly queue: Queue, private readonly home: string, closed: () => void) {
    this.element = h("section", { class: "transfers", popover: "manual", "aria-label": "Uploads" },
      h("header", {}, this.title, this.cancel,
        iconButton("Fold", "chevron-down", () => this.element.classList.toggle("folded"), "quiet fold"),
        iconButton("Close", "x", () => { if (!this.queue.running) { this.element.remove(); closed(); } }, "quiet close")),
      h("div", { class: "bar" }, this.bar), this.numbers, this.list, this.rest);
    document.body.append(this.element);
    this.element.showPopover();
    this.began = performance.now();
    this.drawNow();
  }

  /** Take up what the queue has; often called, seldom drawn. */
  draw(): void {
    this.timer ||= window.setTimeout(() => { this.timer = 0; this.drawNow(); }, DRAW_MS);
  }

  private drawNow(): void {
    const { uploads, running } = this.queue;
    const counted = uploads.filter(({ fate }) => fate !== "skipped" && fate !== "cancelled");
    const total = counted.reduce((sum, { file }) => sum + file.size, 0);
    const sent = counted.reduce((sum, one) => sum + one.sent, 0);
    const of = (fate: Fate): number => uploads.filter((one) => one.fate === fate).length;
    const files = (n: number): string => `${n.toLocaleString()} ${n === 1 ? "file" : "files"}`;
    const failed = of("failed");
    setText(this.title, running ? `Uploading ${files(of("waiting") + of("sending"))}` : failed ? `${files(failed)} did not arrive` : of("done") ? `${files(of("done"))} uploaded` : "Nothing was uploaded");
    const seconds = (performance.now() - this.began) / 1000;
    const rate = sent / Math.max(seconds, 0.1);
    const left = running && seconds > 1 && sent ? ` · ${duration((total - sent) / rate)} left` : "";
    setText(this.numbers, `${bytes(sent)} of ${bytes(total)}${running && seconds > 1 ? ` · ${bytes(rate)}/s` : ""}${left}`);
    this.bar.style.width = `${total ? (100 * sent) / total : running ? 0 : 100}%`;
    this.cancel.hidden = !running;
    this.element.classList.toggle("running", running);
    this.element.classList.toggle("failed", failed > 0 && !running);
    this.drawRows();
  }

  private drawRows(): void {
    const { uploads } = this.queue;
    // What moves and what failed is seen first.
    const rank: Fate[] = ["sending", "failed", "waiting", "skipped", "cancelled", "done"];
    const shown = [...uploads].sort((a, b) => rank.indexOf(a.fate) - rank.indexOf(b.fate)).slice(0, ROWS_MOST);
    this.rest.hidden = uploads.length <= ROWS_MOST;
    setText(this.rest, `and ${(uploads.length - ROWS_MOST).toLocaleString()} more`);
    for (const [upload, { row }] of this.rows) if (!shown.includes(upload)) { row.remove(); this.rows.delete(upload); }
    for (const upload of shown) {
      const known = this.rows.get(upload);
      if (known?.fate !== upload.fate) {
        const row = this.row(upload);
        const held = known?.row.contains(document.activeElement);
        if (known) known.row.replaceWith(row);
        else this.list.append(row);
        this.rows.set(upload, { row, fate: upload.fate });
        if (held) (row.querySelector<HTMLElement>("button") ?? this.element.querySelector<HTMLElement>("header button:not([hidden])"))?.focus();
      }
      if (upload.fate !== "sending") continue;
      const { row } = this.rows.get(upload)!;
      const percent = upload.file.size ? (100 * upload.sent) / upload.file.size : 0;
      row.querySelector<HTMLElement>(".bar > span")!.style.width = `${percent}%`;
      setText(row.querySelector(".numbers")!, percent >= 100 ? "is being written" : `${Math.round(percent)} % of ${bytes(upload.file.size)}`);
    }
    const order = shown.map((upload) => this.rows.get(upload)!.row);
    if (order.some((row, i) => this.list.children[i] !== row) && !this.list.contains(document.activeElement)) this.list.replaceChildren(...order);
  }

  private row(upload: Upload): HTMLElement {
    const { fate } = upload;
    const name = visibleText(shorten(upload.path, this.home));
    const busy = fate === "waiting" || fate === "sending";
    return h("li", { class: fate },
      icon(ICONS[fate]),
      h("div", { class: "grow" },
        h("div", { class: "name", title: name }, ...visible(shorten(upload.path, this.home))),
        fate === "sending" ? h("div", { class: "bar" }, h("span")) : null,
        h("div", { class: "small muted numbers" }, WORDS[fate] || upload.why)),
      busy ? iconButton(`Cancel ${name}`, "x", () => this.queue.cancel(upload)) : null,
      fate === "failed" || fate === "cancelled" ? iconButton(`Send ${name} again`, "rotate-cw", () => this.queue.retry(upload)) : null);
  }
}
