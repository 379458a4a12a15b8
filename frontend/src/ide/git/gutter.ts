/** Lines that differ from the last commit, marked beside their numbers. */
import { Chunk } from "@codemirror/merge";
import { RangeSet, StateEffect, StateField, type EditorState, type Extension, type Text } from "@codemirror/state";
import { EditorView, gutter, GutterMarker, ViewPlugin } from "@codemirror/view";
import type { GitStore } from "./store";
import { closePeek, peek, peeking } from "./peek";

const DIFF = { scanLimit: 500, timeout: 60 };

interface Compared {
  /** As the last commit has it; null where it has it not. */
  base: Text | null;
  chunks: readonly Chunk[];
}

const setBase = StateEffect.define<Text | null>();

const compared = StateField.define<Compared>({
  create: () => ({ base: null, chunks: [] }),
  update(value, transaction) {
    let { base, chunks } = value;
    if (base && transaction.docChanged) chunks = Chunk.updateB(chunks, base, transaction.newDoc, transaction.changes, DIFF);
    for (const effect of transaction.effects) {
      if (!effect.is(setBase)) continue;
      base = effect.value;
      chunks = base ? Chunk.build(base, transaction.newDoc, DIFF) : [];
    }
    return base === value.base && chunks === value.chunks ? value : { base, chunks };
  },
});

class Mark extends GutterMarker {
  constructor(readonly kind: "added" | "changed" | "removed") {
    super();
  }

  override eq(other: Mark): boolean {
    return this.kind === other.kind;
  }

  override toDOM(): Node {
    const element = document.createElement("div");
    element.className = `git-mark ${this.kind}`;
    element.title = { added: "Added since the last commit", changed: "Changed since the last commit: click to see what it was", removed: "Lines were removed here: click to see them" }[this.kind];
    return element;
  }
}

const MARKS = { added: new Mark("added"), changed: new Mark("changed"), removed: new Mark("removed") };

/** What follows the last line end is no line of git's: text in its place is additional. */
function kindOf(chunk: Chunk, base: Text): keyof typeof MARKS {
  return chunk.fromB === chunk.toB ? "removed" : chunk.fromA === chunk.toA || (chunk.fromA > 0 && chunk.fromA === base.length) ? "added" : "changed";
}

function marks(state: EditorState): RangeSet<GutterMarker> {
  const { base, chunks } = state.field(compared);
  if (!base) return RangeSet.empty;
  const ranges = [];
  for (const chunk of chunks) {
    const marker = MARKS[kindOf(chunk, base)];
    const last = Math.max(chunk.fromB, Math.min(chunk.endB, state.doc.length));
    for (let at = Math.min(chunk.fromB, state.doc.length); at <= last;) {
      const line = state.doc.lineAt(at);
      ranges.push(marker.range(line.from));
      at = line.to + 1;
    }
  }
  return RangeSet.of(ranges, true);
}

/** The change that a position lies in, or touches. */
function chunkAt(state: EditorState, at: number): Chunk | null {
  const line = state.doc.lineAt(at);
  return state.field(compared).chunks.find((chunk) => chunk.fromB <= line.to && Math.max(chunk.endB, chunk.fromB) >= line.from) ?? null;
}

/** Show what the lines of a change were before, with a button that brings them back. */
function show(view: EditorView, chunk: Chunk): void {
  const { base, chunks } = view.state.field(compared);
  if (!base) return;
  peek(view, Math.min(chunk.fromB, view.state.doc.length), {
    text: base.sliceString(chunk.fromA, Math.max(chunk.fromA, Math.min(base.length, chunk.toA - 1))),
    added: kindOf(chunk, base) === "added",
    where: `Change ${chunks.indexOf(chunk) + 1} of ${chunks.length}`,
    revert: () => revert(view, chunk.fromB),
    step: (by) => step(view, by, chunk.fromB),
  });
}

function revert(view: EditorView, from: number): void {
  const { base, chunks } = view.state.field(compared);
  const chunk = chunks.find((one) => one.fromB === from);
  if (!base || !chunk) return;
  const { doc } = view.state;
  let insert = base.sliceString(chunk.fromA, Math.max(chunk.fromA, chunk.toA - 1));
  if (chunk.fromA !== chunk.toA && chunk.toB <= doc.length) insert += "\n";
  view.dispatch({ changes: { from: Math.min(doc.length, chunk.fromB), to: Math.min(doc.length, chunk.toB), insert }, effects: closePeek.of(null), userEvent: "revert" });
  view.focus();
}

function step(view: EditorView, by: 1 | -1, from = view.state.selection.main.head): boolean {
  const { chunks } = view.state.field(compared);
  if (!chunks.length) return false;
  const line = view.state.doc.lineAt(Math.min(from, view.state.doc.length));
  const next = by > 0 ? chunks.find((chunk) => chunk.fromB > line.to) ?? chunks[0]! : chunks.findLast((chunk) => chunk.fromB < line.from) ?? chunks.at(-1)!;
  const at = Math.min(next.fromB, view.state.doc.length);
  view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
  show(view, next);
  return true;
}

/** Go to another change and show what was there before. */
export function nextChange(view: EditorView, by: 1 | -1): void {
  if (view.state.field(compared, false)) step(view, by);
}

/** Bring back what the change at the cursor replaced. */
export function revertChange(view: EditorView): void {
  if (!view.state.field(compared, false)) return;
  const chunk = chunkAt(view.state, view.state.selection.main.head);
  if (chunk) revert(view, chunk.fromB);
}

/** Asks for the text of the last commit, and again when that is another. */
function follows(store: GitStore, path: string): Extension {
  return ViewPlugin.fromClass(class {
    private head: string | null = null;
    private asked = new AbortController();
    private readonly stop: () => void;

    constructor(private readonly view: EditorView) {
      this.stop = store.onChange(() => void this.look());
      // An editor that is being built takes no transactions.
      queueMicrotask(() => void this.look());
    }

    destroy(): void {
      this.asked.abort();
      this.stop();
    }

    private async look(): Promise<void> {
      const status = store.repositoryOf(path);
      const file = store.fileStatus(path);
      // A file that git has staged as new, or does not know, has no lines to compare with.
      const head = status && file?.work !== "?" && file?.index !== "A" ? `${status.root} ${status.head}` : null;
      if (head === this.head) return;
      this.head = head;
      this.asked.abort();
      const mine = (this.asked = new AbortController());
      if (head === null || !status) return this.set(null);
      try {
        const text = await store.git.textAt(status.root, path, "HEAD", mine.signal);
        if (!mine.signal.aborted) this.set(text === null ? null : this.view.state.toText(text.replace(/^\ufeff/, "")));
      } catch {
        // Ignored by git, or of no commit: nothing to compare with.
        if (!mine.signal.aborted) this.set(null);
      }
    }

    private set(base: Text | null): void {
      if (base !== this.view.state.field(compared).base) this.view.dispatch({ effects: setBase.of(base) });
    }
  });
}

/** Mark what has changed in a file since the last commit. */
export function gitGutter(store: GitStore, path: string): Extension {
  return [
    compared, peeking, follows(store, path),
    gutter({
      class: "git-gutter",
      markers: (view) => marks(view.state),
      domEventHandlers: {
        mousedown(view, block) {
          const chunk = chunkAt(view.state, block.from);
          if (!chunk) return false;
          show(view, chunk);
          return true;
        },
      },
    }),
  ];
}
