/** Source on a page: a line or a range of them is chosen by its number and named in the address. */

const RANGE = /^#L(\d+)(?:-L(\d+))?$/;

function show(rows: Map<number, HTMLElement>, scroll: boolean): void {
  const found = RANGE.exec(location.hash);
  const first = Number(found?.[1] ?? 0);
  const last = Number(found?.[2] ?? first);
  for (const [number, row] of rows) row.classList.toggle("chosen", number >= first && number <= last);
  if (scroll && found?.[2]) rows.get(first)?.scrollIntoView({ block: "center" });
}

/** Wire the line numbers and the button that wraps long lines. */
export function installSource(): void {
  const source = document.querySelector<HTMLElement>("[data-source]");
  if (!source) return;
  const rows = new Map([...source.querySelectorAll<HTMLElement>("tr[id]")].map((row) => [Number(row.id.slice(1)), row]));
  source.addEventListener("click", (event) => {
    const link = (event.target as Element).closest<HTMLAnchorElement>("td.no a");
    if (!link) return;
    const number = Number(link.dataset["n"]);
    const from = Number(RANGE.exec(location.hash)?.[1] ?? 0);
    event.preventDefault();
    history.replaceState(null, "", event.shiftKey && from && from !== number ? `#L${Math.min(from, number)}-L${Math.max(from, number)}` : `#L${number}`);
    show(rows, false);
  });
  addEventListener("hashchange", () => show(rows, true));
  show(rows, true);
  const wrap = document.querySelector<HTMLElement>("[data-wrap]");
  wrap?.addEventListener("click", () => {
    const on = source.classList.toggle("wrap");
    wrap.setAttribute("aria-pressed", String(on));
  });
}
