/** A tab of a file: finds out what the file is, and shows it as text, as a picture, or not at all. */
import type { EditorView } from "@codemirror/view";
import type { Extension } from "@codemirror/state";
import { explainFully, Problem } from "../../lib/api";
import { h } from "../../lib/dom";
import { bytes } from "../../lib/format";
import type { Buffer } from "./buffers";
import { declinedElement, type Declined } from "./declined";
import type { Drafts } from "./drafts";
import type { Files } from "../files";
import { pictureOf, pictureType, type Picture } from "../preview/image";
import { noteElement, type Note } from "./note";
import { nameOf } from "../paths";
import type { KeptTab, Tab } from "../tabs/tab";
import { BYTES_MOST, decode, isBinary, plainBecause } from "./text";
import { fileIcon } from "../tree/row";

/** What all tabs of files share. */
export interface FileTabHost {
  files: Files;
  drafts: Drafts;
  buffers: Map<string, Buffer>;
  wrap: () => boolean;
  extensions: (path: string) => Promise<Extension[]>;
  /** The cursor moved, or what the status bar says of the file is another. */
  moved: (tab: FileTab) => void;
  /** Somebody typed. */
  edited: () => void;
  /** Marks of the tab are others. */
  changed: (tab: FileTab) => void;
  /** Compare what is unsaved with what is on the disk. */
  compare: (tab: FileTab) => void;
  save: (tab: FileTab) => void;
  reload: (tab: FileTab) => void;
}

let serial = 0;

export class FileTab implements Tab {
  readonly element: HTMLElement;
  buffer: Buffer | null = null;
  view: EditorView | null = null;
  private picture: Picture | null = null;
  private loading: Promise<void> | null = null;
  private readonly notes = h("div", { class: "notes" });
  private readonly hidden = new Set<string>();
  /** Why it has no colours and no help, or "". */
  plain = "";
  private release = (): void => undefined;

  constructor(public path: string, public preview: boolean, private readonly host: FileTabHost) {
    serial += 1;
    this.element = h("div", { class: "page", role: "tabpanel", id: `page-${serial}`, "aria-label": nameOf(path), hidden: true });
  }

  get key(): string {
    return `file:${this.path}`;
  }

  get title(): string {
    return nameOf(this.path);
  }

  get detail(): string {
    return this.path;
  }

  get icon(): string {
    return fileIcon(this.path);
  }

  get dirty(): boolean {
    return this.buffer ? this.buffer.dirty : this.host.drafts.has(this.path);
  }

  /** Whether it shows text, or is about to. */
  get isText(): boolean {
    return this.buffer !== null || (this.loading !== null && !this.element.querySelector(".declined, .picture"));
  }

  get gone(): boolean {
    return this.buffer?.disk === "removed";
  }

  show(): Promise<void> {
    this.element.hidden = false;
    this.view?.requestMeasure();
    return this.load();
  }

  /** Load the file unless it is loaded. */
  load(): Promise<void> {
    return (this.loading ??= this.read());
  }

  hide(): void {
    this.element.hidden = true;
  }

  focus(): void {
    if (this.view) this.view.focus();
    else this.element.querySelector<HTMLElement>("[tabindex], button, a")?.focus();
  }

  dispose(): void {
    this.clear();
    this.element.remove();
  }

  kept(): KeptTab {
    return { kind: "file", path: this.path, preview: this.preview };
  }

  /** Begin anew, as when the file is another kind of thing. */
  async restart(asText = false): Promise<void> {
    this.clear();
    this.loading = this.read(asText);
    await this.loading;
  }

  private clear(): void {
    this.release();
    this.release = () => undefined;
    this.picture?.dispose();
    this.picture = null;
    if (this.view && this.buffer) {
      const { view, buffer } = this;
      void import("./editor").then(({ closeEditor }) => closeEditor(view, buffer));
      buffer.views.delete(view);
    }
    this.view = null;
    this.buffer = null;
    this.element.replaceChildren();
  }

  private async read(asText = false): Promise<void> {
    const slow = setTimeout(() => this.element.replaceChildren(h("p", { class: "loading muted", role: "status" }, "Loading …")), 250);
    try {
      if (pictureType(this.path) && !asText) await this.loadPicture();
      else await this.loadText(asText);
    } catch (error) {
      // A part of the page could not be fetched: as a rule the server has newer ones by now.
      if (error instanceof TypeError) this.decline({ icon: "rotate-cw", title: "This page is out of date", text: "The server was updated since it was opened. What is unsaved is kept when it is loaded anew.", actions: [{ label: "Load it anew", run: () => location.reload() }] });
      else this.decline({ icon: "circle-alert", title: "It cannot be shown", text: explainFully(error), actions: [{ label: "Try again", run: () => void this.restart() }] });
    } finally {
      clearTimeout(slow);
      this.host.changed(this);
    }
  }

  private async loadPicture(): Promise<void> {
    const content = await this.host.files.read(this.path, BYTES_MOST);
    if (!("bytes" in content)) return this.declineSize(content.size);
    const asText = { label: "Open as text", run: () => void this.restart(true) };
    this.picture = pictureOf(content.bytes, this.path, () => this.decline({ icon: "image", title: "This picture cannot be shown", text: "The browser does not understand it.", download: this.host.files.contentUrl(this.path), actions: [asText] }));
    if (this.path.endsWith(".svg")) this.picture.element.querySelector(".picture-bar")?.append(h("button", { type: "button", class: "button tiny", onclick: asText.run }, asText.label));
    this.element.replaceChildren(this.picture.element);
  }

  private async loadText(asText: boolean): Promise<void> {
    const { path, host } = this;
    const [editor, buffer] = await Promise.all([import("./editor"), this.readBuffer(asText)]);
    if (!buffer) return;
    this.buffer = buffer;
    this.plain = plainBecause(decodedOf(buffer));
    const view = editor.openEditor(buffer, { plain: this.plain !== "", wrap: host.wrap(), label: path, moved: () => host.moved(this) });
    this.view = view;
    this.release = buffer.onChange((edited) => {
      if (edited) this.preview = false;
      this.sayNotes();
      host.changed(this);
      if (!edited) return;
      host.edited();
      host.drafts.later(this.path, buffer.doc.length, () => (buffer.dirty ? { text: buffer.text(), etag: buffer.etag, encoding: buffer.encoding, lineEnd: buffer.lineEnd } : null));
    });
    this.element.replaceChildren(this.notes, view.dom);
    this.sayNotes();
    host.moved(this);
    void this.extend();
  }

  /** Ask again for what others give to editors. */
  async extend(): Promise<void> {
    const { view } = this;
    if (!view || this.plain) return;
    const [editor, more] = await Promise.all([import("./editor"), this.host.extensions(this.path)]);
    if (this.view === view) editor.addExtensions(view, more);
  }

  /** The buffer of the path, with what was not saved in it; null where the file is declined. */
  private async readBuffer(asText: boolean): Promise<Buffer | null> {
    const { path, host } = this;
    const shared = host.buffers.get(path);
    if (shared) return shared;
    const draft = host.drafts.has(path) ? await host.drafts.get(path) : null;
    const [content, { Buffer }] = await Promise.all([this.readContent(draft !== null), import("./editor")]);
    const again = host.buffers.get(path);
    if (again) return again;
    if (!("bytes" in content)) {
      this.declineSize(content.size);
      return null;
    }
    if (isBinary(content.bytes) && !asText) {
      this.declineBinary(content.bytes.length);
      return null;
    }
    const buffer = new Buffer(path, decode(content.bytes), content.etag);
    if (draft) buffer.takeDraft(draft);
    if (content.etag === null) buffer.markDisk("removed");
    if (!buffer.dirty) void host.drafts.drop(path);
    host.buffers.set(path, buffer);
    return buffer;
  }

  /** What is on the disk; where a draft is all that there is, nothing, as no version. */
  private async readContent(hasDraft: boolean): Promise<{ bytes: Uint8Array; etag: string | null } | { size: number }> {
    try {
      return await this.host.files.read(this.path, BYTES_MOST);
    } catch (error) {
      if (hasDraft && error instanceof Problem && error.status === 404) return { bytes: new Uint8Array(), etag: null };
      throw error;
    }
  }

  private declineSize(size: number): void {
    this.decline({ icon: "file", title: "This file is too large to open here", text: `It has ${bytes(size)}; up to ${bytes(BYTES_MOST)} are opened. A program in the terminal, such as less, can show any size.`, download: this.host.files.contentUrl(this.path) });
  }

  private declineBinary(size: number): void {
    this.decline({ icon: "file", title: "This file is no text", text: `It has ${bytes(size)} that look like a program's data.`, download: this.host.files.contentUrl(this.path), actions: [{ label: "Open as text anyway", run: () => void this.restart(true) }] });
  }

  private decline(what: Declined): void {
    this.element.replaceChildren(declinedElement(what));
  }

  private sayNotes(): void {
    const { buffer } = this;
    if (!buffer) return;
    const notes: (Note & { id: string })[] = [];
    if (buffer.disk === "changed") notes.push({ id: "changed", icon: "triangle-alert", warn: true, text: "This file was changed on the disk while you edited it.", actions: [{ label: "Compare", run: () => this.host.compare(this) }, { label: "Take what is on the disk", run: () => this.host.reload(this) }] });
    if (buffer.disk === "removed") notes.push({ id: "removed", icon: "trash-2", warn: true, text: "This file was deleted or moved away.", actions: [{ label: "Save it again", run: () => this.host.save(this) }] });
    if (this.plain) notes.push({ id: "plain", icon: "info", text: `${this.plain}, so colours, folding and completion are off for it.` });
    if (buffer.encoding === "Latin-1") notes.push({ id: "latin", icon: "info", text: "This file is no UTF-8: it is read and saved as Latin-1." });
    this.notes.replaceChildren(...notes.filter((note) => !this.hidden.has(note.id)).map((note) => noteElement(note, note.warn ? undefined : () => { this.hidden.add(note.id); this.sayNotes(); })));
  }
}

function decodedOf(buffer: Buffer): { text: string; encoding: Buffer["encoding"]; lineEnd: Buffer["lineEnd"]; longest: number } {
  let longest = 0;
  for (const line of buffer.doc.iterLines()) longest = Math.max(longest, line.length);
  return { text: buffer.text(), encoding: buffer.encoding, lineEnd: buffer.lineEnd, longest };
}
