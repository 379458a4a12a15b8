/** Two texts side by side, one below the other on a phone; loaded when first needed. */
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { LanguageDescription, syntaxHighlighting } from "@codemirror/language";
import { languages } from "@codemirror/language-data";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { h } from "../../lib/dom";
import type { Buffer } from "./buffers";
import { colours, look, UNSEEN } from "./look";
import { noteElement, type Note } from "./note";
import { nameOf } from "../paths";
import type { KeptTab, Tab } from "../tabs/tab";

export interface DiffOptions {
  key: string;
  title: string;
  /** For the language; and what the tab is of. */
  path: string | null;
  left: { label: string; text: string };
  /** A buffer is the file itself and can be edited. */
  right: { label: string; text: string } | { label: string; buffer: Buffer };
  note?: Note;
  narrow: boolean;
}

const QUICK = { scanLimit: 800, timeout: 150 };
let serial = 0;

export class DiffTab implements Tab {
  readonly element: HTMLElement;
  readonly icon = "file-diff";
  readonly dirty = false;
  preview = false;
  private view: MergeView | EditorView | null = null;
  private readonly buffer: Buffer | null;

  constructor(private readonly options: DiffOptions) {
    serial += 1;
    this.buffer = "buffer" in options.right ? options.right.buffer : null;
    this.element = h("div", { class: "page diff", role: "tabpanel", id: `diff-${serial}`, "aria-label": options.title, hidden: true });
  }

  get key(): string {
    return this.options.key;
  }

  get path(): string | null {
    return this.options.path;
  }

  get title(): string {
    return this.options.title;
  }

  get detail(): string {
    return `${this.options.left.label} ↔ ${this.options.right.label}`;
  }

  async show(): Promise<void> {
    this.element.hidden = false;
    if (!this.view) await this.build();
  }

  hide(): void {
    this.element.hidden = true;
  }

  focus(): void {
    if (this.view instanceof EditorView) this.view.focus();
    else this.view?.b.focus();
  }

  dispose(): void {
    const view = this.view instanceof MergeView ? this.view.b : this.view;
    if (view) this.buffer?.views.delete(view);
    this.view?.destroy();
    this.element.remove();
  }

  kept(): KeptTab | null {
    return null;
  }

  private async build(): Promise<void> {
    const { left, right, narrow, note } = this.options;
    const language = await this.language();
    const fixed = [EditorState.readOnly.of(true), EditorView.editable.of(false), EditorView.contentAttributes.of({ tabindex: "0" })];
    const mine: Extension[] = this.buffer ? [this.buffer.extension(), history(), keymap.of([...historyKeymap, indentWithTab])] : fixed;
    const shared = [lineNumbers(), highlightSpecialChars(UNSEEN), keymap.of(defaultKeymap), syntaxHighlighting(colours), look, language];
    const labelled = (label: string): Extension => EditorView.contentAttributes.of({ "aria-label": label });
    const doc = this.buffer ? this.buffer.doc : (right as { text: string }).text;
    const labels = h("div", { class: "diff-labels" }, h("span", {}, left.label), h("span", {}, right.label));
    this.element.replaceChildren(...(note ? [noteElement(note)] : []), labels);
    if (narrow) {
      this.view = new EditorView({ doc, parent: this.element, extensions: [...shared, ...mine, labelled(right.label), unifiedMergeView({ original: left.text, mergeControls: this.buffer !== null, collapseUnchanged: {}, diffConfig: QUICK })] });
      this.buffer?.views.add(this.view);
      return;
    }
    this.view = new MergeView({
      a: { doc: left.text, extensions: [...shared, ...fixed, labelled(left.label)] },
      b: { doc, extensions: [...shared, ...mine, labelled(right.label)] },
      parent: this.element, collapseUnchanged: {}, diffConfig: QUICK,
      ...(this.buffer ? { revertControls: "a-to-b" as const } : {}),
    });
    this.buffer?.views.add(this.view.b);
  }

  private async language(): Promise<Extension> {
    const description = this.options.path && LanguageDescription.matchFilename(languages, nameOf(this.options.path));
    try {
      return description ? await description.load() : [];
    } catch {
      return [];
    }
  }
}
