/** The declarations of a text by its syntax tree, or line by line where its language has none. */
import { ensureSyntaxTree, syntaxTree } from "@codemirror/language";
import type { Text } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import type { SyntaxNode, SyntaxNodeRef, Tree } from "@lezer/common";
import { languageLoaded } from "./editor";
import { SYMBOLS_MOST, type FileSymbol, type SymbolKind } from "./file-symbol";

const PARSE_MS = 150;
/** Deeper ones say little of where one is: JSON and YAML are all keys, and functions are full of variables. */
const DEPTH_MOST: Partial<Record<SymbolKind, number>> = { variable: 0, other: 1 };

/** Nodes of the grammars of @lezer that declare something. */
const KINDS: Record<SymbolKind, string> = {
  function: "FunctionDefinition FunctionDeclaration MethodDeclaration ConstructorDeclaration FunctionDecl MethodDecl FunctionItem",
  type: "ClassDefinition ClassDeclaration InterfaceDeclaration TypeAliasDeclaration EnumDeclaration RecordDeclaration TraitDeclaration ClassSpecifier StructSpecifier EnumSpecifier UnionSpecifier StructItem EnumItem TraitItem TypeItem ImplItem TypeSpec",
  module: "NamespaceDeclaration NamespaceDefinition ModItem",
  variable: "VariableDeclaration ConstDeclaration ConstItem StaticItem",
  heading: "ATXHeading1 ATXHeading2 ATXHeading3 ATXHeading4 ATXHeading5 ATXHeading6 SetextHeading1 SetextHeading2 RuleSet",
  other: "Property Pair",
};
const KIND_OF = new Map(Object.entries(KINDS).flatMap(([kind, names]) => names.split(" ").map((name) => [name, kind as SymbolKind])));
/** What has this before its value is JSON or YAML; in a program's object it is another node. */
const KEYS = new Set(["PropertyName", "Key"]);
const NAMES = new Set("VariableDefinition PropertyDefinition PrivatePropertyDefinition TypeDefinition Definition DefName FieldName BoundIdentifier FieldIdentifier Name VariableName TypeName".split(" "));
/** In C a type comes before the function's name, elsewhere it is the name. */
const OTHER_NAMES = new Set(["Identifier", "TypeIdentifier", "ScopedIdentifier"]);
const AROUND_NAMES = new Set(["FunctionDeclarator", "PointerDeclarator", "ReferenceDeclarator", "QualifiedIdentifier"]);

/** A line that declares something in the languages that have colours alone: shell, Ruby, Perl, Lua, TOML and others. */
const LINE = /^(\s*)(?:(?:export|pub|public|private|local|static|async)\s+)*(?:(function|def|sub|func|fun|fn|proc|class|module|struct|trait|enum|interface)\s+([\w$.:!?-]+)|([\w-]+)\s*\(\)\s*\{|\[{1,2}([^\]\n]{1,200})\]{1,2}\s*$)/;

export async function declarations(view: EditorView): Promise<FileSymbol[]> {
  await languageLoaded(view);
  const { state } = view;
  const tree = ensureSyntaxTree(state, state.doc.length, PARSE_MS) ?? syntaxTree(state);
  const found = fromTree(tree, state.doc);
  return found.length ? found : fromLines(state.doc);
}

function fromTree(tree: Tree, doc: Text): FileSymbol[] {
  const found: FileSymbol[] = [];
  let depth = 0;
  tree.iterate({
    enter(node) {
      const kind = KIND_OF.get(node.name);
      if (!kind || found.length >= SYMBOLS_MOST) return;
      const name = kind === "heading" ? titleOf(node, doc) : nameOf(node.node);
      if (name && depth <= (DEPTH_MOST[kind] ?? Infinity)) found.push(at(doc, name.from, text(doc, name.from, name.to, kind), kind, headingLevel(node.name) ?? depth));
      depth += 1;
    },
    leave(node) {
      if (KIND_OF.has(node.name)) depth -= 1;
    },
  });
  return found;
}

function nameOf(node: SyntaxNode): { from: number; to: number } | null {
  let other: SyntaxNode | null = null;
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (NAMES.has(child.name) || KEYS.has(child.name)) return node.name === "Property" && !KEYS.has(child.name) ? null : child;
    if (AROUND_NAMES.has(child.name)) return nameOf(child) ?? child;
    if (OTHER_NAMES.has(child.name)) other ??= child;
  }
  return other;
}

/** Of a heading its line, of a rule of CSS its selectors. */
function titleOf(node: SyntaxNodeRef, doc: Text): { from: number; to: number } {
  const block = node.node.getChild("Block");
  return { from: node.from, to: block ? block.from : doc.lineAt(node.from).to };
}

function headingLevel(name: string): number | null {
  const level = /^(?:ATX|Setext)Heading(\d)$/.exec(name);
  return level && Number(level[1]) - 1;
}

function text(doc: Text, from: number, to: number, kind: SymbolKind): string {
  const cut = doc.sliceString(from, Math.min(to, from + 200)).replace(/\s+/g, " ").trim();
  return kind === "heading" ? cut.replace(/^#+ | #+$/g, "") : cut.replace(/^(["'])(.*)\1$/, "$2");
}

function at(doc: Text, from: number, name: string, kind: SymbolKind, depth: number): FileSymbol {
  const line = doc.lineAt(from);
  return { name, kind, line: line.number, column: from - line.from + 1, depth };
}

function fromLines(doc: Text): FileSymbol[] {
  const found: FileSymbol[] = [];
  let number = 0;
  for (const line of doc.iterLines()) {
    number += 1;
    const match = line.length < 500 && found.length < SYMBOLS_MOST ? LINE.exec(line) : null;
    if (!match) continue;
    const [whole, indent, word, named, shell, section] = match;
    const name = named ?? shell ?? section ?? "";
    const kind = section ? "heading" : !word || /^(function|def|sub|fu?nc?|fun|proc)$/.test(word) ? "function" : word === "module" ? "module" : "type";
    found.push({ name, kind, line: number, column: whole.indexOf(name) + 1, depth: Math.min(4, Math.floor((indent ?? "").length / 2)) });
  }
  return found;
}
