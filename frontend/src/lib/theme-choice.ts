/** The dark | light | system choice: kept in localStorage, followed by all open tabs. */
export type Theme = "dark" | "light" | "system";

const KEY = "rootblood.theme";
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

export function chosenTheme(): Theme {
  const value = root.dataset["theme"];
  return value === "dark" || value === "light" ? value : "system";
}

/** The theme that is on screen now. */
export function shownTheme(): "dark" | "light" {
  const chosen = chosenTheme();
  return chosen === "system" ? (system.matches ? "dark" : "light") : chosen;
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  apply(theme);
}

/** Call back whenever what is on screen may have changed. */
export function onThemeChange(listener: () => void): void {
  listeners.add(listener);
}

function apply(theme: Theme): void {
  root.dataset["theme"] = theme;
  for (const button of document.querySelectorAll<HTMLElement>("[data-theme-choice]"))
    button.setAttribute("aria-checked", String(button.dataset["themeChoice"] === theme));
  for (const listener of listeners) listener();
}

/** Wire the theme buttons of the page. */
export function installThemeChoice(): void {
  apply(chosenTheme());
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-theme-choice]");
    if (!button) return;
    chooseTheme(button.dataset["themeChoice"] as Theme);
    button.closest<HTMLElement>("[popover]")?.hidePopover();
  });
  system.addEventListener("change", () => apply(chosenTheme()));
  addEventListener("storage", (event) => {
    if (event.key === KEY) apply((event.newValue as Theme | null) ?? "system");
  });
}
