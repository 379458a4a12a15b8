/** Saving: only over the version that was edited; over another one the person decides, side by side. */
import { explain, explainFully, Problem } from "../../lib/api";
import { announce } from "../../lib/dom";
import { toast } from "../../lib/toast";
import { visibleText } from "../../lib/visible";
import type { Buffer } from "./buffers";
import type { Files } from "../files";
import type { FileTab } from "./file-tab";
import { nameOf } from "../paths";
import type { Tab } from "../tabs/tab";
import { BYTES_MOST, decode } from "./text";

export interface SaverHooks {
  saved: (path: string) => void;
  show: (tab: Tab) => Promise<void>;
  close: (key: string) => void;
  narrow: () => boolean;
  drop: (path: string) => Promise<void>;
}

export class Saver {
  /** What is just being written: the watch must not take it for somebody else's change. */
  readonly running = new Map<string, Promise<boolean>>();

  constructor(private readonly files: Files, private readonly hooks: SaverHooks) {}

  /** Save a file; false when it could not be, which was said. */
  save(tab: FileTab): Promise<boolean> {
    const { buffer } = tab;
    if (!buffer) return Promise.resolve(true);
    tab.preview = false;
    const running = this.running.get(buffer.path);
    if (running) return running.then((done) => (done && buffer.dirty ? this.save(tab) : done));
    const work = this.write(buffer).finally(() => this.running.delete(buffer.path));
    this.running.set(buffer.path, work);
    return work;
  }

  /** Show the disk's text beside what was edited. */
  async compare(buffer: Buffer): Promise<void> {
    const name = visibleText(nameOf(buffer.path));
    try {
      const content = await this.files.read(buffer.path, BYTES_MOST);
      if (!("bytes" in content)) throw new Error("What is on the disk is too large to compare.");
      const disk = decode(content.bytes);
      const { DiffTab } = await import("./diff");
      const key = `conflict:${buffer.path}`;
      this.hooks.close(key);
      await this.hooks.show(new DiffTab({
        key, title: `${name} (conflict)`, path: buffer.path, narrow: this.hooks.narrow(),
        left: { label: "On the disk", text: disk.text.replaceAll("\r\n", "\n") },
        right: { label: "Yours", buffer },
        note: {
          icon: "git-merge", warn: true, text: `${name} was changed by somebody else. Take over what you want from the left, then save the right side.`,
          actions: [
            { label: "Save the right side", run: () => void this.resolve(buffer, content.etag, key) },
            { label: "Take the left side", run: () => { buffer.takeDisk(disk, content.etag); void this.hooks.drop(buffer.path); this.hooks.close(key); } },
          ],
        },
      }));
    } catch (error) {
      toast("They could not be compared", { kind: "error", text: explainFully(error) });
    }
  }

  /** Take what is on the disk, and forget what was edited. */
  async reload(buffer: Buffer): Promise<void> {
    try {
      const content = await this.files.read(buffer.path, BYTES_MOST);
      if (!("bytes" in content)) throw new Error("What is on the disk is too large to open.");
      buffer.takeDisk(decode(content.bytes), content.etag);
      await this.hooks.drop(buffer.path);
    } catch (error) {
      toast("It could not be read", { kind: "error", text: explain(error) });
    }
  }

  private async resolve(buffer: Buffer, etag: string, key: string): Promise<void> {
    buffer.etag = etag;
    if (await this.write(buffer)) this.hooks.close(key);
  }

  private async write(buffer: Buffer): Promise<boolean> {
    const { doc, path } = buffer;
    try {
      const etag = await this.files.write(path, buffer.bytes(), buffer.disk === "removed" ? null : buffer.etag);
      buffer.markSaved(doc, etag);
      if (!buffer.dirty) await this.hooks.drop(path);
      this.hooks.saved(path);
      announce(`Saved ${visibleText(nameOf(path))}`);
      return true;
    } catch (error) {
      if (error instanceof Problem && error.status === 412) {
        buffer.markDisk("changed");
        await this.compare(buffer);
        return false;
      }
      if (error instanceof Problem && error.status === 404 && buffer.etag) {
        buffer.markDisk("removed");
        toast(`${visibleText(nameOf(path))} is no longer there`, { kind: "warn", text: "Its folder may be gone, too.", seconds: 0, actions: [{ label: "Save it again", run: () => { buffer.etag = null; void this.write(buffer); } }] });
        return false;
      }
      toast(`${visibleText(nameOf(path))} is not saved`, { kind: "error", text: `${explainFully(error)} What you typed is kept in this browser.` });
      return false;
    }
  }
}
