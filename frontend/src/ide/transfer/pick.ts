/** What a person drops or picks: files with their paths below where they go, and folders. */

export interface Picked {
  files: { path: string; file: File }[];
  folders: string[];
  /** Could not be read. */
  unread: string[];
}

/** More at once belong into an archive. */
export const FILES_MOST = 10_000;

/** Read what was dropped, folders with all that is in them; call it in the event itself. `found` hears how many there are. */
export function readDropped(data: DataTransfer, found: (files: number) => void): Promise<Picked> {
  // The list is empty once the event is over.
  const entries = [...data.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const picked: Picked = { files: [], folders: [], unread: [] };
  if (!entries.length) picked.files.push(...[...data.files].map((file) => ({ path: file.name, file })));
  return walk(entries, picked, found);
}

/** What an <input type="file"> holds. */
export function readChosen(input: HTMLInputElement): Picked {
  return { files: [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file })), folders: [], unread: [] };
}

async function walk(entries: FileSystemEntry[], picked: Picked, found: (files: number) => void): Promise<Picked> {
  const waiting = [...entries];
  for (let entry = waiting.shift(); entry && picked.files.length <= FILES_MOST; entry = waiting.shift()) {
    const path = entry.fullPath.replace(/^\//, "");
    try {
      if (entry.isDirectory) {
        picked.folders.push(path);
        waiting.push(...(await entriesOf(entry as FileSystemDirectoryEntry)));
      } else {
        const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
        picked.files.push({ path, file });
      }
    } catch {
      picked.unread.push(path);
    }
    found(picked.files.length);
  }
  return picked;
}

async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}
