/** Typing a name in the tree: of a new entry, or another for one that is there. */
import { explain } from "../../lib/api";
import { h, icon } from "../../lib/dom";
import { fileIcon } from "./row";

export interface NameEdit {
  /** The row to put into the tree. */
  element: HTMLElement;
  focus: () => void;
}

const BYTES_MOST = 255;

/** What is wrong with a name, or "". `nested`: slashes make folders. */
export function nameProblem(name: string, nested: boolean): string {
  const parts = nested ? name.split("/") : [name];
  if (!name.trim()) return "It needs a name.";
  if (!nested && name.includes("/")) return "A name has no slash in it.";
  if (parts.some((part) => part === "" || part === "." || part === "..")) return "That is no name of a file.";
  if (name.includes("\0") || parts.some((part) => new TextEncoder().encode(part).length > BYTES_MOST)) return "That name is too long.";
  return "";
}

export interface NameEditOptions {
  depth: number;
  folder: boolean;
  /** The name there is; "" for a new entry. */
  name: string;
  label: string;
  nested: boolean;
  /** Whether another entry has it already. */
  taken: (name: string) => boolean;
  /** Do it; what it throws is said below the field. */
  done: (name: string) => Promise<void>;
  end: () => void;
}

/** Build a row with a field for a name; Enter and leaving it accept, Esc gives up. */
export function nameEdit(options: NameEditOptions): NameEdit {
  const input = h("input", { class: "input", type: "text", value: options.name, "aria-label": options.label, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  const problem = h("div", { class: "problem", role: "alert", hidden: true });
  const element = h("div", { class: "row-file editing", style: `--depth: ${options.depth}` }, h("span", { class: "fold" }), icon(options.folder ? "folder" : fileIcon(options.name)), input, problem);
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    options.end();
  };
  const say = (text: string): void => {
    problem.textContent = text;
    problem.hidden = !text;
    input.setAttribute("aria-invalid", String(Boolean(text)));
  };
  const check = (): string => nameProblem(input.value, options.nested) || (input.value !== options.name && options.taken(input.value) ? `There is already “${input.value}” here.` : "");
  const accept = async (left: boolean): Promise<void> => {
    if (over || input.readOnly) return;
    if (input.value === options.name || (left && check())) return end();
    if (check()) return say(check());
    input.readOnly = true;
    try {
      await options.done(input.value);
      end();
    } catch (error) {
      input.readOnly = false;
      say(explain(error));
      input.focus();
    }
  };
  input.addEventListener("input", () => say(input.value ? check() : ""));
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Enter") void accept(false);
    else if (event.key === "Escape") end();
    else return;
    event.preventDefault();
  });
  input.addEventListener("blur", () => void accept(true));
  return {
    element,
    focus() {
      input.focus();
      const dot = options.folder ? -1 : options.name.lastIndexOf(".");
      input.setSelectionRange(0, dot > 0 ? dot : options.name.length);
    },
  };
}
