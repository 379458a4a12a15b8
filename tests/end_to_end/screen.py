"""The product's pages in a real browser, as a person uses them."""

import re
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, expect

from tests.end_to_end.person import PASSWORD
from tests.end_to_end.server import PROJECT, Server

RESULTS = PROJECT / "test-results"
DEADLINE_MS = 20_000


class Complaints:
    """What a page complained about in its console: nothing is allowed that was not announced."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._expected: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self._found.append(f"uncaught: {error.error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            where = message.location.get("url", "")
            self._found.append(f"{message.type}: {message.text} ({where})")

    def expect(self, pattern: str) -> None:
        """Allow what a browser itself prints about a failure that the test brings about."""
        self._expected.append(pattern)

    def unexpected(self) -> list[str]:
        return [text for text in self._found if not any(re.search(p, text) for p in self._expected)]


class Screen:
    """One tab of a browser at a server."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        # Browsers trust http on localhost like https: the clipboard and secure cookies work.
        self.url = f"http://localhost:{server.port}"
        page.set_default_timeout(DEADLINE_MS)
        expect.set_options(timeout=DEADLINE_MS)

    def go(self, path: str) -> "Screen":
        self.page.goto(self.url + path)
        return self

    def tab(self) -> "Screen":
        """Open another tab of the same browser."""
        return Screen(self.page.context.new_page(), self.server)

    def sign_in(self, username: str, password: str = PASSWORD) -> "Screen":
        self.go("/login")
        self.page.get_by_label("User name").fill(username)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Workspaces", exact=True)).to_be_visible()
        return self

    def sign_out_and_in(self, username: str, password: str) -> "Screen":
        self.page.get_by_role("button", name=f"Account of {username}").click()
        self.page.get_by_role("menuitem", name="Sign out").click()
        expect(self.page.get_by_role("heading", name="Sign in")).to_be_visible()
        return self.sign_in(username, password)

    def enter(self, workspace: str = "main") -> "Screen":
        """Open the terminal page and wait for its prompt."""
        self.go(f"/w/{workspace}/")
        self.shows(r"[$#] *$")
        return self

    def text(self) -> str:
        """Return what the terminal shows: the page's own hook for tests and measurements."""
        return str(self.page.evaluate("window.rootblood.text()"))

    def shows(self, pattern: str, *, seconds: float = DEADLINE_MS / 1000) -> None:
        """Wait until the terminal shows a match."""
        try:
            self.page.wait_for_function(
                "(pattern) => new RegExp(pattern, 'm').test(window.rootblood?.text() ?? '')",
                arg=pattern, timeout=seconds * 1000,
            )  # fmt: skip
        except Error as error:
            shown = self.page.evaluate("window.rootblood?.text() ?? document.body.innerText")
            raise AssertionError(f"{pattern!r} is not in:\n{shown}") from error

    def type(self, line: str) -> None:
        """Type a line into what has the focus and press Enter."""
        self.page.keyboard.type(line)
        self.page.keyboard.press("Enter")

    def answers(self, number: int = 41) -> None:
        """Check that a shell is there: it calculates."""
        self.type(f"echo sum-$(({number} + 1))-")
        self.shows(f"sum-{number + 1}-")

    def size(self) -> tuple[int, int]:
        """Return rows and columns as programs in the terminal see them."""
        self.page.keyboard.press("Control+l")
        self.type("echo size-$(stty size | tr ' ' x)-")
        self.shows(r"size-\d+x\d+-")
        found = re.findall(r"size-(\d+)x(\d+)-", self.text())[-1]
        return int(found[0]), int(found[1])

    def too_wide(self) -> int:
        """Return by how many pixels the page can be scrolled sideways."""
        return int(
            self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    def photograph(self, name: str) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path
