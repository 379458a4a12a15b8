/** How editors look: all colours are variables of ide.css, which knows both themes. */
import { HighlightStyle } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags as t } from "@lezer/highlight";

export const look = EditorView.theme({
  "&": { height: "100%", fontSize: "var(--editor-size)", color: "var(--text)", backgroundColor: "var(--editor-bg)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--accent-text)", padding: "6px 0 40vh" },
  ".cm-cursor": { borderLeftColor: "var(--accent-text)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--editor-bg)", color: "var(--line-number)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 6px 0 14px", minWidth: "42px" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--text)" },
  ".cm-activeLine": { backgroundColor: "var(--active-line)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--selection)" },
  ".cm-selectionMatch": { backgroundColor: "var(--match)" },
  ".cm-searchMatch": { backgroundColor: "var(--found)", outline: "1px solid var(--found-edge)" },
  ".cm-searchMatch-selected": { backgroundColor: "var(--found-edge)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--match)", outline: "1px solid var(--border-strong)" },
  ".cm-foldGutter .cm-gutterElement": { color: "var(--muted)", cursor: "pointer" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--sunken)", border: "1px solid var(--border)", color: "var(--muted)" },
  ".cm-panels": { backgroundColor: "var(--surface)", color: "var(--text)", borderColor: "var(--border) !important" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--border)", borderRadius: "8px", boxShadow: "var(--shadow-high)", overflow: "hidden" },
  ".cm-tooltip-autocomplete > ul > li": { padding: "3px 8px" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--text)" },
  ".cm-completionMatchedText": { textDecoration: "none", color: "var(--accent-text)", fontWeight: "600" },
});

export const colours = HighlightStyle.define([
  { tag: t.comment, color: "var(--syn-comment)", fontStyle: "italic" },
  { tag: [t.keyword, t.operatorKeyword, t.moduleKeyword, t.controlKeyword, t.definitionKeyword], color: "var(--syn-keyword)" },
  { tag: [t.string, t.special(t.string), t.regexp, t.attributeValue], color: "var(--syn-string)" },
  { tag: [t.escape, t.character], color: "var(--syn-escape)" },
  { tag: [t.number, t.bool, t.null, t.atom, t.unit], color: "var(--syn-number)" },
  { tag: [t.function(t.variableName), t.function(t.propertyName), t.labelName, t.macroName], color: "var(--syn-function)" },
  { tag: [t.typeName, t.className, t.namespace], color: "var(--syn-type)" },
  { tag: [t.propertyName, t.attributeName, t.definition(t.propertyName)], color: "var(--syn-property)" },
  { tag: [t.tagName, t.angleBracket], color: "var(--syn-tag)" },
  { tag: [t.meta, t.processingInstruction, t.annotation], color: "var(--syn-meta)" },
  { tag: [t.self, t.special(t.variableName), t.standard(t.variableName)], color: "var(--syn-builtin)" },
  { tag: [t.operator, t.punctuation, t.bracket, t.separator], color: "var(--syn-operator)" },
  { tag: t.heading, color: "var(--syn-function)", fontWeight: "700" },
  { tag: t.strong, fontWeight: "700" },
  { tag: t.emphasis, fontStyle: "italic" },
  { tag: t.strikethrough, textDecoration: "line-through" },
  { tag: [t.link, t.url], color: "var(--accent-text)", textDecoration: "underline" },
  { tag: t.monospace, color: "var(--syn-string)" },
  { tag: t.quote, color: "var(--syn-comment)" },
  { tag: t.inserted, color: "var(--green)" },
  { tag: t.deleted, color: "var(--red)" },
  { tag: t.invalid, color: "var(--red)" },
]);

/** Besides those that CodeMirror knows: marks that turn text around, or hide in it, so that code reads otherwise than it runs (CVE-2021-42574). */
export const UNSEEN = { addSpecialChars: /[\u180e\u202a-\u202c\u2060-\u2064\u2068\u2800\u3164]/gu };
