/** The dock of terminals: tabs of one workspace, each a tmux session. */
import { api, explain } from "../lib/api";
import { copyText } from "../lib/clipboard";
import { downloadHome } from "../lib/archive";
import { offer } from "../lib/commands";
import { confirmThat, openDialog } from "../lib/dialog";
import { boot, byId, h, isMac } from "../lib/dom";
import { listen } from "../lib/events";
import { warnOfLevel } from "../lib/home-level";
import { openMenu as showMenu, popMenu } from "../lib/menu";
import { onThemeChange } from "../lib/theme-choice";
import { toast } from "../lib/toast";
import type { Workspace } from "../lib/types";
import { banner } from "../terminal/banner";
import { showHelp } from "../terminal/help";
import { keybar } from "../terminal/keybar";
import { Lifecycle } from "../terminal/lifecycle";
import { Overlay } from "../terminal/overlay";
import { Pane, type PaneHooks } from "../terminal/pane";
import { finder } from "../terminal/search";
import { fontSize, screenReader, setFontSize, setScreenReader, storedTabs, storeTabs } from "../terminal/settings";
import { installShortcuts } from "../terminal/shortcuts";
import { isShell, TabStrip } from "../terminal/tabs";
import { scrollByTouch } from "../terminal/touch";

export interface DockStart {
  workspace: Workspace;
  /** The sessions that there are. */
  sessions: string[];
}

/** What the page learns from its terminals. */
export interface DockHooks {
  /** The workspace is another, or of another state or activity. */
  workspace: (workspace: Workspace) => void;
  /** Whether the server answers. */
  online: (online: boolean) => void;
  /** Somebody chose a terminal: it must be seen. */
  reveal: () => void;
  /** Open the palette. */
  palette: () => void;
  /** Whether the keyboard belongs to the terminals. */
  owns: () => boolean;
}

export interface Dock {
  /** The workspace as it was last heard of. */
  workspace: () => Workspace;
  focus: () => void;
  /** Open a terminal, in a folder where one is given. */
  newTab: (folder?: string) => void;
  /** Somebody works in the page: the warning of idleness goes. */
  touched: () => void;
  start: () => void;
}

const start = boot<DockStart>();
const name = start.workspace.name;
/** Less is no terminal but the dock being folded away. */
const MIN_HEIGHT = 24;
let page: DockHooks | null = null;
const screens = byId("screens");
const panes = new Map<string, Pane>();
let active = "";

const current = (): Pane | null => panes.get(active) ?? null;
const keys = keybar(byId("keybar"), current);
const find = finder(current);
const strip = new TabStrip(byId("tabs"), { choose: (session) => activate(session), close: (session) => void closeTab(session) });
const overlay = new Overlay(screens);
const lifecycle = new Lifecycle(start.workspace, {
  live: () => [...panes.values()].filter((pane) => pane.shown && !pane.ended),
  ended: (pane) => shellEnded(pane),
  revive: () => { for (const pane of panes.values()) pane.ended = false; },
  focus: () => { if (page?.owns()) current()?.terminal.focus(); },
  changed: (workspace) => page?.workspace(workspace),
}, banner(byId("banner")), overlay);

const hooks: PaneHooks = {
  connected: (pane) => lifecycle.connected(pane),
  disconnected: (_pane, opened) => void lifecycle.disconnected(opened),
  titled(pane) {
    strip.title(pane.session, pane.title);
    if (pane.session === active) retitle();
  },
  copied: (characters) => toast(`Copied ${characters} ${characters === 1 ? "character" : "characters"}`, { seconds: 1.6, kind: "ok" }),
  typed(text) {
    lifecycle.touched();
    return keys.typed(text);
  },
};

function retitle(): void {
  const title = current()?.title ?? "";
  document.title = `${isShell(title) ? "" : `${title} · `}${name} · RootBlood`;
}

function remember(): void {
  storeTabs(name, { order: [...panes.keys()], active });
}

function addTab(session: string): void {
  const url = `${location.origin.replace(/^http/, "ws")}/api/v1/workspaces/${encodeURIComponent(name)}/terminal?session=${encodeURIComponent(session)}`;
  const pane = new Pane(session, url, hooks);
  panes.set(session, pane);
  screens.append(pane.element);
  strip.add(session);
}

function activate(session: string): void {
  const pane = panes.get(session);
  if (!pane) return;
  if (session !== active) find.close();
  active = session;
  for (const other of panes.values()) if (other !== pane) other.hide();
  strip.select(session);
  pane.show();
  if (lifecycle.workspace.state === "running" && !overlay.open && !pane.ended) pane.connect();
  retitle();
  remember();
}

function newTab(): void {
  let n = panes.size ? 2 : 1;
  while (panes.has(n === 1 ? "main" : `t${n}`)) n += 1;
  const session = n === 1 ? "main" : `t${n}`;
  addTab(session);
  activate(session);
}

function dropTab(session: string): void {
  const names = [...panes.keys()];
  const at = names.indexOf(session);
  panes.get(session)?.dispose();
  panes.delete(session);
  strip.remove(session);
  if (session === active) {
    const next = names[at + 1] ?? names[at - 1];
    if (next) activate(next);
    else newTab();
  }
  remember();
}

/** The program in a session. tmux may take 15 s to change the title, so the server is asked first. */
async function programIn(pane: Pane): Promise<string> {
  try {
    return (await api.sessions(name)).find((session) => session.name === pane.session)?.command ?? pane.title;
  } catch {
    return pane.title;
  }
}

async function closeTab(session: string): Promise<void> {
  const pane = panes.get(session);
  if (!pane) return;
  const program = lifecycle.workspace.state === "running" ? await programIn(pane) : "";
  if (!isShell(program) && !(await confirmThat(`Close ${session}? “${program}” is still running in it and would end.`, "Close it", true))) return current()?.terminal.focus();
  pane.connection.close();
  // Closing the last tab makes a new one, maybe of the same name: the old session must be gone by then.
  try {
    if (lifecycle.workspace.state === "running") await api.endSession(name, session);
  } catch (error) {
    toast("The session may still be there", { kind: "warn", text: explain(error) });
  }
  dropTab(session);
  current()?.terminal.focus();
}

/** The shell said goodbye: its tab goes, and the last one offers a fresh shell. */
function shellEnded(pane: Pane): void {
  if (panes.size > 1) return dropTab(pane.session);
  pane.ended = true;
  pane.terminal.write("\r\n\x1b[0m[The shell has ended. Press Enter for a new one.]\x1b[?25l");
  const subscription = pane.terminal.onKey(({ domEvent }) => {
    if (!pane.ended) return subscription.dispose();
    if (domEvent.key !== "Enter") return;
    subscription.dispose();
    pane.ended = false;
    pane.connection.close();
    pane.connect();
  });
}

function resizeText(delta: number): void {
  setFontSize(fontSize() + delta);
  restyle();
}

function restyle(): void {
  for (const pane of panes.values()) pane.restyle();
}

function toggleReader(): void {
  setScreenReader(!screenReader());
  byId("reader").setAttribute("aria-pressed", String(screenReader()));
  restyle();
  toast(screenReader() ? "Screen reader mode is on" : "Screen reader mode is off", { seconds: 2 });
  current()?.terminal.focus();
}

function toggleFullscreen(): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void document.documentElement.requestFullscreen().catch(() => undefined);
}

function showText(): void {
  const text = current()?.text() ?? "";
  const area = h("textarea", { class: "input mono", rows: 16, readonly: true, "aria-label": "The screen as text" });
  area.value = text;
  openDialog({ title: "The screen as text", verb: "Copy all", body: [area], submit: async () => { await copyText(text); } });
}

async function stop(): Promise<void> {
  if (!(await confirmThat(`Stop ${name}? What runs in it ends. Your files are kept.`, "Stop"))) return;
  lifecycle.update({ ...lifecycle.workspace, state: "stopping" });
  try {
    lifecycle.update(await api.act(name, "stop"));
  } catch (error) {
    toast(`${name} could not stop`, { kind: "error", text: explain(error) });
  }
}

async function restart(): Promise<void> {
  if (await confirmThat(`Restart ${name}? What runs in it ends. Your files are kept.`, "Restart")) await lifecycle.start("restart");
}

function openMenu(): void {
  const running = lifecycle.workspace.state === "running";
  popMenu(byId("more"), "More", [
    { label: "Commands …", icon: "search", run: () => page?.palette() },
    { label: "The screen as text …", icon: "file-text", run: showText },
    { label: "Smaller text", icon: "a-arrow-down", run: () => resizeText(-1) },
    { label: "Larger text", icon: "a-arrow-up", run: () => resizeText(1) },
    { label: "Screen reader mode", icon: "accessibility", checked: screenReader(), run: toggleReader },
    { label: "Theme …", icon: "sun-moon", run: () => showMenu(byId("theme-menu"), byId("more")) },
    { label: "Full screen", icon: "maximize", run: toggleFullscreen },
    null,
    running ? { label: "Restart the workspace …", icon: "rotate-cw", run: () => void restart() } : { label: "Start the workspace", icon: "play", run: () => void lifecycle.start() },
    ...(running ? [{ label: "Stop the workspace …", icon: "square", run: () => void stop() }] : []),
    { label: "Download my home", icon: "download", run: downloadHome },
    null,
    { label: "Keys and help …", icon: "circle-question-mark", run: showHelp },
    { label: "All workspaces", icon: "layout-grid", href: "/" },
  ]);
}

function wire(): void {
  byId("add-tab").addEventListener("click", newTab);
  byId("find").addEventListener("click", find.open);
  byId("smaller").addEventListener("click", () => resizeText(-1));
  byId("larger").addEventListener("click", () => resizeText(1));
  byId("reader").addEventListener("click", toggleReader);
  byId("reader").setAttribute("aria-pressed", String(screenReader()));
  byId("fullscreen").addEventListener("click", toggleFullscreen);
  byId("more").addEventListener("click", openMenu);
  onThemeChange(restyle);
  new ResizeObserver(() => { if (screens.clientHeight > MIN_HEIGHT) current()?.fit(); }).observe(screens);
  scrollByTouch(screens, () => (current()?.terminal.element?.clientHeight ?? 400) / (current()?.terminal.rows ?? 24));
  installShortcuts({ current, owns: () => page?.owns() ?? true, newTab, find: find.open, choose: (at) => activate([...panes.keys()][at] ?? active), step: (by) => {
    const names = [...panes.keys()];
    activate(names[(names.indexOf(active) + by + names.length) % names.length] ?? active);
  } });
  // iOS draws its keyboard over the page: follow what is left of it.
  visualViewport?.addEventListener("resize", () => document.documentElement.style.setProperty("--visible", `${visualViewport?.height ?? innerHeight}px`));
  listen("state", ({ workspaces, home }) => {
    if (home) warnOfLevel(home);
    const mine = workspaces.find((workspace) => workspace.name === name);
    if (mine) lifecycle.update(mine);
  });
  listen("online", (online) => page?.online(online));
  listen("signed-out", () => lifecycle.signedOut());
  offer(() => [
    ...[...panes.keys()].map((session) => ({ title: `Show ${session}`, icon: "terminal", group: "Tab", run: () => { page?.reveal(); activate(session); } })),
    { title: "New terminal", icon: "plus", group: "Tab", run: () => { page?.reveal(); newTab(); } },
    { title: `Close ${active}`, icon: "x", group: "Tab", run: () => void closeTab(active) },
    { title: "Search the history", icon: "search", group: isMac ? "⌘F" : "Ctrl Shift F", run: () => { page?.reveal(); find.open(); } },
    { title: `Restart ${name}`, icon: "rotate-cw", group: "Workspace", run: () => void restart() },
    { title: `Stop ${name}`, icon: "square", group: "Workspace", run: () => void stop() },
    { title: "All workspaces", icon: "layout-grid", group: "Page", run: () => { location.href = "/"; } },
    { title: "Keys and help", icon: "circle-question-mark", group: "Help", run: showHelp },
  ]);
}

/** Fill the dock that the template has, wake the workspace and connect. */
export function openDock(hooks: DockHooks): Dock {
  page = hooks;
  const stored = storedTabs(name);
  const known = start.sessions.length ? start.sessions : ["main"];
  for (const session of [...stored.order.filter((one) => known.includes(one)), ...known.filter((one) => !stored.order.includes(one))]) addTab(session);
  wire();
  const wanted = new URLSearchParams(location.search).get("session") ?? "";
  if (wanted) history.replaceState(null, "", location.pathname + location.hash);
  activate(panes.has(wanted) ? wanted : panes.has(stored.active) ? stored.active : [...panes.keys()][0]!);
  if (wanted) hooks.reveal();
  if (location.hash === "#new") {
    history.replaceState(null, "", location.pathname);
    hooks.reveal();
    newTab();
  }
  lifecycle.begin();
  // For browser tests and measurements: what is on the screen, and how far drawing lags behind.
  Object.assign(window, { rootblood: { text: () => current()?.text() ?? "", backlog: () => current()?.flow.backlog ?? 0, dropped: () => current()?.flow.dropped ?? 0 } });
  return {
    workspace: () => lifecycle.workspace,
    focus: () => { current()?.fit(); current()?.terminal.focus(); },
    newTab: (folder) => {
      hooks.reveal();
      newTab();
      // A control character in a name would be a key press.
      if (folder && !/\p{Cc}/u.test(folder)) current()?.type(` cd -- '${folder.replaceAll("'", "'\\''")}'\r`);
    },
    touched: () => lifecycle.touched(),
    start: () => void lifecycle.start(),
  };
}
