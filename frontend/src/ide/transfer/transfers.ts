/** Files from the person's device into the workspace, and back. */
import { explain } from "../../lib/api";
import { h } from "../../lib/dom";
import { toast } from "../../lib/toast";
import { visibleText } from "../../lib/visible";
import { Files } from "../files";
import { nameOf, parentOf, shorten } from "../paths";
import { FILES_MOST, readChosen, readDropped, type Picked } from "./pick";
import { Queue } from "./queue";
import { TransferView } from "./view";
import type { Workbench } from "../workbench";

const SLOW_MS = 400;

export class Transfers {
  private queue: Queue | null = null;
  private view: TransferView | null = null;

  constructor(private readonly workbench: Workbench) {
    addEventListener("beforeunload", (event) => { if (this.queue?.running) event.preventDefault(); });
  }

  /** Take what is dropped on a folder. */
  async drop(folder: string, data: DataTransfer): Promise<void> {
    let seen = 0;
    const reading = readDropped(data, (files) => { seen = files; });
    let note: ReturnType<typeof toast> | null = null;
    const slow = setInterval(() => {
      note ??= toast("Looking at what you dropped", { seconds: 0, sticky: true, text: " " });
      note.body.querySelector(".small")!.textContent = `${seen.toLocaleString()} files so far`;
    }, SLOW_MS);
    try {
      this.upload(folder, await reading);
    } catch (error) {
      toast("It cannot be read", { kind: "error", text: explain(error) });
    } finally {
      clearInterval(slow);
      (note as ReturnType<typeof toast> | null)?.close();
    }
  }

  /** Let files, or a folder, be picked from the device. */
  pick(folder: string, whole: boolean): void {
    const input = h("input", { type: "file", hidden: true, multiple: !whole, webkitdirectory: whole, "aria-label": `Files for ${shorten(folder, this.workbench.home)}` });
    input.addEventListener("change", () => { this.upload(folder, readChosen(input)); input.remove(); });
    input.addEventListener("cancel", () => input.remove());
    document.body.append(input);
    input.click();
  }

  private upload(folder: string, picked: Picked): void {
    if (picked.unread.length) toast(`${picked.unread.length} of them cannot be read`, { kind: "warn", text: picked.unread.slice(0, 3).map(visibleText).join(", ") });
    if (picked.files.length > FILES_MOST) return void toast("Too many files at once", { kind: "error", text: `Up to ${FILES_MOST.toLocaleString()} are taken. Pack them first, upload the archive, and unpack it in the terminal.` });
    if (!picked.files.length && !picked.folders.length) return;
    const { workbench } = this;
    if (!this.queue?.running && !this.view) this.queue = null;
    const queue = (this.queue ??= new Queue(workbench.workspace, () => this.view?.draw(), (folders) => { for (const one of folders) workbench.refresh(one); }));
    queue.add(folder, picked);
    if (picked.files.length) this.view ??= new TransferView(queue, workbench.home, () => { this.view = null; this.queue = null; });
  }
}

/** Save a file, or several entries as an archive, on the device; the browser shows how far it is. */
export function download(workbench: Workbench, paths: string[], format: "file" | "tar.gz" | "zip"): void {
  const files = new Files(workbench.workspace);
  const href = format === "file" ? files.contentUrl(paths[0]!) : files.archiveUrl(paths, format);
  const link = h("a", { href, download: true, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  if (format !== "file") toast(`Packing ${paths.length === 1 ? `“${visibleText(nameOf(paths[0]!))}”` : `${paths.length} entries`}`, { text: "The browser saves it while it is packed." });
}

export function installTransfers(workbench: Workbench): void {
  const transfers = new Transfers(workbench);
  const folder = (): string => { const path = workbench.activeFile(); return path ? parentOf(path) : workbench.root; };
  workbench.onDrop((into, data) => void transfers.drop(into, data));
  workbench.fileActions((paths, into) => [
    { label: "Upload files …", icon: "upload", run: () => transfers.pick(into, false) },
    { label: "Upload a folder …", icon: "upload", run: () => transfers.pick(into, true) },
    ...(paths.length ? downloads(workbench, paths, into) : [{ label: "Download all as .tar.gz", icon: "download", run: () => download(workbench, [into], "tar.gz") }]),
  ]);
  workbench.command(
    { id: "files.upload", title: "Upload files …", icon: "upload", group: "Files", words: "import send", run: () => transfers.pick(folder(), false) },
    { id: "files.uploadFolder", title: "Upload a folder …", icon: "upload", group: "Files", words: "import send directory", run: () => transfers.pick(folder(), true) },
    { id: "files.download", title: "Download this file", icon: "download", group: "Files", words: "export save", when: () => workbench.activeFile() !== null, run: () => download(workbench, [workbench.activeFile()!], "file") },
    { id: "files.downloadFolder", title: `Download ${shorten(workbench.root, workbench.home)} as .tar.gz`, icon: "download", group: "Files", words: "export archive", run: () => download(workbench, [workbench.root], "tar.gz") },
  );
}

/** `folder` is where new entries would go: of a folder that is itself. */
function downloads(workbench: Workbench, paths: string[], folder: string): { label: string; icon: string; run: () => void }[] {
  const archives = (["tar.gz", "zip"] as const).map((format) => ({ label: `Download as .${format}`, icon: "download", run: () => download(workbench, paths, format) }));
  return paths.length === 1 && paths[0] !== folder ? [{ label: "Download", icon: "download", run: () => download(workbench, paths, "file") }] : archives;
}
