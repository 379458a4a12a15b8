/** Looks for repositories among the folders of a folder. */
import { isFolder, type Files } from "../files";
import { join } from "../paths";

/** Folders looked into, and how many at a time. */
const LOOKED_INTO = 30;
const AT_ONCE = 3;

/** The folders of a folder that are repositories, by name. Raises: Problem. */
export async function repositoriesIn(files: Files, folder: string): Promise<string[]> {
  const { entries } = await files.list(folder);
  const folders = entries.filter((entry) => entry.type === "folder" && !entry.name.startsWith(".") && entry.name !== "node_modules").slice(0, LOOKED_INTO).map(({ name }) => join(folder, name));
  const roots: string[] = [];
  const work = folders.values();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const path of work) {
      const inside = await files.list(path).catch(() => null);
      if (inside?.entries.some((entry) => entry.name === ".git" && (isFolder(entry) || entry.type === "file"))) roots.push(path);
    }
  }));
  return roots.sort();
}
