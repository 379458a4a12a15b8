/** The rows of the doctor's page: what is asked, what was found, what to change. */
import { announce, h, icon } from "../lib/dom";
import type { Result, Verdict } from "./result";

const CHIPS: Record<Verdict, () => HTMLElement> = {
  ok: () => h("span", { class: "chip green" }, icon("circle-check"), "fine"),
  warn: () => h("span", { class: "chip amber" }, icon("triangle-alert"), "could be better"),
  skip: () => h("span", { class: "chip" }, icon("ban"), "not looked at"),
  fail: () => h("span", { class: "chip red" }, icon("circle-alert"), "broken"),
};

/** One check's row. */
export class Row {
  readonly element: HTMLTableRowElement;
  result: Result | null = null;
  private readonly chip = h("span", { class: "row" });
  private readonly finding = h("div");

  constructor(readonly key: string, readonly title: string, private readonly hints: boolean) {
    this.element = h("tr", { "data-key": key },
      h("td", { class: "title" }, h("span", { class: "row" }, this.chip, h("strong", {}, title))),
      h("td", { "data-label": "Finding" }, this.finding));
    this.wait("Looking …");
  }

  /** Say that the answer is not there yet. */
  wait(text: string): void {
    this.result = null;
    this.element.dataset["verdict"] = "";
    this.chip.replaceChildren(h("span", { class: "chip" }, icon("timer"), "looking"));
    this.finding.replaceChildren(h("span", { class: "muted" }, text));
  }

  show(result: Result): void {
    this.result = result;
    this.element.dataset["verdict"] = result.verdict;
    this.chip.replaceChildren(CHIPS[result.verdict]());
    const hint = this.hints && result.verdict !== "ok" ? result.hint : "";
    this.finding.replaceChildren(result.what, hint ? h("p", { class: "small muted" }, hint) : "");
    if (result.verdict === "fail") announce(`${this.title}: ${result.what}`);
  }
}

/** All that is on the page as text, for whoever can mend it. */
export function report(): string {
  const rows = [...document.querySelectorAll<HTMLElement>("#outside tr[data-key], #findings tr[data-key]")];
  const lines = rows.map((row) => [row.querySelector(".chip"), row.querySelector("strong"), row.querySelector("td + td")].map((part) => part?.textContent?.replace(/\s+/g, " ").trim() ?? "").join(" · "));
  return [`${location.origin}, ${new Date().toISOString()}`, navigator.userAgent, ...lines, ""].join("\n");
}
