/** The message of a commit and the button that makes it. */
import { explain, Problem } from "../../lib/api";
import { h, icon, isMac } from "../../lib/dom";
import { toast } from "../../lib/toast";
import type { Status } from "./api";
import { filesOf } from "./list";
import type { GitStore } from "./store";

export class CommitForm {
  readonly element: HTMLFormElement;
  private readonly message = h("textarea", { class: "input", rows: 2, "aria-label": "Message of the commit", placeholder: `What did you change, and why? (${isMac ? "⌘" : "Ctrl"}+Enter commits)` });
  private readonly amend = h("input", { type: "checkbox" });
  private readonly label = h("span", {}, "Commit");
  private readonly button = h("button", { class: "button primary wide" }, icon("check"), this.label);
  private readonly failure = h("div", { class: "notice error", role: "alert", hidden: true });
  private status: Status | null = null;

  constructor(private readonly store: GitStore, private readonly saved: () => Promise<boolean>) {
    this.element = h("form", { class: "commit-form" }, this.message, h("label", { class: "check small" }, this.amend, "Amend the last commit"), this.button, this.failure);
    this.element.addEventListener("submit", (event) => { event.preventDefault(); void this.commit(); });
    this.element.addEventListener("change", () => this.sayButton());
    this.message.addEventListener("input", () => this.grow());
    this.message.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.element.requestSubmit();
    });
  }

  show(status: Status): void {
    if (this.status?.root !== status.root) {
      this.message.value = "";
      this.amend.checked = false;
    }
    this.status = status;
    this.sayButton();
  }

  focus(): void {
    this.message.focus();
  }

  private sayButton(): void {
    const { status } = this;
    if (!status) return;
    const staged = filesOf(status, "staged").length;
    const conflicts = filesOf(status, "conflicts").length;
    const changed = filesOf(status, "changes").length;
    this.amend.disabled = status.head === null;
    const files = (n: number): string => `${n} ${n === 1 ? "file" : "files"}`;
    this.label.textContent = conflicts ? "Settle the conflicts first" : this.amend.checked ? "Amend the last commit" : staged || !changed ? (staged ? `Commit ${files(staged)}` : "Commit") : `Stage and commit ${files(changed)}`;
    this.button.disabled = conflicts > 0 || (!staged && !changed && !this.amend.checked && !status.state);
  }

  private grow(): void {
    this.message.style.height = "auto";
    this.message.style.height = `${Math.min(220, this.message.scrollHeight + 2)}px`;
  }

  private async commit(): Promise<void> {
    const { status } = this;
    if (!status || this.button.disabled) return;
    const message = this.message.value.trim();
    if (!message && !this.amend.checked) return this.fail("Say what the commit changes.", "The first line is its title.");
    if (!(await this.saved())) return this.fail("A file with unsaved changes could not be saved first.");
    this.button.disabled = true;
    this.button.setAttribute("aria-busy", "true");
    this.fail("");
    try {
      const all = filesOf(status, "changes").map(({ path }) => path);
      if (!filesOf(status, "staged").length && all.length && !this.amend.checked) await this.store.git.change("stage", status.root, all);
      await this.store.git.commit(status.root, message, this.amend.checked);
      this.message.value = "";
      this.amend.checked = false;
      this.grow();
      toast("Committed", { kind: "ok", seconds: 3, text: message.split("\n")[0]! });
    } catch (error) {
      this.fail(explain(error), error instanceof Problem ? error.hint : "");
    }
    this.button.removeAttribute("aria-busy");
    await this.store.refresh();
    this.sayButton();
  }

  private fail(text: string, hint = ""): void {
    this.failure.replaceChildren(h("div", { class: "grow" }, h("strong", {}, text), hint));
    this.failure.hidden = !text;
    if (text) this.message.focus();
  }
}
