/** The open files as a language server sees them; one file may be in several editors. */
import { LSPPlugin, Workspace, type LSPClient, type WorkspaceFile } from "@codemirror/lsp-client";
import type { ChangeSet, Text, TransactionSpec } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { pathOf } from "./protocol";

export interface WorkspaceHooks {
  /** Whether the server listens. */
  alive: () => boolean;
  display: (path: string) => Promise<EditorView | null>;
  /** The number of open files is another. */
  changed: (files: number) => void;
}

class OpenFile implements WorkspaceFile {
  readonly views: EditorView[] = [];

  constructor(readonly uri: string, readonly languageId: string, public version: number, public doc: Text) {}

  getView(main?: EditorView): EditorView | null {
    return (main && this.views.includes(main) ? main : this.views[0]) ?? null;
  }
}

export class OpenFiles extends Workspace {
  override files: OpenFile[] = [];
  private version = 0;

  constructor(client: LSPClient, private readonly hooks: WorkspaceHooks) {
    super(client);
  }

  /** A server may write a URI otherwise than we do. */
  override getFile(uri: string): OpenFile | null {
    const path = pathOf(uri);
    return this.files.find((file) => file.uri === uri || (path !== null && pathOf(file.uri) === path)) ?? null;
  }

  override syncFiles(): { file: OpenFile; prevDoc: Text; changes: ChangeSet }[] {
    if (!this.hooks.alive()) return [];
    return this.files.flatMap((file) => {
      const plugin = file.views[0] && LSPPlugin.get(file.views[0]);
      if (!plugin || plugin.unsyncedChanges.empty) return [];
      const update = { file, prevDoc: file.doc, changes: plugin.unsyncedChanges };
      this.take(file);
      return [update];
    });
  }

  override openFile(uri: string, languageId: string, view: EditorView): void {
    const there = this.files.find((file) => file.uri === uri);
    // Its editors count changes from the same text on.
    if (there) {
      this.client.sync();
      there.views.push(view);
      return;
    }
    const file = new OpenFile(uri, languageId, (this.version += 1), view.state.doc);
    file.views.push(view);
    this.files.push(file);
    if (this.hooks.alive()) this.client.didOpen(file);
    this.hooks.changed(this.files.length);
  }

  override closeFile(uri: string, view: EditorView): void {
    const file = this.files.find((one) => one.uri === uri);
    if (!file) return;
    if (file.views.length > 1) this.client.sync();
    file.views.splice(file.views.indexOf(view), 1);
    if (file.views.length) return;
    this.files = this.files.filter((one) => one !== file);
    if (this.hooks.alive()) this.client.didClose(uri);
    this.hooks.changed(this.files.length);
  }

  /** A server that has just begun knows no file. */
  override connected(): void {
    for (const file of this.files) {
      this.take(file);
      this.client.didOpen(file);
    }
  }

  override updateFile(uri: string, update: TransactionSpec): void {
    this.getFile(uri)?.getView()?.dispatch(update);
  }

  override displayFile(uri: string): Promise<EditorView | null> {
    const path = pathOf(uri);
    return path === null ? Promise.resolve(null) : this.hooks.display(path);
  }

  private take(file: OpenFile): void {
    if (file.views[0]) file.doc = file.views[0].state.doc;
    file.version = this.version += 1;
    for (const view of file.views) LSPPlugin.get(view)?.clear();
  }
}
