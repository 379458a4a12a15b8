/** The home's page: its state, what it takes, and travelling through its snapshots. */
import { downloadHome } from "./lib/archive";
import { offer } from "./lib/commands";
import { boot, button, byId, h, icon, setText } from "./lib/dom";
import { listen } from "./lib/events";
import { ago, instant } from "./lib/format";
import { brakeNotice, levelNotice, noticeElement } from "./lib/home-level";
import type { Home, Snapshot, User } from "./lib/types";
import { actionsFor } from "./home/actions";
import { Head } from "./home/head";
import { Jobs } from "./home/jobs";
import { SnapshotList } from "./home/list";
import { Panel } from "./home/panel";
import { Store } from "./home/store";
import { Timeline } from "./home/timeline";
import { Allowance, UsageCard } from "./home/usage";

const start = boot<{ home: Home; snapshots: Snapshot[]; user: User }>();
const store = new Store(start.home, start.snapshots, start.user);
const jobs = new Jobs(store);
const actions = actionsFor(store, jobs);
const choose = (id: number): void => {
  store.select(id);
  timeline.reveal();
  list.reveal();
};
const timeline = new Timeline(store, choose);
const list = new SnapshotList(store, (id) => {
  choose(id);
  // On a phone the files are below the list.
  if (matchMedia("(max-width: 860px)").matches) panel.element.scrollIntoView({ behavior: "smooth", block: "start" });
});
const panel = new Panel(store, actions);
const head = new Head(store);
const usage = new UsageCard(store);
const allowance = new Allowance(store);
const notices = h("div", { class: "stack", hidden: true });
const next = h("span", { class: "muted small" });
const travel = h("div", { class: "travel" }, list.element, panel.element);
const none = h("div", { class: "empty" }, h("span", { class: "emblem" }, icon("history")), h("h2", {}, "Travel back in time"),
  h("p", {}, "A snapshot keeps all of your home as it is at one moment. Later you can look into it, see what changed in a file, and bring back a file, a folder or everything. Only what has changed takes space."),
  button("Take the first one", "camera", "primary big", () => actions.take()));
const takeButton = button("Take a snapshot", "camera", "primary", () => actions.take());
const card = h("section", { class: "card time", "aria-labelledby": "time-title" },
  h("header", {}, h("div", { class: "grow" }, h("h2", { id: "time-title" }, "Snapshots"), next), takeButton),
  jobs.element, timeline.element, none, travel);

function renderNotices(): void {
  const found = [brakeNotice(store.home), levelNotice(store.home)].filter((notice) => notice !== null);
  const shape = found.map((notice) => notice.title + notice.text).join();
  if (notices.dataset["shape"] === shape) return;
  notices.dataset["shape"] = shape;
  notices.replaceChildren(...found.map((notice) => noticeElement(notice)));
  notices.hidden = found.length === 0;
}

function tellNext(): void {
  const at = store.home.next_snapshot_at;
  const soon = at !== null && Date.parse(at) < Date.now() + 30_000;
  setText(next, at ? `The next one is taken ${soon ? "in a moment" : ago(at)}` : "Taken by themselves while a workspace runs");
  next.title = at ? instant(at) : "";
}

function render(): void {
  const any = store.snapshots.length > 0;
  timeline.element.hidden = travel.hidden = !any;
  none.hidden = any;
  takeButton.hidden = !any;
  for (const part of [head, usage, allowance, jobs]) part.update();
  renderNotices();
  tellNext();
  if (!any) return;
  timeline.update();
  list.update();
  panel.update();
}

byId("home").append(notices, h("div", { class: "pair" }, head.element, usage.element), allowance.element, card);
store.onChange(render);
render();
setInterval(() => { head.update(); tellNext(); }, 15_000);
listen("state", (data) => {
  store.takeAccount(data.user, data.workspaces);
  if (data.home) store.takeHome(data.home);
});
listen("signed-out", () => { location.href = "/login?next=/home"; });
byId("download-home").addEventListener("click", downloadHome);
offer(() => [{ title: "Take a snapshot", icon: "camera", group: "Home", run: () => actions.take() }]);
