/** Paths as the workspace writes them: absolute, with slashes. */

/** "/a/b/c" -> "/a/b"; the root is its own parent. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

/** "/a/b/c.txt" -> "c.txt". */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** "c.tar.gz" -> "gz", ".bashrc" -> "". */
export function extensionOf(path: string): string {
  const name = nameOf(path);
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(dot + 1).toLowerCase() : "";
}

export function join(folder: string, name: string): string {
  return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}

/** Whether a path is the folder or lies below it. */
export function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

/** What a path is called seen from a folder; a path outside of it stays whole. */
export function relativeTo(path: string, folder: string): string {
  if (path === folder) return ".";
  return within(path, folder) ? path.slice(folder === "/" ? 1 : folder.length + 1) : path;
}

/** "/home/ann/a" -> "~/a". */
export function shorten(path: string, home: string): string {
  return within(path, home) ? `~${path.slice(home.length)}` : path;
}

/** Resolve "..", "." and doubled slashes of a path against a folder. */
export function resolve(folder: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : join(folder, path)).split("/")) {
    if (part === "..") parts.pop();
    else if (part && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** A path in a query; what JavaScript holds and UTF-8 does not becomes a replacement character. */
export function encodePath(path: string): string {
  return encodeURIComponent(path.toWellFormed()).replaceAll("%2F", "/");
}

/** The order of people: letters before their case, numbers by their value. */
export const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;
