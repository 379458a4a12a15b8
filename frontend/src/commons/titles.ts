/** A proposal is called as the last commit of its branch, until somebody writes another title. */

/** Let the title follow the chosen branch while it is as it was offered. */
export function installTitles(): void {
  const source = document.querySelector<HTMLSelectElement>("[data-titles]");
  const title = document.querySelector<HTMLInputElement>("#title");
  if (!source || !title) return;
  const offered = (): string => source.selectedOptions[0]?.dataset["title"] ?? "";
  let last = offered();
  source.addEventListener("change", () => {
    if (title.value === last || !title.value) title.value = offered();
    last = offered();
  });
}
