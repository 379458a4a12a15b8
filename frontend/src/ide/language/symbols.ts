/** What a language server says that a file declares. */
import type { LSPClient } from "@codemirror/lsp-client";
import { SYMBOLS_MOST, type FileSymbol, type SymbolKind } from "../editor/file-symbol";
import type { Location, Range } from "./protocol";

/** DocumentSymbol, or the older SymbolInformation. */
interface Declared {
  name: string;
  kind: number;
  selectionRange?: Range;
  location?: Location;
  children?: Declared[];
}

/** SymbolKind of the protocol. */
const KINDS: Record<SymbolKind, number[]> = {
  module: [1, 2, 3, 4], type: [5, 10, 11, 23, 26], function: [6, 9, 12, 25], variable: [7, 8, 13, 14, 22], heading: [], other: [],
};

/** For the client's extensions: without it servers answer with a flat list. */
export const nestedSymbols = { clientCapabilities: { textDocument: { documentSymbol: { hierarchicalDocumentSymbolSupport: true } } } };

/** Ask for the declarations of a file that the server has open, in their order; null where it cannot tell. */
export async function symbolsOf(client: LSPClient, uri: string): Promise<FileSymbol[] | null> {
  if (!client.serverCapabilities?.documentSymbolProvider) return null;
  client.sync();
  const declared = await client.request<object, Declared[] | null>("textDocument/documentSymbol", { textDocument: { uri } });
  const found: FileSymbol[] = [];
  take(declared ?? [], 0, found);
  return found;
}

function take(declared: Declared[], depth: number, into: FileSymbol[]): void {
  const placed = declared.flatMap((one) => {
    const start = (one.selectionRange ?? one.location?.range)?.start;
    return start ? [{ one, start }] : [];
  });
  placed.sort((a, b) => a.start.line - b.start.line || a.start.character - b.start.character);
  for (const { one, start } of placed) {
    if (into.length >= SYMBOLS_MOST) return;
    const kind = (Object.keys(KINDS) as SymbolKind[]).find((name) => KINDS[name].includes(one.kind)) ?? "other";
    into.push({ name: String(one.name), kind, line: start.line + 1, column: start.character + 1, depth });
    take(one.children ?? [], depth + 1, into);
  }
}
