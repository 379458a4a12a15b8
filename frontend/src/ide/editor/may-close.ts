/** What happens to unsaved text when its tab is closed. */
import { openDialog } from "../../lib/dialog";
import { h } from "../../lib/dom";
import { visibleText } from "../../lib/visible";

/** Ask; true when the tab may go. `save` and `forget` are what was chosen. */
export function askToSave(name: string, save: () => Promise<boolean>, forget: () => Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    let may = false;
    const { element, ok } = openDialog({
      title: `Save “${visibleText(name)}”?`,
      body: [h("p", {}, "What you typed since it was last saved would be lost.")],
      verb: "Save",
      submit: async () => { may = await save(); },
    });
    const no = h("button", { type: "button", class: "button", onclick: () => void forget().then(() => { may = true; element.close(); }) }, "Don’t save");
    ok.before(no);
    ok.focus();
    element.addEventListener("close", () => resolve(may));
  });
}
