/** A tab with the page that a Markdown file makes; it follows the file while that is edited. */
import { explain } from "../../lib/api";
import { h } from "../../lib/dom";
import type { Buffer } from "../editor/buffers";
import type { Files } from "../files";
import { nameOf } from "../paths";
import type { KeptTab, Tab } from "../tabs/tab";
import { BYTES_MOST, decode } from "../editor/text";

export interface PreviewHost {
  files: Files;
  buffer: (path: string) => Buffer | null;
  open: (path: string) => void;
}

const PAUSE_MS = 200;
let serial = 0;

export class PreviewTab implements Tab {
  readonly element: HTMLElement;
  readonly icon = "eye";
  readonly dirty = false;
  preview = false;
  private shown: { dispose: () => void } | null = null;
  private follows: Buffer | null = null;
  private release = (): void => undefined;
  private timer = 0;

  constructor(readonly path: string, private readonly host: PreviewHost) {
    serial += 1;
    this.element = h("div", { class: "page preview", role: "tabpanel", id: `preview-${serial}`, tabindex: 0, "aria-label": this.title, hidden: true });
  }

  get key(): string {
    return `markdown:${this.path}`;
  }

  get title(): string {
    return `Preview of ${nameOf(this.path)}`;
  }

  get detail(): string {
    return this.path;
  }

  async show(): Promise<void> {
    this.element.hidden = false;
    const buffer = this.host.buffer(this.path);
    if (buffer !== this.follows) {
      this.release();
      this.follows = buffer;
      this.release = buffer?.onChange(() => this.later()) ?? ((): void => undefined);
    }
    await this.render();
  }

  hide(): void {
    this.element.hidden = true;
  }

  focus(): void {
    this.element.focus();
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.release();
    this.shown?.dispose();
    this.element.remove();
  }

  kept(): KeptTab {
    return { kind: "markdown", path: this.path, preview: false };
  }

  /** The file changed on the disk. */
  later(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => { if (!this.element.hidden) void this.render(); }, PAUSE_MS);
  }

  private async render(): Promise<void> {
    const { renderMarkdown } = await import("./markdown");
    try {
      const made = renderMarkdown(await this.text(), this.path, {
        picture: async (path) => {
          const content = await this.host.files.read(path, BYTES_MOST);
          if (!("bytes" in content)) throw new Error("too large");
          return content.bytes;
        },
        open: this.host.open,
      });
      const top = this.element.scrollTop;
      this.shown?.dispose();
      this.shown = made;
      this.element.replaceChildren(made.element);
      this.element.scrollTop = top;
    } catch (error) {
      this.element.replaceChildren(h("p", { class: "loading muted" }, explain(error)));
    }
  }

  private async text(): Promise<string> {
    const buffer = this.host.buffer(this.path);
    if (buffer) return buffer.text();
    const content = await this.host.files.read(this.path, BYTES_MOST);
    if (!("bytes" in content)) throw new Error("This file is too large to show.");
    return decode(content.bytes).text;
  }
}
