/** What is in a tab of the editors: a file, a preview, a comparison. */

/** What a reload brings back. */
export interface KeptTab {
  kind: "file" | "markdown";
  path: string;
  preview: boolean;
}

export interface Tab {
  /** The same thing has the same key; a group has it once. */
  readonly key: string;
  readonly path: string | null;
  readonly title: string;
  /** Told in full by the tooltip. */
  readonly detail: string;
  readonly icon: string;
  readonly element: HTMLElement;
  readonly dirty: boolean;
  /** The file is no longer there. */
  readonly gone?: boolean;
  /** The next preview takes its place. */
  preview: boolean;
  /** It is in front: load what it needs. */
  show(): Promise<void>;
  hide?(): void;
  focus(): void;
  dispose(): void;
  /** What a reload brings back; null: nothing. */
  kept(): KeptTab | null;
}
