/** The dashboard: summary tiles, a card for each workspace, and the commands on them. */
import { offer } from "./lib/commands";
import { boot, button, byId, h, icon } from "./lib/dom";
import { listen } from "./lib/events";
import { downloadHome } from "./lib/archive";
import { api, explainFully } from "./lib/api";
import { toast } from "./lib/toast";
import { brakeNotice, levelNotice, noticeElement } from "./lib/home-level";
import type { Home, Template, User, Workspace } from "./lib/types";
import { actionsFor } from "./dashboard/actions";
import { Card } from "./dashboard/card";
import { newWorkspaceDialog } from "./dashboard/create";
import { Store } from "./dashboard/store";
import { tiles } from "./dashboard/tiles";

/** A blink of the network is not worth a word. */
const OFFLINE_MS = 6000;

const start = boot<{ workspaces: Workspace[]; templates: Template[]; user: User; home: Home }>();
const store = new Store(start.workspaces);
let user = start.user;
const actions = actionsFor(store, () => user);
const templateOf = (name: string): Template | undefined => start.templates.find((template) => template.name === name);
const cards = new Map<string, Card>();
const summary = tiles();
const grid = h("div", { class: "grid" });
const offline = h("div", { class: "notice warn", hidden: true }, icon("wifi-off"), h("div", { class: "grow" }, h("strong", {}, "Out of touch with the server"), "What you see may be old. It is tried again by itself."));

function render(): void {
  const list = [...store.list()].sort((a, b) => a.name.localeCompare(b.name));
  summary.element.hidden = list.length === 0;
  summary.update(list, user);
  for (const [name, card] of cards) {
    if (list.some((workspace) => workspace.name === name)) continue;
    card.element.remove();
    cards.delete(name);
  }
  grid.querySelector(".empty")?.remove();
  list.forEach((workspace, at) => {
    let card = cards.get(workspace.name);
    if (card) card.update(workspace);
    else cards.set(workspace.name, (card = new Card(workspace, actions, templateOf)));
    // Moving an element that is in place already would take the focus from it.
    if (grid.children[at] !== card.element) grid.insertBefore(card.element, grid.children[at] ?? null);
  });
  if (list.length === 0) grid.append(empty());
}

const space = h("div", { class: "stack", hidden: true });
let said = "";

/** Show what the home takes, and say when its space runs out. */
function renderHome(home: Home): void {
  summary.updateHome(home);
  const found = [brakeNotice(home), levelNotice(home)].filter((notice) => notice !== null);
  const shape = found.map((notice) => notice.title + notice.text).join();
  if (shape === said) return;
  said = shape;
  space.replaceChildren(...found.map((notice) => noticeElement(notice, h("a", { class: "button tiny", href: "/home" }, "Make room"))));
  space.hidden = found.length === 0;
}

function empty(): HTMLElement {
  const ready = start.templates.some((template) => template.enabled && template.image_present);
  const card = h("section", { class: "card empty" }, h("span", { class: "emblem" }, icon("terminal")), h("h2", {}, ready ? "Open your first workspace" : "No template is ready yet"),
    h("p", {}, ready ? "A workspace is a container of your own with a terminal. Its files live in your home directory, which stays when the workspace stops or goes." : "Workspaces are made from templates, and this server has none whose image is there. Ask an administrator to add one."));
  if (ready) card.append(button("Open my first workspace", "play", "primary big", (event) => void openFirst(event.currentTarget as HTMLButtonElement)), h("p", { class: "small" }, "It will be called ", h("code", {}, "main"), ". You can choose another template with “New workspace”."));
  card.style.gridColumn = "1 / -1";
  return card;
}

async function openFirst(trigger: HTMLButtonElement): Promise<void> {
  trigger.disabled = true;
  try {
    location.href = (await api.create("main")).url;
  } catch (error) {
    trigger.disabled = false;
    toast("That did not work", { kind: "error", text: explainFully(error) });
  }
}

function openNew(template?: string): void {
  newWorkspaceDialog({ templates: start.templates, user, workspaces: [...store.list()], template, created: (workspace) => {
    store.put(workspace);
    if (workspace.state === "stopped") void actions.start(workspace);
  } });
}

offer(() => store.list().flatMap((workspace) => {
  const running = workspace.state === "running";
  return [
    { title: `Open ${workspace.name}`, icon: "terminal", group: workspace.state, run: () => { location.href = workspace.url; } },
    ...(running ? [
      { title: `New terminal in ${workspace.name}`, icon: "plus", group: "Workspace", run: () => { location.href = `${workspace.url}#new`; } },
      { title: `Stop ${workspace.name}`, icon: "square", group: "Workspace", run: () => void actions.stop(workspace) },
      { title: `Restart ${workspace.name}`, icon: "rotate-cw", group: "Workspace", run: () => void actions.restart(workspace) },
    ] : [{ title: `Start ${workspace.name}`, icon: "play", group: "Workspace", run: () => void actions.start(workspace) }]),
    { title: `Limits of ${workspace.name}`, icon: "sliders-horizontal", group: "Workspace", run: () => actions.limits(workspace) },
  ];
}));
offer(() => [{ title: "New workspace", icon: "plus", group: "Command", run: () => openNew() }]);

byId("dashboard").append(offline, space, summary.element, grid);
render();
renderHome(start.home);
store.onChange(render);
setInterval(() => { for (const card of cards.values()) card.tick(); }, 1000);
listen("state", (data) => {
  if (data.user) user = data.user;
  store.replace(data.workspaces);
  if (data.home) renderHome(data.home);
});
let offlineTimer = 0;
listen("online", (online) => {
  // Each vain attempt says it again: the first one counts.
  if (!online) return void (offlineTimer ||= window.setTimeout(() => { offline.hidden = false; }, OFFLINE_MS));
  clearTimeout(offlineTimer);
  offlineTimer = 0;
  offline.hidden = true;
});
listen("signed-out", () => { location.href = "/login?next=/"; });
byId("new-workspace").addEventListener("click", () => openNew());
byId("download-home").addEventListener("click", downloadHome);
const wanted = new URLSearchParams(location.search).get("new");
if (wanted !== null) {
  history.replaceState(null, "", "/");
  openNew(wanted || undefined);
}
