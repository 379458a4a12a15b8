/** The few shapes of the Language Server Protocol (3.17) that are handled here; the client knows the others. */
import type { Text } from "@codemirror/state";

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

export interface Location {
  uri: string;
  range: Range;
}

export interface Edit {
  range: Range;
  newText: string;
}

/** A server gives one or the other. */
export interface WorkspaceEdit {
  changes?: Record<string, Edit[]>;
  documentChanges?: { textDocument?: { uri: string }; edits?: Edit[]; kind?: string }[];
}

export interface Diagnostic {
  range: Range;
  severity?: 1 | 2 | 3 | 4;
  message: string;
  source?: string;
  code?: number | string;
}

/** "/home/ann/a b.py" -> "file:///home/ann/a%20b.py". */
export function uriOf(path: string): string {
  return `file://${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** The path of a file's URI, however it is written; null for what is no file. */
export function pathOf(uri: string): string | null {
  if (!uri.startsWith("file:///")) return null;
  try {
    return decodeURIComponent(uri.slice("file://".length));
  } catch {
    return null;
  }
}

/** An offset in a text; what a server says of an older one may lie beyond its end. */
export function offsetIn(doc: Text, { line, character }: Position): number {
  if (line >= doc.lines) return doc.length;
  const at = doc.line(Math.max(0, line) + 1);
  return Math.min(at.to, at.from + Math.max(0, character));
}

/** The edits of a rename and the like by path; null where it would also make, move or delete files. */
export function editsByPath(edit: WorkspaceEdit): Map<string, Edit[]> | null {
  const found = new Map<string, Edit[]>();
  const listed = edit.documentChanges?.map((one) => [one.kind ? null : one.textDocument?.uri, one.edits ?? []] as const) ?? Object.entries(edit.changes ?? {});
  for (const [uri, edits] of listed) {
    const path = uri ? pathOf(uri) : null;
    if (path === null) return null;
    found.set(path, [...(found.get(path) ?? []), ...edits]);
  }
  return found;
}
