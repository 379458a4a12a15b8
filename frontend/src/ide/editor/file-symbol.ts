/** One declaration of a file. */
export type SymbolKind = "function" | "type" | "variable" | "module" | "heading" | "other";

/** Lines and columns count from 1. */
export interface FileSymbol {
  name: string;
  kind: SymbolKind;
  line: number;
  column: number;
  /** How many others it lies in. */
  depth: number;
}

/** Of one file: more are not listed. */
export const SYMBOLS_MOST = 5000;
