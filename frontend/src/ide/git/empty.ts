/** What the panel of git says where there is no repository, or none to be asked. */
import { explainFully } from "../../lib/api";
import { button, h, icon } from "../../lib/dom";
import { toast } from "../../lib/toast";
import type { GitStore } from "./store";
import { shorten } from "../paths";
import type { Workbench } from "../workbench";

export function emptyElement(name: string, title: string, ...body: (Node | string)[]): HTMLElement {
  return h("div", { class: "empty" }, h("span", { class: "emblem" }, icon(name)), h("h2", {}, title), ...body);
}

/** Say how to come by a repository. */
export function noRepository(workbench: Workbench, store: GitStore): HTMLElement {
  const init = async (): Promise<void> => {
    make.disabled = true;
    try {
      await store.git.init(workbench.root);
      await store.refresh();
    } catch (error) {
      toast("It was not made", { kind: "error", text: explainFully(error) });
    }
    make.disabled = false;
  };
  // Hardly anybody wants all of the home in one.
  const make = button(`Make one in ${shorten(workbench.root, workbench.home)}`, "folder-git-2", workbench.root === workbench.home ? "" : "primary", () => void init());
  return emptyElement("git-branch", "No repository here", h("p", {}, "Open a file of one, or clone one in the terminal: ", h("code", {}, "git clone <address>")), make);
}
