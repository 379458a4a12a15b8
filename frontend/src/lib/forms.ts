/** Small conveniences of server-rendered pages: password fields, copy buttons, table filters, browser names. */
import { announce, setText } from "./dom";
import { copyText } from "./clipboard";
import { usernameRules } from "./names";

/** 0 (empty) to 4 (long). Length counts most: it is what stops guessing. */
export function passwordLevel(password: string): number {
  if (!password) return 0;
  if (password.length < 10) return 1;
  const distinct = new Set(password).size;
  if (distinct < 5) return 1;
  if (password.length >= 20 && distinct >= 9) return 4;
  return password.length >= 14 && distinct >= 7 ? 3 : 2;
}

const LEVELS = ["", "Too easy to guess: use at least 10 different characters.", "Good enough. Longer is better.", "Strong.", "Very strong."];

function installPasswords(): void {
  for (const toggle of document.querySelectorAll<HTMLElement>("[data-reveal]")) {
    toggle.addEventListener("click", () => {
      const input = document.getElementById(toggle.dataset["reveal"] ?? "") as HTMLInputElement | null;
      if (!input) return;
      const show = input.type === "password";
      input.type = show ? "text" : "password";
      toggle.setAttribute("aria-pressed", String(show));
      toggle.setAttribute("aria-label", show ? "Hide the password" : "Show the password");
      toggle.querySelector("use")?.setAttribute("href", toggle.querySelector("use")!.getAttribute("href")!.replace(/#.*/, show ? "#eye-off" : "#eye"));
      input.focus();
    });
  }
  for (const input of document.querySelectorAll<HTMLInputElement>("[data-strength]")) {
    const field = input.closest(".field");
    const meter = field?.querySelector<HTMLElement>(".meter");
    const note = field?.querySelector<HTMLElement>(".hint");
    const hint = note?.textContent ?? "";
    input.addEventListener("input", () => {
      const level = passwordLevel(input.value);
      if (meter) {
        meter.dataset["level"] = String(level);
        meter.querySelector("span")?.style.setProperty("width", `${level * 25}%`);
      }
      if (note) setText(note, input.value.length > 0 && input.value.length < 10 ? `${10 - input.value.length} more to go.` : LEVELS[level] || hint);
    });
  }
}

function installUsernameRules(): void {
  const input = document.querySelector<HTMLInputElement>("[data-rules='username']");
  const update = (): void => {
    const met = usernameRules(input?.value ?? "");
    for (const rule of document.querySelectorAll<HTMLElement>("[data-rule]")) rule.classList.toggle("met", met[rule.dataset["rule"] as keyof typeof met]);
  };
  input?.addEventListener("input", update);
  if (input) update();
}

function installCopyButtons(): void {
  document.addEventListener("click", async (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-copy]");
    const source = button && document.getElementById(button.dataset["copy"] ?? "");
    if (!button || !source) return;
    const done = await copyText(source.textContent?.trim() ?? "");
    const label = button.querySelector("span");
    if (label) {
      setText(label, done ? "Copied" : "Select it and press Ctrl+C");
      setTimeout(() => setText(label, "Copy"), 2500);
    }
    announce(done ? "Copied" : "Copying was refused");
  });
}

function installFilters(): void {
  for (const input of document.querySelectorAll<HTMLInputElement>("[data-filter]")) {
    const table = document.getElementById(input.dataset["filter"] ?? "");
    input.addEventListener("input", () => {
      const query = input.value.trim().toLowerCase();
      for (const row of table?.querySelectorAll<HTMLElement>("[data-key]") ?? []) row.hidden = !(row.dataset["key"] ?? "").toLowerCase().includes(query);
    });
  }
}

/** "Mozilla/5.0 (X11; Linux ...) Firefox/130" -> "Firefox on Linux". */
export function agentName(agent: string): string {
  const browsers: [RegExp, string][] = [[/Edg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/Chrome\//, "Chrome"], [/Safari\//, "Safari"], [/curl\//, "curl"]];
  const systems: [RegExp, string][] = [[/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Windows/, "Windows"], [/Mac OS X/, "macOS"], [/CrOS/, "ChromeOS"], [/Linux|X11/, "Linux"]];
  const find = (list: [RegExp, string][]): string => list.find(([pattern]) => pattern.test(agent))?.[1] ?? "";
  const [browser, system] = [find(browsers), find(systems)];
  return browser && system ? `${browser} on ${system}` : browser || agent.slice(0, 60) || "Unknown";
}

function installPrinting(): void {
  for (const button of document.querySelectorAll<HTMLElement>("[data-print]")) button.addEventListener("click", () => window.print());
}

/** Wire all of it; harmless on pages that have none. */
export function installForms(): void {
  installPasswords();
  installUsernameRules();
  installCopyButtons();
  installFilters();
  installPrinting();
  for (const element of document.querySelectorAll<HTMLElement>("[data-agent]")) setText(element, agentName(element.dataset["agent"] ?? ""));
  for (const chip of document.querySelectorAll<HTMLElement>("[data-expires]")) if (Date.parse(chip.dataset["expires"] ?? "") < Date.now()) setText(chip, "expired");
}
