"""The page of the IDE as a benchmark meets it: a home that is much to show, real keys, stamps."""

from typing import Any, Self

from playwright.sync_api import Browser, Locator, Request, StorageState

from benchmarks.chromium import DEADLINE_SECONDS, settle, signed_in, visited
from benchmarks.processes import wait_until
from benchmarks.server import User

FOLDERS, ENTRIES, TABS = 10, 10_000, 30
LINE, LARGE = 200_000, 5_000_000

FILL = f"""
cd; mkdir -p wood tabs
for folder in $(seq -w 1 {FOLDERS}); do
  mkdir wood/area-$folder; cd wood/area-$folder
  for n in $(seq -w 1 {ENTRIES}); do echo "a leaf" > leaf-$n.ts; done
  cd
done
for n in $(seq -w 1 {TABS}); do
  for line in $(seq 300); do echo "export const name_$line = (n: number) => n + $line;"; done \\
    > tabs/part-$n.ts
done
head -c {LINE} /dev/zero | tr '\\0' x > line.txt; echo >> line.txt
yes 'def sum_of(one, other): return one + other  # in words: the sum' | head -c {LARGE} > large.py
"""
"""Fills the home, as a script for bash."""

PARTS = [f"part-{n:02}.ts" for n in range(1, TABS + 1)]
TEXT = ".page:not([hidden]) .cm-content"
PROMPT = r"/\$ *$/.test(window.rootblood?.text() ?? '')"

# When a key was pressed, and when what it changed was there, by the page's own clock.
_STAMPS = """
window.bench = { pressed: 0, edited: 0, listed: 0 };
addEventListener('keydown', event => { bench.pressed = event.timeStamp; }, true);
new MutationObserver(changes => {
  const inside = selector => changes.some(({ target }) =>
    (target.nodeType === 1 ? target : target.parentElement)?.closest(selector));
  if (bench.pressed && inside('.cm-content')) bench.edited ||= performance.now();
  if (inside('#quick-list')) bench.listed = performance.now();
}).observe(document, { subtree: true, childList: true, characterData: true });
"""


class Dropped(Exception):
    """Chromium dropped what it was loading: a container's network came or went meanwhile."""


class Ide:
    """The page of ``main`` in a browser that has nothing in its cache; a context manager."""

    def __init__(
        self,
        browser: Browser,
        user: User,
        left: StorageState | None = None,
        *,
        stamped: bool = True,
    ) -> None:
        """Prepare it; ``left`` is what :meth:`leave` returned of another one."""
        script = _STAMPS if stamped else ""
        self.context = visited(browser, left, script) if left else signed_in(browser, user, script)
        self.page = self.context.new_page()
        self.page.on("requestfailed", self._look_at_failure)
        self.dropped = False
        self._url = f"http://localhost:{user.server.port}/w/main/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self.context.close()
        if failure and self.dropped:
            raise Dropped

    def _look_at_failure(self, request: Request) -> None:
        self.dropped = self.dropped or request.failure == "net::ERR_NETWORK_CHANGED"

    def load(self) -> None:
        """Go to the page; return before it can be used."""
        self.page.goto(self._url, wait_until="commit")

    def enter(self) -> Self:
        """Go to the page; return when it has nothing more to do."""
        self.load()
        self.until(PROMPT)
        self.page.wait_for_selector("[role=treeitem]")
        self.page.wait_for_selector("[data-panel=search]")
        settle(self.page)
        return self

    def until(self, expression: str) -> Any:
        """Wait until an expression of JavaScript is true, and return its value."""
        found: list[Any] = []

        def met() -> bool:
            found[:] = [self.page.evaluate(expression)]
            return bool(found[0])

        wait_until(met, expression, DEADLINE_SECONDS)
        return found[0]

    def entry(self, name: str) -> Locator:
        """Return the row of an entry in the tree."""
        return self.page.locator(".row-file", has=self.page.get_by_text(name, exact=True))

    def open(self, name: str) -> None:
        """Open a file that lies in the home, and wait until its text can be seen."""
        self.entry(name).dblclick()
        self.page.wait_for_selector(TEXT)

    def ask(self) -> None:
        """Open the box that finds files by their names."""
        self.page.locator("#quick-open").click()

    def find(self, name: str) -> None:
        """Open a file by its name, and wait until it is in front."""
        self.ask()
        self.page.keyboard.type(name)
        self.page.locator("#quick-list .label", has_text=name).first.wait_for()
        self.press("Enter")
        self.page.locator(".etab.on", has_text=name).wait_for()
        self.page.wait_for_selector(TEXT)

    def leave(self) -> StorageState:
        """Return what the browser remembers, for one that begins where this one ends."""
        settle(self.page)
        return self.context.storage_state()

    def press(self, *keys: str, times: int = 1) -> None:
        """Press keys one after the other, as fast as the page takes them."""
        for key in keys * times:
            self.page.keyboard.press(key)

    def roll(self, selector: str, pixels: int, times: int) -> None:
        """Turn the wheel over something, once a frame."""
        self.page.locator(selector).first.hover()
        for _ in range(times):
            self.page.mouse.wheel(0, pixels)
            self.page.evaluate("() => new Promise(requestAnimationFrame)")
