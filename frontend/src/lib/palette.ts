/** The command palette: Ctrl/Cmd+K, or the search box of the top bar. */
import { commands, matching, type Command } from "./commands";
import { closeOnBackdrop } from "./dialog";
import { h, icon, isMac } from "./dom";

let open: HTMLDialogElement | null = null;

/** Open the palette, or close the one that is open. */
export function togglePalette(): void {
  if (open?.open) return open.close();
  const all = commands();
  let shown: Command[] = [];
  let at = 0;
  const input = h("input", { type: "text", placeholder: "Go to a workspace or page, or run a command", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", "aria-label": "Command" });
  const list = h("ul", { id: "palette-list", role: "listbox" });
  const dialog = h("dialog", { class: "palette", "aria-label": "Command palette" },
    h("div", { class: "query" }, icon("search"), input, h("kbd", {}, "Esc")),
    list,
    h("footer", {}, h("span", {}, "↑ ↓ choose"), h("span", {}, "Enter run")));
  open = dialog;

  const choose = (index: number): void => {
    at = Math.max(0, Math.min(shown.length - 1, index));
    [...list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === at)));
    const row = list.children[at];
    row?.scrollIntoView({ block: "nearest" });
    if (row?.id) input.setAttribute("aria-activedescendant", row.id);
  };
  const run = (): void => {
    const command = shown[at];
    dialog.close();
    command?.run();
  };
  const render = (): void => {
    shown = matching(all, input.value);
    list.replaceChildren(...shown.map((command, i) =>
      h("li", { role: "option", id: `palette-${i}`, onclick: () => { at = i; run(); }, onpointermove: () => { if (at !== i) choose(i); } }, icon(command.icon), h("span", {}, command.title), h("span", { class: "where" }, command.group))));
    if (!shown.length) list.append(h("li", { class: "none" }, "Nothing of that name."));
    choose(0);
  };
  input.addEventListener("input", render);
  input.addEventListener("keydown", (event) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8 }[event.key];
    if (to !== undefined) choose(to);
    else if (event.key === "Enter" && !event.isComposing) run();
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("close", () => dialog.remove());
  closeOnBackdrop(dialog);
  document.body.append(dialog);
  render();
  dialog.showModal();
  input.focus();
}

/** Wire the search box and the shortcut. */
export function installPalette(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-palette]")) element.addEventListener("click", togglePalette);
  for (const key of document.querySelectorAll<HTMLElement>("kbd[data-mod]")) key.textContent = `${isMac ? "⌘" : "Ctrl"} ${key.dataset["mod"]}`;
  addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(isMac ? event.metaKey : event.ctrlKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    togglePalette();
  }, { capture: true });
}
