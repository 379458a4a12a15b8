/** Forms that take a while say so, and are sent once. */
import { announce, setText } from "../lib/dom";

/** Mark the button of a form that was sent. */
export function installBusyForms(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-busy]")) {
    form.addEventListener("submit", (event) => {
      const button = form.querySelector("button");
      if (!button || button.getAttribute("aria-busy") === "true") return event.preventDefault();
      button.setAttribute("aria-busy", "true");
      const label = button.querySelector("span:not(.count)");
      const text = form.dataset["busy"];
      if (label && text) setText(label, text);
      announce(text || "Working");
    });
  }
  // Going back shows the page as it was left.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}
