"""The IDE as a person uses it: its tree, its tabs and its editors, and the files behind them."""

from collections.abc import Mapping
from urllib.parse import quote

from playwright.sync_api import Locator, expect

from tests.browser.screen import DEADLINE_SECONDS, Screen
from tests.end_to_end.person import Person
from tests.end_to_end.waiting import until

CONTENT = "/api/v1/workspaces/main/files/content?path="
FOLDER = "work"
"""The folder below the home that a test has for itself."""


class Ide:
    """The page of ``main`` in one browser; paths are relative to the home."""

    def __init__(self, screen: Screen, owner: Person) -> None:
        self.screen = screen
        self.page = screen.page
        self.owner = owner

    def fill(self, files: Mapping[str, str | bytes]) -> "Ide":
        """Put files into an empty folder ``work``."""
        self.owner.call("DELETE", f"{CONTENT}{FOLDER}&recursive=1")
        self.owner.ok("POST", "/api/v1/workspaces/main/files/mkdir", {"path": FOLDER})
        for name, text in files.items():
            self.write(f"{FOLDER}/{name}", text)
        return self

    def write(self, path: str, text: str | bytes) -> None:
        """Write a file as somebody else."""
        folder = {"path": path.rpartition("/")[0], "parents": True}
        self.owner.ok("POST", "/api/v1/workspaces/main/files/mkdir", folder)
        body = text.encode() if isinstance(text, str) else text
        with self.owner.asking("PUT", CONTENT + quote(path), body) as response:
            assert response.status in (200, 201), response.read()

    def read(self, path: str) -> str | None:
        """Return what is in a file, None where there is none."""
        with self.owner.asking("GET", CONTENT + quote(path)) as response:
            return response.read().decode() if response.status == 200 else None

    def holds(self, path: str, text: str | None) -> None:
        """Wait until a file has this text; None: until it is gone."""
        until(lambda: self.read(path) == text, f"{path} holds it", seconds=DEADLINE_SECONDS)

    def go(self) -> "Ide":
        """Open the page and wait for its tree and its terminal."""
        self.screen.enter()
        expect(self.page.locator("[role=treeitem]").first).to_be_attached()
        return self

    def entry(self, name: str) -> Locator:
        """The row of an entry in the tree."""
        label = self.page.locator(".label").get_by_text(name, exact=True)
        return self.page.get_by_role("treeitem").filter(has=label)

    def unfold(self, *names: str) -> "Ide":
        """Unfold ``work`` and folders in it."""
        for name in (FOLDER, *names):
            entry = self.entry(name)
            expect(entry).to_be_visible()
            if entry.get_attribute("aria-expanded") == "false":
                entry.click()
            expect(entry).to_have_attribute("aria-expanded", "true")
        return self

    def open(self, name: str) -> Locator:
        """Open a file of ``work`` by quick open; return its text."""
        self.page.get_by_role("button", name="Go to a file or run a command").click()
        box = self.page.get_by_role("dialog", name="Quick open")
        box.get_by_role("combobox").fill(f"{FOLDER}/{name}")
        expect(box.get_by_role("option").first).to_contain_text(name.rpartition("/")[2])
        self.page.keyboard.press("Enter")
        expect(self.tab(name)).to_have_attribute("aria-selected", "true")
        expect(self.text).to_be_visible()
        return self.text

    def run(self, command: str) -> None:
        """Run a command of the palette."""
        self.page.keyboard.press("F1")
        box = self.page.get_by_role("dialog", name="Command palette")
        box.get_by_role("combobox").fill(f">{command}")
        expect(box.get_by_role("option").first).to_contain_text(command)
        self.page.keyboard.press("Enter")

    @property
    def text(self) -> Locator:
        """What the editor in front holds."""
        return self.page.locator(".page:visible .cm-content").first

    @property
    def tabs(self) -> Locator:
        return self.page.get_by_role("tablist", name="Open files").get_by_role("tab")

    def tab(self, name: str) -> Locator:
        """The tab of a file."""
        label = self.page.locator(".label").get_by_text(name.rpartition("/")[2], exact=True)
        return self.tabs.filter(has=label)

    def is_dirty(self, name: str, dirty: bool = True) -> None:
        """Wait until the tab of a file says that it is, or is not, saved."""
        mark = self.tab(name).get_by_text(", not saved")
        expect(mark).to_have_count(1 if dirty else 0)
