/** The summary numbers on top of the dashboard. */
import { h, icon, setText } from "../lib/dom";
import { bytes, percent } from "../lib/format";
import { usedPercent } from "../lib/home-level";
import type { Home, User, Workspace } from "../lib/types";

export interface Tiles {
  element: HTMLElement;
  update: (workspaces: readonly Workspace[], user: User) => void;
  updateHome: (home: Home) => void;
}

export function tiles(): Tiles {
  const make = (label: string): { element: HTMLElement; value: HTMLElement; rest: HTMLElement } => {
    const value = h("span");
    const rest = h("small");
    return { element: h("div", { class: "card tile" }, h("div", { class: "label" }, label), h("div", { class: "value" }, value, rest)), value, rest };
  };
  const [running, cpu, memory, sessions] = [make("Running workspaces"), make("CPU in use"), make("Memory"), make("Terminals open")];
  const home = make("Home");
  const lock = h("span", { class: "lock" });
  const bar = h("span");
  home.element.querySelector(".label")?.append(lock);
  home.element.append(h("div", { class: "space" }, bar));
  const link = h("a", { class: "card tile home-tile", href: "/home", hidden: true }, ...home.element.childNodes);
  return {
    element: h("div", { class: "tiles" }, running.element, cpu.element, memory.element, sessions.element, link),
    updateHome(state) {
      const word = state.locked ? "Locked" : state.encrypted ? "Unlocked" : "Not encrypted";
      if (lock.textContent !== word) lock.replaceChildren(icon(state.locked ? "lock" : state.encrypted ? "lock-open" : "shield-off"), word);
      const known = state.split.files_bytes !== null;
      setText(home.value, bytes(known ? state.used_bytes : state.allowance_bytes));
      setText(home.rest, known ? ` / ${bytes(state.allowance_bytes)}` : " allowed");
      bar.style.width = `${Math.min(100, usedPercent(state))}%`;
      link.dataset["level"] = state.level;
      link.title = `Files ${known ? bytes(state.split.files_bytes!) : "not measured"}, snapshots ${bytes(state.split.snapshots_bytes)}, published ${bytes(state.split.published_bytes)}`;
      link.hidden = false;
    },
    update(workspaces, user) {
      const on = workspaces.filter((workspace) => workspace.state === "running");
      const sum = (pick: (workspace: Workspace) => number): number => on.reduce((total, workspace) => total + pick(workspace), 0);
      const cores = Number(sum((workspace) => workspace.limits.cpus).toFixed(2));
      setText(running.value, String(on.length));
      setText(running.rest, ` of ${workspaces.length}`);
      setText(cpu.value, percent(sum((workspace) => workspace.usage?.cpu_percent ?? 0)));
      setText(cpu.rest, ` / ${cores} ${cores === 1 ? "core" : "cores"}`);
      cpu.rest.hidden = on.length === 0;
      setText(memory.value, bytes(sum((workspace) => workspace.usage?.memory_bytes ?? 0)));
      setText(memory.rest, on.length ? ` / ${bytes(sum((workspace) => workspace.limits.memory_bytes))}` : ` / ${bytes(user.allowance.memory_bytes)} allowed`);
      setText(sessions.value, String(sum((workspace) => workspace.activity.open_sessions)));
    },
  };
}
