/** Asks what to do with a file whose name is taken. */
import { closeOnBackdrop } from "../../lib/dialog";
import { button, h } from "../../lib/dom";
import { visibleText } from "../../lib/visible";
import { nameOf, parentOf } from "../paths";

export type Answer = "replace" | "skip" | "both";

/** One question at a time; an answer for all is remembered for as long as this lives. */
export class Conflicts {
  private turn: Promise<unknown> = Promise.resolve();
  private always: Answer | null = null;

  /** `left`: how many more files there are. */
  ask(path: string, left: () => number): Promise<Answer> {
    const answer = this.turn.then(() => this.always ?? this.question(path, left()));
    this.turn = answer;
    return answer;
  }

  private question(path: string, left: number): Promise<Answer> {
    return new Promise((resolve) => {
      let chosen: Answer = "skip";
      const all = h("input", { type: "checkbox" });
      const choose = (answer: Answer) => (): void => { chosen = answer; dialog.close(); };
      const replace = button("Replace", null, "danger solid", choose("replace"));
      const both = button("Keep both", null, "primary", choose("both"));
      const dialog = h("dialog", { class: "sheet", "aria-labelledby": "conflict-title" }, h("div", { class: "conflict" },
        h("header", {}, h("h2", { id: "conflict-title" }, `There is already “${visibleText(nameOf(path))}”`)),
        h("div", { class: "body" },
          h("p", {}, `In ${visibleText(parentOf(path))} a file or folder has this name.`),
          left > 0 ? h("label", { class: "check" }, all, "Do the same with all others") : null),
        h("footer", {}, button("Skip", null, "", choose("skip")), replace, both)));
      closeOnBackdrop(dialog);
      dialog.addEventListener("close", () => {
        if (all.checked) this.always = chosen;
        dialog.remove();
        resolve(chosen);
      });
      document.body.append(dialog);
      dialog.showModal();
      both.focus();
    });
  }
}
