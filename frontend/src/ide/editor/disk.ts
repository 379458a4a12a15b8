/** Follows what happens to open files on the disk: unedited ones show it, edited ones say it. */
import { Problem } from "../../lib/api";
import type { Buffer } from "./buffers";
import type { Files } from "../files";
import type { FileTab } from "./file-tab";
import { within } from "../paths";
import type { Saver } from "./save";
import { BYTES_MOST, decode, isBinary } from "./text";
import type { Change } from "../workbench";

export class Disk {
  private readonly looking = new Set<string>();
  /** Changed while it was looked at: what was seen may be old. */
  private readonly again = new Set<string>();

  constructor(private readonly files: Files, private readonly saver: Saver, private readonly tabs: () => FileTab[]) {}

  /** Take what changed; null: anything may have. */
  take(changes: Change[] | null): void {
    for (const tab of this.tabs())
      if (tab.element.childElementCount && (changes === null || changes.some((change) => change.path === tab.path || (change.kind !== "changed" && change.kind !== "created" && within(tab.path, change.path))))) void this.look(tab);
  }

  /** These are watched from now on: what was read of them before may be old. */
  settle(paths: string[]): void {
    for (const tab of this.tabs()) if (tab.isText && paths.includes(tab.path)) void this.look(tab);
  }

  private async look(tab: FileTab): Promise<void> {
    const { path } = tab;
    if (this.looking.has(path)) return void this.again.add(path);
    this.looking.add(path);
    try {
      await this.saver.running.get(path);
      await tab.load();
      if (tab.buffer) await this.compare(tab.buffer);
      else await tab.restart();
    } catch (error) {
      // Absence is news, unless the file was renamed meanwhile; any other failure means that nothing is known.
      if (error instanceof Problem && error.status === 404 && tab.path === path) tab.buffer?.markDisk("removed");
    } finally {
      this.looking.delete(path);
      if (this.again.delete(path)) void this.look(tab);
    }
  }

  private async compare(buffer: Buffer): Promise<void> {
    const { etag } = await this.files.look(buffer.path);
    if (etag === buffer.etag) return buffer.markDisk("same");
    const content = await this.files.read(buffer.path, BYTES_MOST);
    if (!("bytes" in content) || isBinary(content.bytes)) return buffer.markDisk("changed");
    const decoded = decode(content.bytes);
    if (buffer.isSaved(decoded)) return buffer.takeDisk(decoded, content.etag, true);
    if (buffer.dirty) buffer.markDisk("changed");
    else buffer.takeDisk(decoded, content.etag);
  }
}
