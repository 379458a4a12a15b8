/** The IDE's own commands, on the keys that VS Code has for them where a browser lets a page have them. */
import { byId, isMac } from "../lib/dom";
import { extensionOf } from "./paths";
import type { Shell } from "./shell";
import type { Command } from "./workbench";

/** Register them all, and wire the buttons that do the same. */
export function installCommands(shell: Shell): void {
  shell.command(...fileCommands(shell), ...viewCommands(shell), ...moves(shell));
  byId("quick-open").addEventListener("click", () => shell.quick.toggle(""));
  byId("dock-max").addEventListener("click", () => toggleOnly(shell));
  byId("dock-hide").addEventListener("click", () => { shell.layout.setDock("hidden"); shell.editors.active?.focus(); });
}

function fileCommands(shell: Shell): Command[] {
  const { editors, explorer, quick } = shell;
  const file = (): boolean => shell.fileTab !== null;
  const text = (): boolean => shell.view !== null;
  const markdown = (): boolean => file() && ["md", "markdown"].includes(extensionOf(shell.activeFile() ?? ""));
  const inTree = (act: () => void) => (): void => { shell.showPanel("files"); act(); };
  return [
    { id: "workbench.action.quickOpen", title: "Go to a file …", icon: "file", group: "File", key: "Mod+P, Mod+E", run: () => quick.toggle("") },
    { id: "workbench.action.showCommands", title: "Show all commands", icon: "search", group: "View", key: "Mod+Shift+P, F1", overTerminal: true, hidden: true, run: () => quick.toggle(">") },
    { id: "workbench.action.gotoLine", title: "Go to a line …", icon: "corner-left-up", group: "Go", key: "Ctrl+G", when: text, run: () => quick.toggle(":") },
    { id: "workbench.action.gotoSymbol", title: "Go to a symbol in the file …", icon: "hash", group: "Go", words: "outline function class heading @", key: "Mod+Shift+O", when: text, run: () => quick.toggle("@") },
    { id: "explorer.newFile", title: "New file …", icon: "file-plus", group: "File", words: "create", run: inTree(() => void explorer.actions.create("file")) },
    { id: "explorer.newFolder", title: "New folder …", icon: "folder-plus", group: "File", words: "create directory mkdir", run: inTree(() => void explorer.actions.create("folder")) },
    { id: "workbench.action.files.save", title: "Save", icon: "save", group: "File", key: "Mod+S", run: () => void shell.save() },
    { id: "workbench.action.files.saveAll", title: "Save all", icon: "save", group: "File", key: "Mod+K S", run: () => void shell.saveAll() },
    { id: "workbench.action.closeActiveEditor", title: "Close the file", icon: "x", group: "File", key: "Alt+W, Mod+W, Mod+F4", when: () => editors.active !== null, run: () => { if (editors.active) void editors.close(editors.active); } },
    { id: "workbench.action.closeAllEditors", title: "Close all files", icon: "x", group: "File", key: "Mod+K Mod+W", when: () => editors.tabs.length > 0, run: () => void editors.closeMany(editors.tabs) },
    { id: "workbench.action.reopenClosedEditor", title: "Open what was closed last", icon: "undo-2", group: "File", run: () => void editors.reopen() },
    { id: "workbench.files.action.showActiveFileInExplorer", title: "Show the file in the tree", icon: "folder", group: "File", when: file, run: inTree(() => void explorer.follow(shell.activeFile() ?? "")) },
    { id: "markdown.showPreview", title: "Preview the Markdown", icon: "eye", group: "File", key: "Mod+Shift+V", when: markdown, run: () => shell.preview(false) },
    { id: "markdown.showPreviewToSide", title: "Preview the Markdown at the side", icon: "eye", group: "File", key: "Mod+K V", when: markdown, run: () => shell.preview(true) },
    { id: "editor.action.toggleWordWrap", title: "Wrap long lines", icon: "wrap-text", group: "View", key: "Alt+Z", run: () => void shell.toggleWrap() },
  ];
}

function viewCommands(shell: Shell): Command[] {
  const { editors, explorer, layout, dock } = shell;
  return [
    { id: "workbench.action.toggleSidebarVisibility", title: "Show or hide the side bar", icon: "panel-left", group: "View", key: "Mod+B", run: () => layout.toggleSide() },
    { id: "workbench.action.terminal.toggleTerminal", title: "Show or hide the terminal", icon: "terminal", group: "View", key: "Ctrl+`", overTerminal: true, run: () => toggleTerminal(shell) },
    { id: "workbench.action.toggleMaximizedPanel", title: "Terminal only", icon: "panel-bottom", group: "View", words: "maximise dock", key: "Ctrl+Shift+`, Ctrl+Shift+~", overTerminal: true, run: () => toggleOnly(shell) },
    { id: "workbench.action.splitEditor", title: "Split the editor", icon: "columns-2", group: "View", key: "Mod+\\", when: () => shell.fileTab !== null, run: () => editors.split() },
    { id: "workbench.action.focusSideBar", title: "Go to the side bar", icon: "folder", group: "Go", key: "Mod+0", overTerminal: true, run: () => shell.showPanel(layout.panel) },
    { id: "workbench.action.terminal.focus", title: "Go to the terminal", icon: "terminal", group: "Go", run: () => { layout.showTerminal(); dock.focus(); } },
    { id: "explorer.refresh", title: "Look at the disk again", icon: "refresh-cw", group: "File", words: "reload refresh tree", run: () => shell.refresh() },
    { id: "explorer.home", title: "Show the whole home in the tree", icon: "house", group: "File", when: () => shell.root !== shell.home, run: () => void explorer.setRoot(shell.home) },
  ];
}

function moves(shell: Shell): Command[] {
  const { editors } = shell;
  const focus = (index: number): Command => ({
    id: `workbench.action.focusEditorGroup${index + 1}`, title: `Go to editor group ${index + 1}`, icon: "file-code", group: "Go", key: `Mod+${index + 1}`, overTerminal: true, hidden: true,
    when: () => editors.tabs.length > 0 && editors.groups.length > index, run: () => { shell.layout.showEditors(); editors.focusGroup(index); },
  });
  // On a Mac, Option and a digit write brackets on many keyboards.
  const choose = (index: number): Command => ({ id: `workbench.action.openEditorAtIndex${index + 1}`, title: `Go to tab ${index + 1}`, icon: "file", group: "Go", key: isMac ? `Ctrl+${index + 1}` : `Alt+${index + 1}`, hidden: true, when: () => editors.tabs.length > 0, run: () => editors.choose(index) });
  return [
    ...[0, 1, 2].map(focus),
    ...[0, 1, 2, 3, 4, 5, 6, 7, 8].map(choose),
    { id: "workbench.action.nextEditor", title: "Tab to the right", icon: "arrow-right", group: "Go", key: "Mod+PageDown", hidden: true, when: () => editors.tabs.length > 0, run: () => editors.step(1) },
    { id: "workbench.action.previousEditor", title: "Tab to the left", icon: "arrow-left", group: "Go", key: "Mod+PageUp", hidden: true, when: () => editors.tabs.length > 0, run: () => editors.step(-1) },
  ];
}

/** As VS Code does: it comes, it takes the keyboard, it goes. */
function toggleTerminal(shell: Shell): void {
  const { layout, dock, editors, explorer } = shell;
  if (!layout.terminalShown || !shell.ownsTerminal()) {
    layout.showTerminal();
    return dock.focus();
  }
  layout.setDock("hidden");
  if (layout.onPhone) layout.show("editor");
  if (editors.active) editors.active.focus();
  else explorer.focus();
}

function toggleOnly(shell: Shell): void {
  const { layout, dock } = shell;
  layout.setDock(layout.dock === "only" ? "open" : "only");
  dock.focus();
}
