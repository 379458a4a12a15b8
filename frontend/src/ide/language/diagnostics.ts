/** What a language server finds wrong, underlined in the editors and counted. */
import { LSPPlugin, type LSPClient } from "@codemirror/lsp-client";
import { setDiagnostics, type Diagnostic as Shown } from "@codemirror/lint";
import { offsetIn, pathOf, type Diagnostic } from "./protocol";
import type { OpenFiles } from "./workspace";

const SEVERITIES: Shown["severity"][] = ["error", "error", "warning", "info", "hint"];

/** More underlines help nobody, and take long to draw. */
const SHOWN_MOST = 2000;

export interface Problems {
  errors: number;
  warnings: number;
}

/** Take up textDocument/publishDiagnostics; `counted` hears of each file. */
export function takeDiagnostics(client: LSPClient, params: { uri: string; version?: number; diagnostics: Diagnostic[] }, counted: (path: string, problems: Problems) => void): boolean {
  const file = (client.workspace as OpenFiles).getFile(params.uri);
  const path = pathOf(params.uri);
  if (!file || path === null || (params.version !== undefined && params.version !== null && params.version !== file.version)) return true;
  const of = (severity: number): number => params.diagnostics.filter((one) => (one.severity ?? 1) === severity).length;
  counted(path, { errors: of(1), warnings: of(2) });
  for (const view of file.views) {
    const plugin = LSPPlugin.get(view);
    if (!plugin) continue;
    const place = (at: Diagnostic["range"]["start"]): number => plugin.unsyncedChanges.mapPos(offsetIn(plugin.syncedDoc, at));
    const list = params.diagnostics.slice(0, SHOWN_MOST).map((one): Shown => {
      const from = place(one.range.start);
      return { from, to: Math.max(from, place(one.range.end)), severity: SEVERITIES[one.severity ?? 1] ?? "info", message: one.message, ...(one.source ? { source: [one.source, one.code].filter(Boolean).join(" ") } : {}) };
    });
    view.dispatch(setDiagnostics(view.state, list));
  }
  return true;
}

/** Take away what a server said that is no more. */
export function clearDiagnostics(files: OpenFiles): void {
  for (const file of files.files) for (const view of file.views) view.dispatch(setDiagnostics(view.state, []));
}
