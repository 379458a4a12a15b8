/** Renaming a symbol wherever it is used, in open files and in others. */
import { LSPPlugin } from "@codemirror/lsp-client";
import { Text, type ChangeSpec } from "@codemirror/state";
import { showDialog, type EditorView } from "@codemirror/view";
import { explain } from "../../lib/api";
import { toast } from "../../lib/toast";
import { Files } from "../files";
import { editsByPath, offsetIn, uriOf, type Edit, type WorkspaceEdit } from "./protocol";
import type { OpenFiles } from "./workspace";
import { nameOf } from "../paths";
import type { Workbench } from "../workbench";

/** Larger files are left alone, and with them the rename. */
const BYTES_MOST = 5_000_000;

/** Ask for a name and rename what the cursor is on; false where there is nothing. */
export function renameSymbol(workbench: Workbench, view: EditorView): boolean {
  const plugin = LSPPlugin.get(view);
  const word = view.state.wordAt(view.state.selection.main.head);
  if (!plugin || !word || !plugin.client.serverCapabilities?.renameProvider) return false;
  const { close, result } = showDialog(view, { label: "New name", input: { name: "name", value: view.state.sliceDoc(word.from, word.to) }, focus: true, submitLabel: "Rename", class: "rename" });
  void result.then((form) => {
    view.dispatch({ effects: close });
    view.focus();
    const name = form && new FormData(form).get("name");
    if (name) void rename(workbench, view, word.from, String(name));
  });
  return true;
}

async function rename(workbench: Workbench, view: EditorView, at: number, newName: string): Promise<void> {
  const plugin = LSPPlugin.get(view);
  if (!plugin) return;
  const { client } = plugin;
  client.sync();
  try {
    const edit = await client.request<object, WorkspaceEdit | null>("textDocument/rename", { newName, position: plugin.toPosition(at), textDocument: { uri: plugin.uri } });
    const edits = edit && editsByPath(edit);
    if (!edits?.size) return void toast("Nothing was renamed", { text: "The language server knows no other name for it." });
    const closed = [...edits.keys()].filter((path) => !(client.workspace as OpenFiles).getFile(uriOf(path)));
    const files = new Files(workbench.workspace);
    // Files on the disk first: one that cannot be written stops it before anything is half done here.
    for (const path of closed) {
      await rewrite(files, path, edits.get(path)!);
      client.notification("workspace/didChangeWatchedFiles", { changes: [{ uri: uriOf(path), type: 2 }] });
    }
    for (const [path, list] of edits) {
      const open = (client.workspace as OpenFiles).getFile(uriOf(path))?.getView();
      if (open) open.dispatch({ changes: changesOf(open.state.doc, list), userEvent: "rename" });
    }
    if (closed.length) workbench.refresh();
    toast(`Renamed in ${edits.size} ${edits.size === 1 ? "file" : "files"}`, { kind: "ok", seconds: 4, ...(closed.length ? { text: closed.length === 1 ? `${nameOf(closed[0]!)} was not open: it is saved already.` : `${closed.length} of them were not open: they are saved already.` } : {}) });
  } catch (error) {
    toast("It was not renamed everywhere", { kind: "error", text: explain(error) });
  }
}

async function rewrite(files: Files, path: string, edits: Edit[]): Promise<void> {
  const content = await files.read(path, BYTES_MOST);
  if (!("bytes" in content)) throw new Error(`${nameOf(path)} is too large.`);
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content.bytes);
  // From the end on, so that places before stay what they are; line ends stay what they were.
  const ends = lineStarts(text);
  const place = ({ line, character }: Edit["range"]["start"]): number => (ends[line] ?? text.length) + character;
  let made = text;
  for (const edit of [...edits].sort((a, b) => place(b.range.start) - place(a.range.start))) made = made.slice(0, place(edit.range.start)) + edit.newText + made.slice(place(edit.range.end));
  await files.write(path, new TextEncoder().encode(made), content.etag);
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (const end of text.matchAll(/\r\n|\r|\n/g)) starts.push(end.index + end[0].length);
  return starts;
}

function changesOf(doc: Text, edits: Edit[]): ChangeSpec[] {
  return edits.map(({ range, newText }) => ({ from: offsetIn(doc, range.start), to: offsetIn(doc, range.end), insert: newText }));
}
