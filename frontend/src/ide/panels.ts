/** The panels that are not the shell's own; loaded after the page can be used. */
import { installApps } from "./ports/apps";
import { gitMarks, installGit } from "./git/panel";
import { Languages } from "./language/languages";
import { installPorts } from "./ports/panel";
import { installSearch } from "./search/panel";
import { installTransfers } from "./transfer/transfers";
import type { Workbench } from "./workbench";

export function install(workbench: Workbench): void {
  const search = installSearch(workbench);
  const git = installGit(workbench);
  gitMarks(workbench, git);
  new Languages(workbench, git, (title, matches) => {
    workbench.showPanel("search");
    search.present(title, matches);
  });
  installTransfers(workbench);
  installApps(workbench, installPorts(workbench).element);
}
