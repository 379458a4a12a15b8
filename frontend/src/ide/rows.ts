/** Lists of rows for the keyboard: one row at a time can be reached by Tab, arrows move among them. */

export interface RowHooks {
  /** Enter, or a click on the row itself. */
  open: (row: HTMLElement, event: MouseEvent | KeyboardEvent) => void;
  /** Other keys on a row; true when it was one. */
  key?: (row: HTMLElement, event: KeyboardEvent) => boolean;
}

/** A row is what has `data-row`, with a value that stays the same when the list is drawn anew. */
export function navigable(list: HTMLElement, hooks: RowHooks): void {
  const rowOf = (event: Event): HTMLElement | null => (event.target as Element).closest<HTMLElement>("[data-row]");
  list.addEventListener("click", (event) => {
    const row = rowOf(event);
    if (!row || (event.target as Element).closest("button, a, input")) return;
    reach(list, row);
    hooks.open(row, event);
  });
  list.addEventListener("focusin", (event) => {
    const row = rowOf(event);
    if (row) reach(list, row);
  });
  list.addEventListener("keydown", (event) => {
    const row = rowOf(event);
    if (!row || event.isComposing || event.target !== row) return;
    const rows = rowsOf(list);
    const at = rows.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1, PageDown: at + 10, PageUp: at - 10 }[event.key];
    if (hooks.key?.(row, event)) {
      // It has been seen to.
    } else if (to !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) rows[Math.max(0, Math.min(rows.length - 1, to))]?.focus();
    else if (event.key === "Enter") hooks.open(row, event);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Draw a list anew and leave the keyboard where it was, or near to it. */
export function redraw(list: HTMLElement, draw: () => void): void {
  const held = list.contains(document.activeElement) ? document.activeElement?.closest<HTMLElement>("[data-row]") : null;
  const at = held ? rowsOf(list).indexOf(held) : -1;
  const kept = list.querySelector<HTMLElement>('[data-row][tabindex="0"]')?.dataset["row"];
  const { scrollTop } = list;
  draw();
  const rows = rowsOf(list);
  const row = rows.find((one) => one.dataset["row"] === kept) ?? rows[Math.max(0, Math.min(at, rows.length - 1))];
  if (row) reach(list, row);
  if (held && row) row.focus({ preventScroll: true });
  list.scrollTop = scrollTop;
}

/** Put the keyboard on the first row, or where it was last; false where there is none. */
export function focusRows(list: HTMLElement): boolean {
  const row = list.querySelector<HTMLElement>('[data-row][tabindex="0"]') ?? rowsOf(list)[0];
  row?.focus();
  return row !== undefined;
}

function rowsOf(list: HTMLElement): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>("[data-row]")].filter((row) => !row.closest("[hidden]"));
}

function reach(list: HTMLElement, row: HTMLElement): void {
  for (const other of list.querySelectorAll<HTMLElement>('[data-row][tabindex="0"]')) other.tabIndex = -1;
  row.tabIndex = 0;
}
