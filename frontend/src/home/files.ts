/** The files of one folder of a snapshot. */
import { homeApi } from "../lib/api";
import { h, icon, iconButton } from "../lib/dom";
import { bytes, instant } from "../lib/format";
import { popMenu } from "../lib/menu";
import type { Snapshot, SnapshotFile, SnapshotFiles } from "../lib/types";
import { visible, visibleText } from "../lib/visible";
import type { Actions } from "./actions";

const ICONS: Record<SnapshotFile["type"], string> = { file: "file", dir: "folder", symlink: "link", other: "file-text" };
const WORDS: Record<SnapshotFile["type"], string> = { file: "", dir: "Folder", symlink: "Link", other: "Special file" };

export interface Places {
  folder: (path: string) => void;
  file: (path: string) => void;
}

/** Let the browser save what is at a URL. */
export function save(url: string): void {
  const link = h("a", { href: url, download: true, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}

export function fileList(snapshot: Snapshot, listed: SnapshotFiles, places: Places, actions: Actions): Node[] {
  const files = [...listed.files].sort((a, b) => Number(b.type === "dir") - Number(a.type === "dir") || a.name.localeCompare(b.name));
  if (!files.length) return [h("p", { class: "say muted" }, "This folder is empty.")];
  const rows = files.map((file) => row(snapshot, file, places, actions));
  return [
    h("ul", { class: "files", "aria-label": "Files" }, ...rows),
    ...(listed.truncated ? [h("div", { class: "notice" }, icon("info"), h("div", { class: "grow" }, `There are more: only the first ${listed.files.length.toLocaleString()} are listed. Download the folder to have all.`))] : []),
  ];
}

function row(snapshot: Snapshot, file: SnapshotFile, places: Places, actions: Actions): HTMLElement {
  const said = visibleText(file.name);
  const folder = file.type === "dir";
  const open = folder ? () => places.folder(file.path) : file.type === "file" ? () => places.file(file.path) : null;
  const name = open
    ? h("button", { type: "button", class: "name", title: folder ? "Open the folder" : "Its versions and changes", onclick: open }, ...visible(file.name))
    : h("span", { class: "name" }, ...visible(file.name));
  const more = iconButton(`More for ${said}`, "ellipsis", () => popMenu(more, `Actions for ${said}`, [
    ...(open ? [{ label: folder ? "Open" : "Versions and changes", icon: folder ? "folder" : "file-diff", run: open }] : []),
    { label: "Restore …", icon: "undo-2", run: () => actions.restore(snapshot, file.path, folder) },
    ...(folder ? [{ label: "Download as .tar.gz", icon: "download", run: () => save(homeApi.archiveUrl(snapshot.id, file.path)) }] : file.type === "file" ? [{ label: "Download", icon: "download", run: () => save(homeApi.contentUrl(snapshot.id, file.path)) }] : []),
  ]));
  more.setAttribute("aria-haspopup", "menu");
  return h("li", { class: file.type }, icon(ICONS[file.type]),
    h("div", { class: "what" }, name, h("span", { class: "size muted" }, folder ? "" : WORDS[file.type] || bytes(file.size_bytes)), h("time", { class: "changed muted", datetime: file.modified_at, title: "Changed" }, instant(file.modified_at))),
    iconButton(`Restore ${said}`, "undo-2", () => actions.restore(snapshot, file.path, folder)), more);
}
