/** What lines were before they changed, shown between the lines of the editor. */
import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, WidgetType } from "@codemirror/view";
import { button, h, iconButton } from "../../lib/dom";
import { visible } from "../../lib/visible";

const LINES_MOST = 200;

export interface Peek {
  /** The lines of before. */
  text: string;
  /** There were none: the lines are additional. */
  added: boolean;
  where: string;
  revert: () => void;
  step: (by: 1 | -1) => void;
}

const openPeek = StateEffect.define<{ at: number; peek: Peek }>();
export const closePeek = StateEffect.define<null>();

class PeekWidget extends WidgetType {
  constructor(private readonly peek: Peek) {
    super();
  }

  override toDOM(view: EditorView): HTMLElement {
    const { peek } = this;
    const lines = peek.text.split("\n");
    const close = (): void => { view.dispatch({ effects: closePeek.of(null) }); view.focus(); };
    const element = h("div", { class: "git-peek", role: "dialog", "aria-label": "What was here before" },
      h("header", {},
        h("span", { class: "grow" }, peek.where),
        button(peek.added ? "Remove these lines" : "Bring this back", "undo-2", "tiny", peek.revert),
        iconButton("Earlier change", "arrow-up", () => peek.step(-1)),
        iconButton("Later change", "arrow-down", () => peek.step(1)),
        iconButton("Close", "x", close)),
      peek.added ? h("p", { class: "muted" }, "These lines are additional.") : h("pre", { tabindex: 0 }, ...lines.slice(0, LINES_MOST).flatMap((line, i) => [...(i ? ["\n"] : []), ...visible(line, true)])),
      lines.length > LINES_MOST ? h("p", { class: "muted" }, `${lines.length - LINES_MOST} more lines`) : null);
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      close();
    });
    requestAnimationFrame(() => element.querySelector<HTMLElement>("button")?.focus({ preventScroll: true }));
    return element;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

/** One at a time; typing closes it. */
export const peeking = StateField.define<readonly [number, Peek] | null>({
  create: () => null,
  update(value, transaction) {
    if (transaction.docChanged) value = null;
    for (const effect of transaction.effects) {
      if (effect.is(closePeek)) value = null;
      else if (effect.is(openPeek)) value = [effect.value.at, effect.value.peek];
    }
    return value;
  },
  provide: (field) => EditorView.decorations.compute([field], (state) => {
    const value = state.field(field);
    return value ? Decoration.set(Decoration.widget({ widget: new PeekWidget(value[1]), block: true, side: -1 }).range(state.doc.lineAt(value[0]).from)) : Decoration.none;
  }),
});

export function peek(view: EditorView, at: number, what: Peek): void {
  view.dispatch({ effects: openPeek.of({ at, peek: what }) });
}
