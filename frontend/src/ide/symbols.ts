/** What a file declares, to be gone to: asked of its language server, else read off the text itself. */
import type { EditorView } from "@codemirror/view";
import type { FileSymbol } from "./editor/file-symbol";

/** Null: it does not know the file. */
export type SymbolProvider = (path: string) => Promise<FileSymbol[] | null>;

/** A server that still reads the project is not waited for. */
const PATIENCE_MS = 1500;

export class Symbols {
  private readonly providers: SymbolProvider[] = [];

  add(provider: SymbolProvider): void {
    this.providers.push(provider);
  }

  /** The declarations of the file in an editor, in its order. */
  async of(path: string, view: EditorView): Promise<FileSymbol[]> {
    for (const provide of this.providers) {
      const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), PATIENCE_MS));
      const found = await Promise.race([provide(path).catch(() => null), late]);
      if (found?.length) return found;
    }
    const { declarations } = await import("./editor/declarations");
    return declarations(view);
  }
}
