/** Tabs that scroll, and lists that open below a button: closed by Escape and by a click elsewhere, filtered by typing. */

/** Show the chosen tab where a row of them is wider than the screen. */
export function showTabs(): void {
  for (const tab of document.querySelectorAll<HTMLElement>(".repotabs [aria-current]")) {
    const row = tab.parentElement!;
    row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
  }
}

/** Wire all <details data-switch> and the filters in them. */
export function installSwitches(): void {
  const all = [...document.querySelectorAll<HTMLDetailsElement>("[data-switch]")];
  for (const one of all) {
    one.addEventListener("toggle", () => { if (one.open) one.querySelector<HTMLElement>("input, a")?.focus(); });
    one.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && one.open) {
        one.open = false;
        one.querySelector("summary")?.focus();
      }
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        const links = [...one.querySelectorAll<HTMLElement>("a")].filter((link) => !link.hidden);
        const at = links.indexOf(document.activeElement as HTMLElement);
        links[(at + (event.key === "ArrowDown" ? 1 : -1) + links.length) % links.length]?.focus();
        event.preventDefault();
      }
    });
  }
  document.addEventListener("click", (event) => { for (const one of all) if (!one.contains(event.target as Node)) one.open = false; });
  for (const input of document.querySelectorAll<HTMLInputElement>("[data-filter-links]")) {
    input.addEventListener("input", () => {
      const words = input.value.trim().toLowerCase();
      for (const link of input.parentElement?.querySelectorAll("a") ?? []) link.hidden = !link.textContent?.toLowerCase().includes(words);
    });
  }
}
