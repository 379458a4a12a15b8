/** Modal dialogs on <dialog>: Esc and the backdrop close them, focus goes back where it was. */
import { button, h, iconButton } from "./dom";
import { explain, Problem } from "./api";

export interface DialogOptions {
  title: string;
  body: Node[];
  /** Label of the button that submits. */
  verb: string;
  danger?: boolean;
  /** False where there is nothing to cancel. */
  cancel?: boolean;
  /** Runs on submit; the dialog closes when it succeeds and shows the problem when it throws. */
  submit: () => Promise<void> | void;
  /** Puts a problem beside its field; returns whether it did. */
  place?: (problem: Problem) => boolean;
}

export interface Dialog {
  element: HTMLDialogElement;
  ok: HTMLButtonElement;
  close: () => void;
}

let serial = 0;

/** Open a modal form. */
export function openDialog(options: DialogOptions): Dialog {
  serial += 1;
  const id = `dialog-${serial}`;
  const failure = h("div", { class: "notice error", role: "alert", hidden: true });
  const ok = h("button", { class: `button ${options.danger ? "danger solid" : "primary"}` }, options.verb);
  const element = h("dialog", { class: "sheet", "aria-labelledby": id });
  const close = (): void => element.close();
  const form = h("form", { method: "dialog", novalidate: true },
    h("header", {}, h("h2", { id }, options.title), iconButton("Close", "x", close)),
    h("div", { class: "body" }, failure, ...options.body),
    h("footer", {}, options.cancel === false ? null : button("Cancel", null, "", close), ok));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (ok.disabled) return;
    ok.disabled = true;
    failure.hidden = true;
    try {
      await options.submit();
      close();
    } catch (error) {
      if (!(error instanceof Problem && options.place?.(error))) {
        failure.replaceChildren(h("div", { class: "grow" }, h("strong", {}, explain(error)), error instanceof Problem ? error.hint : ""));
        failure.hidden = false;
      }
      ok.disabled = false;
    }
  });
  element.append(form);
  closeOnBackdrop(element);
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  return { element, ok, close };
}

/** Ask a question; true when it was agreed to. */
export function confirmThat(question: string, verb: string, danger = false): Promise<boolean> {
  return new Promise((resolve) => {
    let agreed = false;
    const [title, ...rest] = question.split(/(?<=\?) /);
    const { element, ok } = openDialog({
      title: title ?? question,
      body: rest.length ? [h("p", {}, rest.join(" "))] : [],
      verb,
      danger,
      submit: () => { agreed = true; },
    });
    if (!rest.length) element.querySelector<HTMLElement>(".body")?.style.setProperty("padding", "6px");
    // Enter must not delete what a slip of the hand chose.
    (danger ? element.querySelector<HTMLElement>("footer button") : ok)?.focus();
    element.addEventListener("close", () => resolve(agreed));
  });
}

export function closeOnBackdrop(element: HTMLDialogElement): void {
  let pressed = false;
  element.addEventListener("pointerdown", (event) => { pressed = event.target === element; });
  element.addEventListener("click", (event) => {
    if (pressed && event.target === element) element.close();
  });
}

/** Wire the dialogs that templates write, and the forms that ask before they send. */
export function installDialogs(): void {
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    const opener = target.closest<HTMLElement>("[data-dialog]");
    if (opener) (document.getElementById(opener.dataset["dialog"] ?? "") as HTMLDialogElement | null)?.showModal();
    target.closest("[data-close]")?.closest("dialog")?.close();
  });
  for (const element of document.querySelectorAll<HTMLDialogElement>("dialog")) closeOnBackdrop(element);
  document.addEventListener("submit", async (event) => {
    const form = event.target as HTMLFormElement;
    const question = form.dataset["confirm"];
    if (!question) return;
    event.preventDefault();
    form.closest<HTMLElement>("[popover]")?.hidePopover();
    if (await confirmThat(question, form.dataset["verb"] ?? "Yes", form.dataset["danger"] !== undefined)) form.submit();
  });
}
