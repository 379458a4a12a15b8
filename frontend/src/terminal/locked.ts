/** The overlay of a workspace that cannot start because its owner's home is locked. */
import { explainFully } from "../lib/api";
import { h, icon } from "../lib/dom";
import { passwordField, unlockWith } from "../lib/unlock";
import type { OverlayContent } from "./overlay";

/** Ask for the password; `go` runs when the home is open. */
export function lockedContent(go: () => void): OverlayContent {
  const field = passwordField("Your password", "");
  const failure = h("div", { class: "notice error", role: "alert", hidden: true });
  const ok = h("button", { class: "button primary" }, icon("lock-open"), "Unlock and start");
  const form = h("form", { class: "stack unlock", novalidate: true }, failure, field.element, h("div", { class: "row" }, ok, h("a", { class: "button", href: "/" }, "All workspaces")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (ok.disabled) return;
    ok.disabled = true;
    failure.hidden = true;
    try {
      if (await unlockWith(field)) return go();
    } catch (error) {
      failure.textContent = explainFully(error);
      failure.hidden = false;
    }
    ok.disabled = false;
  });
  return {
    icon: "lock",
    title: "Your home is locked",
    text: "Your files are encrypted, and the server does not have their key. Your password opens them, and the workspace starts.",
    form: { element: form, focus: () => field.input.focus() },
  };
}
