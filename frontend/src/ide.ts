/** The IDE of a workspace: files, editors and panels, with the terminals as its dock. */
import { boot, byId, isMac } from "./lib/dom";
import { onThemeChange } from "./lib/theme-choice";
import type { Workspace } from "./lib/types";
import { installCommands } from "./ide/commands";
import { Shell } from "./ide/shell";

const start = boot<{ workspace: Workspace; home: string }>();
// To read the page's parts was one task, to build it is another: a key or a frame may come between them.
await new Promise((resolve) => setTimeout(resolve));
const shell = new Shell(start.workspace.name, start.home);
installCommands(shell);
for (const key of document.querySelectorAll<HTMLElement>("kbd[data-mod]")) key.textContent = `${isMac ? "⌘" : "Ctrl"} ${key.dataset["mod"]}`;
onThemeChange(() => {
  if (shell.editors.fileTabs.some((tab) => tab.view))
    void import("./ide/editor/editor").then(({ retheme }) => { for (const { view } of shell.editors.fileTabs) if (view) retheme(view); });
});
// On a phone the keyboard takes half of the page: what is not typed into gives way.
let tallest = 0;
visualViewport?.addEventListener("resize", () => {
  const height = visualViewport?.height ?? innerHeight;
  tallest = Math.max(tallest, height);
  byId("page").classList.toggle("typing", shell.layout.onPhone && height < tallest * 0.75);
});
// What the page does not begin with comes when it can be used.
requestAnimationFrame(() => setTimeout(() => void import("./ide/panels").then(({ install }) => install(shell))));
