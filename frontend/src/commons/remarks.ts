/** Speaking about a line of a diff: the form opens below the line instead of on a page of its own. */
import { h } from "../lib/dom";

function close(row: HTMLElement, opener: HTMLElement): void {
  row.remove();
  opener.focus();
}

function open(template: HTMLTemplateElement, opener: HTMLButtonElement): void {
  const line = opener.closest("tr");
  if (!line) return;
  const following = line.nextElementSibling;
  if (following?.classList.contains("speaking")) return following.querySelector("textarea")?.focus();
  const content = template.content.cloneNode(true) as DocumentFragment;
  content.querySelector<HTMLInputElement>("[name=at]")!.value = opener.value;
  const cell = h("td", { colspan: 4 });
  cell.append(content);
  const row = h("tr", { class: "remark speaking" }, cell);
  row.querySelector("[data-cancel]")?.addEventListener("click", (event) => { event.preventDefault(); close(row, opener); });
  row.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(row, opener);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) row.querySelector("form")?.requestSubmit();
  });
  line.after(row);
  row.querySelector("textarea")?.focus();
}

/** Wire the buttons beside the lines. */
export function installRemarks(): void {
  const template = document.getElementById("line-form") as HTMLTemplateElement | null;
  if (!template) return;
  document.addEventListener("click", (event) => {
    const opener = (event.target as Element).closest<HTMLButtonElement>("button.say");
    if (!opener) return;
    event.preventDefault();
    open(template, opener);
  });
}
