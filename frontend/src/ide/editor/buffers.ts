/** The text of a file that is open: one for all its editors, with what the disk had last. */
import { Annotation, Text, Transaction, type ChangeSpec, type Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import type { Draft } from "./drafts";
import { encode, type Decoded, type Encoding, type LineEnd } from "./text";

/** Marks what came from another editor of the same file. */
const mirrored = Annotation.define<boolean>();

export type Disk = "same" | "changed" | "removed";

export class Buffer {
  doc: Text;
  encoding: Encoding;
  lineEnd: LineEnd;
  /** What happened to the file behind our back. */
  disk: Disk = "same";
  readonly views = new Set<EditorView>();
  /** What the disk had when it was last read or written; null: the text began as a version that is no more. */
  private saved: Text | null;
  private savedAs: string;
  private readonly listeners = new Set<(edited: boolean) => void>();

  /** etag: the version of the file that the text began as; null where there is no file yet. */
  constructor(public path: string, decoded: Decoded, public etag: string | null) {
    this.encoding = decoded.encoding;
    this.lineEnd = decoded.lineEnd;
    this.doc = this.saved = this.parse(decoded.text);
    this.savedAs = this.form();
  }

  get dirty(): boolean {
    return !this.saved || this.savedAs !== this.form() || !this.doc.eq(this.saved);
  }

  /** Call back on edits, and (edited: false) when what is known of the disk changes. */
  onChange(listener: (edited: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  text(): string {
    return this.doc.toString();
  }

  /** The file as it would be written. Raises: Error where the encoding lacks a character. */
  bytes(): Uint8Array<ArrayBuffer> {
    return encode(this.text(), this.encoding, this.lineEnd);
  }

  /** What was written is on the disk as this version. */
  markSaved(doc: Text, etag: string): void {
    this.saved = doc;
    this.savedAs = this.form();
    this.etag = etag;
    this.disk = "same";
    this.tell(false);
  }

  /** Take what is on the disk: the text too, unless `keep` holds on to what was edited. */
  takeDisk(decoded: Decoded, etag: string, keep = false): void {
    this.saved = this.parse(decoded.text);
    this.etag = etag;
    this.disk = "same";
    if (!keep) {
      this.encoding = decoded.encoding;
      this.lineEnd = decoded.lineEnd;
      this.replace(decoded.text);
    }
    this.savedAs = this.form();
    this.tell(false);
  }

  /** Take what an earlier page did not save. It is for no other version than the one that it began as. */
  takeDraft(draft: Draft): void {
    this.setForm(draft.encoding, draft.lineEnd);
    this.replace(draft.text);
    if (draft.etag === this.etag || !this.dirty) return;
    this.etag = draft.etag;
    this.saved = null;
    this.markDisk("changed");
  }

  /** Whether a text is what the disk had when it was last read or written. */
  isSaved(decoded: Decoded): boolean {
    return this.saved !== null && this.parse(decoded.text).eq(this.saved);
  }

  markDisk(disk: Disk): void {
    if (disk === this.disk) return;
    this.disk = disk;
    this.tell(false);
  }

  setForm(encoding: Encoding, lineEnd: LineEnd): void {
    this.encoding = encoding;
    this.lineEnd = lineEnd;
    this.tell(true);
  }

  /** Change the text to this by the smallest edit, so that cursors stay where they are. */
  replace(text: string): void {
    const changes = difference(this.doc, this.parse(text));
    if (!changes) return;
    const [view] = this.views;
    if (view) view.dispatch({ changes });
    else {
      this.doc = this.parse(text);
      this.tell(true);
    }
  }

  /** What an editor of this buffer needs to share it. */
  extension(): Extension {
    return EditorView.updateListener.of((update) => {
      if (!update.docChanged || update.transactions.some((one) => one.annotation(mirrored))) return;
      this.doc = update.state.doc;
      for (const other of this.views)
        if (other !== update.view) other.dispatch({ changes: update.changes, annotations: [mirrored.of(true), Transaction.addToHistory.of(false)] });
      this.tell(true);
    });
  }

  private form(): string {
    return `${this.encoding} ${this.lineEnd}`;
  }

  /** Where ends of lines are mixed, a "\r" is a character like others. */
  private parse(text: string): Text {
    return Text.of(text.split(this.lineEnd === "mixed" ? "\n" : /\r\n|\n/));
  }

  private tell(edited: boolean): void {
    for (const listener of this.listeners) listener(edited);
  }
}

/** The edit that makes one text of another: what lies between their common beginning and end. */
function difference(from: Text, to: Text): ChangeSpec | null {
  const a = from.toString();
  const b = to.toString();
  if (a === b) return null;
  const most = Math.min(a.length, b.length);
  let start = 0;
  while (start < most && a.charCodeAt(start) === b.charCodeAt(start)) start += 1;
  let end = 0;
  while (end < most - start && a.charCodeAt(a.length - 1 - end) === b.charCodeAt(b.length - 1 - end)) end += 1;
  return { from: start, to: a.length - end, insert: to.slice(start, to.length - end) };
}
