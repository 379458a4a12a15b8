/** Opening a locked home: by itself where this sign-in has the key, else with the password. */
import { explain, homeApi, Problem } from "./api";
import { openDialog } from "./dialog";
import { announce, h, icon, meta } from "./dom";
import type { Home } from "./types";

export interface PasswordField {
  element: HTMLElement;
  input: HTMLInputElement;
  fail: (text: string) => void;
}

/** A password field with a button that shows what was typed, and a place for what is wrong with it. */
export function passwordField(label: string, hint: string): PasswordField {
  const id = "home-password";
  const input = h("input", { class: "input", id, type: "password", autocomplete: "current-password", required: true, "aria-describedby": `${id}-note` });
  const note = h("p", { class: "hint", id: `${id}-note`, "aria-live": "polite" }, hint);
  const reveal = h("button", { class: "button quiet", type: "button", "aria-label": "Show the password", "aria-pressed": "false" }, icon("eye"));
  reveal.addEventListener("click", () => {
    const show = input.type === "password";
    input.type = show ? "text" : "password";
    reveal.setAttribute("aria-pressed", String(show));
    reveal.setAttribute("aria-label", show ? "Hide the password" : "Show the password");
    reveal.replaceChildren(icon(show ? "eye-off" : "eye"));
    input.focus();
  });
  const who = h("input", { type: "text", value: meta("user"), autocomplete: "username", hidden: true });
  const fail = (text: string): void => {
    note.className = text ? "error" : "hint";
    note.textContent = text || hint;
    input.setAttribute("aria-invalid", String(Boolean(text)));
    if (text) input.select();
  };
  input.addEventListener("input", () => { if (note.className === "error") fail(""); });
  return { element: h("div", { class: "field" }, who, h("label", { for: id }, label), h("div", { class: "with-button" }, input, reveal), note), input, fail };
}

/** Unlock with what the field holds; what is wrong with the password is said at the field. */
export async function unlockWith(field: PasswordField): Promise<Home | null> {
  if (!field.input.value) {
    field.fail("Type your password.");
    field.input.focus();
    return null;
  }
  try {
    return await homeApi.unlock(field.input.value);
  } catch (error) {
    if (!(error instanceof Problem) || error.field !== "password") throw error;
    field.fail(explain(error));
    return null;
  }
}

/** Ask for the password in a dialog; null when the person thought better of it. */
export function askForPassword(): Promise<Home | null> {
  return new Promise((resolve) => {
    let opened: Home | null = null;
    const field = passwordField("Your password", "The one you sign in with. It opens your home; the server does not keep it.");
    const { element } = openDialog({
      title: "Unlock your home",
      verb: "Unlock",
      body: [field.element],
      submit: async () => {
        opened = await unlockWith(field);
        if (!opened) throw new Problem("", 422, "", "", "", "password");
        announce("Your home is unlocked");
      },
      place: (problem) => problem.field === "password",
    });
    field.input.focus();
    element.addEventListener("close", () => resolve(opened));
  });
}

/** Do something; where it takes a key that is not at hand, ask for the password and do it again. Null: not unlocked. */
export async function withUnlock<T>(act: () => Promise<T>): Promise<T | null> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Problem) || error.slug !== "home-locked") throw error;
    return (await askForPassword()) ? act() : null;
  }
}
