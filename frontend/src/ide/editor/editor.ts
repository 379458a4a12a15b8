/** Text editors: CodeMirror with the keys of VS Code, loaded when the first file opens. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { copyLineDown, defaultKeymap, history, historyKeymap, indentWithTab, toggleTabFocusMode } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, LanguageDescription, syntaxHighlighting } from "@codemirror/language";
import { languages } from "@codemirror/language-data";
import { lintKeymap } from "@codemirror/lint";
import { highlightSelectionMatches, openSearchPanel, search, searchKeymap, selectNextOccurrence } from "@codemirror/search";
import { Compartment, EditorSelection, EditorState, type Extension } from "@codemirror/state";
import { crosshairCursor, drawSelection, dropCursor, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers, rectangularSelection } from "@codemirror/view";
import { isMac } from "../../lib/dom";
import { shownTheme } from "../../lib/theme-choice";
import { Buffer } from "./buffers";
import { colours, look, UNSEEN } from "./look";
import { nameOf } from "../paths";
import { indentOf } from "./text";
import type { Place } from "../workbench";

export { Buffer };

const wrap = new Compartment();
const theme = new Compartment();
const language = new Compartment();
const additional = new Compartment();

export interface EditorOptions {
  /** Without colours and help, because the text is too large for them. */
  plain: boolean;
  wrap: boolean;
  label: string;
  moved: (view: EditorView) => void;
}

/** Build an editor of a buffer; the caller puts it on the page and, when done, calls `closeEditor`. */
export function openEditor(buffer: Buffer, options: EditorOptions): EditorView {
  const view = new EditorView({ state: EditorState.create({ doc: buffer.doc, extensions: extensions(buffer, options) }) });
  buffer.views.add(view);
  if (!options.plain) loading.set(view, loadLanguage(view, buffer.path));
  return view;
}

const loading = new WeakMap<EditorView, Promise<void>>();

/** Resolve when an editor has its language, or will have none. */
export function languageLoaded(view: EditorView): Promise<void> {
  return loading.get(view) ?? Promise.resolve();
}

export function closeEditor(view: EditorView, buffer: Buffer): void {
  buffer.views.delete(view);
  view.destroy();
}

function extensions(buffer: Buffer, options: EditorOptions): Extension {
  const rich: Extension = options.plain ? [] : [foldGutter(), indentOnInput(), bracketMatching(), closeBrackets(), autocompletion(), highlightSelectionMatches(), syntaxHighlighting(colours)];
  return [
    lineNumbers(), highlightActiveLineGutter(), highlightSpecialChars(UNSEEN), history(), drawSelection(), dropCursor(), rectangularSelection(), crosshairCursor(), highlightActiveLine(),
    EditorState.allowMultipleSelections.of(true),
    ...(buffer.lineEnd === "mixed" ? [EditorState.lineSeparator.of("\n")] : []),
    search({ top: true }), EditorState.phrases.of(PHRASES),
    rich,
    keymap.of([...closeBracketsKeymap, ...ownKeys, ...defaultKeymap.filter((one) => one.key !== "Mod-Alt-\\"), ...searchKeymap.filter((one) => (isMac || one.key !== "Mod-g") && one.key !== "Mod-Alt-g"), ...historyKeymap, ...foldKeymap, ...completionKeymap, ...lintKeymap, indentWithTab]),
    indentUnit.of(indentOf(buffer.text().slice(0, 40_000))),
    EditorState.tabSize.of(4),
    EditorView.contentAttributes.of({ "aria-label": options.label, autocapitalize: "off" }),
    wrap.of(options.wrap && !options.plain ? EditorView.lineWrapping : []),
    theme.of(EditorView.darkTheme.of(shownTheme() === "dark")),
    language.of([]), additional.of([]), look,
    EditorView.updateListener.of((update) => { if (update.selectionSet || update.docChanged || update.focusChanged) options.moved(update.view); }),
    buffer.extension(),
  ];
}

/** CodeMirror's words for its search panel, in the page's spelling. */
const PHRASES = { next: "Next", previous: "Previous", all: "Select all", "match case": "Match case", regexp: "Regular expression", "by word": "Whole words", replace: "Replace", "replace all": "Replace all" };

/** What VS Code has on other keys than CodeMirror. */
const ownKeys = [
  { key: "Mod-d", run: selectNextOccurrence, preventDefault: true },
  { key: "Mod-h", mac: "Mod-Alt-f", run: openReplace, preventDefault: true },
  { key: "Shift-Alt-ArrowDown", run: copyLineDown },
  { key: "Ctrl-m", mac: "Shift-Alt-m", run: toggleTabFocusMode },
];

function openReplace(view: EditorView): boolean {
  openSearchPanel(view);
  view.dom.querySelector<HTMLInputElement>(".cm-search [name=replace]")?.focus();
  return true;
}

async function loadLanguage(view: EditorView, path: string): Promise<void> {
  const description = languageOf(path, view.state.doc.line(1).text);
  if (!description) return;
  try {
    const support = await description.load();
    view.dispatch({ effects: language.reconfigure(support) });
  } catch {
    // Colours alone are missing: the chunk could not be fetched.
  }
}

const SHEBANGS: [RegExp, string][] = [[/\b(ba|z|da|k)?sh\b/, "Shell"], [/python/, "Python"], [/node|deno|bun/, "JavaScript"], [/perl/, "Perl"], [/ruby/, "Ruby"]];
const BY_NAME: Record<string, string> = { ".bashrc": "Shell", ".profile": "Shell", ".bash_profile": "Shell", ".bash_logout": "Shell", ".zshrc": "Shell", ".gitconfig": "Properties files", ".editorconfig": "Properties files", ".npmrc": "Properties files", Makefile: "Shell", ".prettierrc": "JSON", ".babelrc": "JSON" };

function languageOf(path: string, firstLine: string): LanguageDescription | null {
  const name = nameOf(path);
  const byName = LanguageDescription.matchFilename(languages, name) ?? LanguageDescription.matchLanguageName(languages, BY_NAME[name] ?? "\0", false);
  if (byName || !firstLine.startsWith("#!")) return byName;
  const known = SHEBANGS.find(([pattern]) => pattern.test(firstLine))?.[1];
  return known ? LanguageDescription.matchLanguageName(languages, known, false) : null;
}

/** The language of a file as people call it. */
export function languageName(path: string, firstLine: string): string {
  return languageOf(path, firstLine)?.name ?? "Text";
}

export function addExtensions(view: EditorView, more: Extension[]): void {
  view.dispatch({ effects: additional.reconfigure(more) });
}

export function setWrap(view: EditorView, on: boolean): void {
  view.dispatch({ effects: wrap.reconfigure(on ? EditorView.lineWrapping : []) });
}

/** Take up the theme that is on screen. */
export function retheme(view: EditorView): void {
  view.dispatch({ effects: theme.reconfigure(EditorView.darkTheme.of(shownTheme() === "dark")) });
}

/** Put the cursor, or a selection, at a place and bring it into the middle. */
export function goTo(view: EditorView, place: Place): void {
  const line = view.state.doc.line(Math.max(1, Math.min(view.state.doc.lines, place.line)));
  const from = Math.min(line.to, line.from + Math.max(0, (place.column ?? 1) - 1));
  const to = Math.min(view.state.doc.length, from + (place.length ?? 0));
  view.dispatch({ selection: EditorSelection.single(from, to), effects: EditorView.scrollIntoView(from, { y: "center" }) });
}

/** Where the cursor is, as the status bar says it. */
export function position(view: EditorView): string {
  const { main, ranges } = view.state.selection;
  const line = view.state.doc.lineAt(main.head);
  const selected = ranges.reduce((sum, range) => sum + range.to - range.from, 0);
  const more = ranges.length > 1 ? `${ranges.length} cursors` : selected ? `${selected} selected` : "";
  return `Ln ${line.number}, Col ${main.head - line.from + 1}${more ? ` (${more})` : ""}`;
}

/** "Spaces: 4" or "Tab". */
export function indentName(view: EditorView): string {
  const unit = view.state.facet(indentUnit);
  return unit === "\t" ? "Tabs" : `Spaces: ${unit.length}`;
}
