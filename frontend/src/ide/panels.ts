/** The panels that are not the shell's own; loaded after the page can be used. */
import { installApps } from "./apps";
import { gitMarks, installGit } from "./git";
import { Languages } from "./language";
import { installPorts } from "./ports";
import { installSearch } from "./search";
import { installTransfers } from "./transfer";
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
