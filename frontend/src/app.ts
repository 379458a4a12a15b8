/** What every page runs: theme, menus, dialogs, times, palette, navigation on phones. */
import { offer } from "./lib/commands";
import { installDialogs } from "./lib/dialog";
import { byId, meta } from "./lib/dom";
import { installForms } from "./lib/forms";
import { installMenus } from "./lib/menu";
import { installPalette } from "./lib/palette";
import { chooseTheme, installThemeChoice } from "./lib/theme-choice";
import { keepTimes } from "./lib/time";
import { api, request } from "./lib/api";
import { downloadHome } from "./lib/archive";
import type { Workspace } from "./lib/types";

const go = (href: string) => (): void => { location.href = href; };
let workspaces: Workspace[] = [];

function installNavigation(): void {
  const toggles = document.querySelectorAll<HTMLElement>("[data-nav-toggle]");
  const set = (shown: boolean): void => {
    document.body.classList.toggle("nav-open", shown);
    for (const toggle of toggles) toggle.setAttribute("aria-expanded", String(shown));
    if (shown) document.querySelector<HTMLElement>(".sidebar a")?.focus();
  };
  for (const toggle of toggles) toggle.addEventListener("click", () => set(!document.body.classList.contains("nav-open")));
  addEventListener("keydown", (event) => { if (event.key === "Escape" && document.body.classList.contains("nav-open")) set(false); });
}

/** Commands about workspaces on pages that do not keep a live list of their own. */
function offerWorkspaces(): void {
  const load = async (): Promise<void> => {
    try {
      workspaces = (await request<{ workspaces: Workspace[] }>("GET", "/api/v1/workspaces")).workspaces;
    } catch {
      workspaces = [];
    }
  };
  void load();
  offer(() => workspaces.flatMap((workspace) => [
    { title: `Open ${workspace.name}`, icon: "terminal", group: workspace.state, run: go(workspace.url) },
    workspace.state === "running"
      ? { title: `Stop ${workspace.name}`, icon: "square", group: "Workspace", run: () => void api.act(workspace.name, "stop").then(load) }
      : { title: `Start ${workspace.name}`, icon: "play", group: "Workspace", run: () => void api.act(workspace.name, "start").then(load) },
  ]));
}

function offerPages(): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>(".sidebar a")];
  offer(() => [
    ...links.map((link) => ({ title: link.textContent?.trim() ?? "", icon: link.querySelector("use")?.getAttribute("href")?.split("#")[1] ?? "file", group: "Page", run: go(link.href) })),
    ...(location.pathname === "/" ? [] : [{ title: "New workspace", icon: "plus", group: "Command", run: go("/?new") }]),
    { title: "New repository", icon: "folder-git-2", group: "Commons", words: "git publish create", run: go("/global/-/new") },
    { title: "My repositories", icon: "user", group: "Commons", words: "git profile", run: go(`/global/${encodeURIComponent(meta("user"))}/`) },
    ...[...document.querySelectorAll<HTMLAnchorElement>(".repotabs[aria-label=Repository] a")].map((link) => ({ title: link.firstElementChild?.nextSibling?.textContent?.trim() ?? "", icon: link.querySelector("use")?.getAttribute("href")?.split("#")[1] ?? "file", group: "Repository", run: go(link.href) })),
    { title: "Download my home", icon: "download", group: "Command", words: "archive tar backup", run: downloadHome },
    { title: "Dark theme", icon: "moon", group: "Theme", run: () => chooseTheme("dark") },
    { title: "Light theme", icon: "sun", group: "Theme", run: () => chooseTheme("light") },
    { title: "Theme like the system", icon: "monitor", group: "Theme", run: () => chooseTheme("system") },
    { title: "Sign out", icon: "log-out", group: "Command", run: () => (byId("logout") as HTMLFormElement).submit() },
  ]);
}

installThemeChoice();
installMenus();
installDialogs();
installForms();
keepTimes();
installNavigation();
if (meta("user")) {
  const terminal = document.getElementById("screens") !== null;
  if (!terminal && !document.getElementById("dashboard")) offerWorkspaces();
  offerPages();
  // The IDE has a palette of its own.
  if (!terminal) installPalette();
}
if (document.getElementById("spec")) void import("./lib/examples").then((module) => module.fillExamples());
