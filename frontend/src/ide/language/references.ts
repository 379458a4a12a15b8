/** Everywhere a symbol is used, as a list of matches. */
import { LSPPlugin } from "@codemirror/lsp-client";
import type { EditorView } from "@codemirror/view";
import { explain } from "../../lib/api";
import { toast } from "../../lib/toast";
import { Files } from "../files";
import { pathOf, type Location } from "./protocol";
import type { Match } from "../search/api";
import type { Workbench } from "../workbench";

const MOST = 1000;
const BYTES_MOST = 2_000_000;
const LONGEST = 250;

export type ShowMatches = (title: string, matches: Match[]) => void;

/** Find the uses of what the cursor is on; false where that cannot be asked. */
export function findReferences(workbench: Workbench, show: ShowMatches, view: EditorView): boolean {
  const plugin = LSPPlugin.get(view);
  const { head } = view.state.selection.main;
  const word = view.state.wordAt(head);
  if (!plugin || !word || !plugin.client.serverCapabilities?.referencesProvider) return false;
  const name = view.state.sliceDoc(word.from, word.to);
  plugin.client.sync();
  plugin.client.request<object, Location[] | null>("textDocument/references", { textDocument: { uri: plugin.uri }, position: plugin.toPosition(head), context: { includeDeclaration: true } })
    .then(async (found) => {
      if (!found?.length) return void toast(`“${name}” is used nowhere that the language server knows`, { seconds: 4 });
      show(`“${name}” is used in`, await matchesOf(workbench, found.slice(0, MOST)));
    })
    .catch((error: unknown) => toast("Its uses could not be found", { kind: "error", text: explain(error) }));
  return true;
}

async function matchesOf(workbench: Workbench, locations: Location[]): Promise<Match[]> {
  const files = new Files(workbench.workspace);
  const texts = new Map<string, Promise<string[]>>();
  const linesOf = (path: string): Promise<string[]> => {
    const there = texts.get(path) ?? textOf(workbench, files, path).then((text) => text.split(/\r\n|\r|\n/));
    texts.set(path, there);
    return there;
  };
  const found = await Promise.all(locations.map(async ({ uri, range }): Promise<Match | null> => {
    const path = pathOf(uri);
    if (path === null) return null;
    const line = (await linesOf(path))[range.start.line] ?? "";
    const indent = line.length - line.trimStart().length;
    const end = range.end.line === range.start.line ? range.end.character : line.length;
    return { path, line: range.start.line + 1, column: range.start.character + 1, length: end - range.start.character, text: line.slice(indent, indent + LONGEST), at: Math.max(0, range.start.character - indent) };
  }));
  return found.filter((match) => match !== null).sort((a, b) => a.path.localeCompare(b.path) || a.line - b.line);
}

async function textOf(workbench: Workbench, files: Files, path: string): Promise<string> {
  const open = workbench.textOf(path);
  if (open !== null) return open;
  try {
    const content = await files.read(path, BYTES_MOST);
    return "bytes" in content ? new TextDecoder().decode(content.bytes) : "";
  } catch {
    return "";
  }
}
