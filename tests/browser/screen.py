"""The product's pages in a real browser, as a person uses them."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Error,
    Frame,
    Locator,
    Page,
    Request,
    WebError,
    expect,
)

from tests.end_to_end.person import PASSWORD
from tests.end_to_end.server import PROJECT, Server
from tests.end_to_end.waiting import until

RESULTS = PROJECT / "test-results"
DEADLINE_SECONDS = 20.0
PROMPT = r"\$ *\Z"

# What Chromium itself prints about failures that a test brings about.
REFUSED = r"the server responded with a status of (401|403|404|409|422|502|503)"
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
CUT_OFF = (
    r"WebSocket connection to .* failed"
    r"|net::ERR_(CONNECTION_|INCOMPLETE_CHUNKED|EMPTY_RESPONSE|NETWORK)"
)

_numbers = itertools.count(1)


class Complaints:
    """What pages complain about in their consoles: nothing is allowed that was not announced."""

    def __init__(self) -> None:
        self._found: list[str] = []
        # Chromium drops what it is loading when an engine on this machine adds a network.
        self._expected = [NETWORK_CHANGED]

    def watch(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._uncaught)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            where = message.location.get("url", "")
            self._found.append(f"{message.type}: {message.text} ({where})")

    def _uncaught(self, error: WebError) -> None:
        where = error.page.url if error.page else ""
        self._found.append(f"uncaught: {error.error} ({where})")

    def expect(self, *patterns: str) -> None:
        """Allow what a browser itself prints about a failure that the test brings about."""
        self._expected += patterns

    def count(self, pattern: str) -> int:
        """Return how often pages have complained of that."""
        return sum(bool(re.search(pattern, text)) for text in self._found)

    def unexpected(self) -> list[str]:
        return [text for text in self._found if not any(re.search(p, text) for p in self._expected)]


class Screen:
    """One tab of a browser at a server."""

    def __init__(self, page: Page, server: Server, host: str = "localhost") -> None:
        self.page = page
        self.server = server
        # Browsers trust http on localhost like https: the clipboard and secure cookies work.
        self.url = f"http://{host}:{server.port}"
        self._dropped = False
        page.on("requestfailed", self._look_at_failure)

    def go(self, path: str) -> "Screen":
        for _ in range(3):
            self._dropped = False
            try:
                self.page.goto(self.url + path)
            except Error as error:
                # The error page of the attempt before may come late, and interrupt this one.
                retried = NETWORK_CHANGED in str(error) or "chrome-error:" in str(error)
                if not retried and not self._dropped:
                    raise
                self._dropped = True
            if not self._dropped:
                break
        return self

    def _look_at_failure(self, request: Request) -> None:
        self._dropped = self._dropped or request.failure == NETWORK_CHANGED

    def tab(self) -> "Screen":
        """Open another tab of the same browser."""
        other = Screen(self.page.context.new_page(), self.server)
        other.url = self.url
        return other

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def dialog(self, name: str = "") -> Locator:
        return self.page.get_by_role("dialog", name=name or None)

    def fill_in(self, username: str, password: str, button: str = "Sign in") -> "Screen":
        """Fill in the form of names and passwords that the page has, and send it."""
        self.page.get_by_label("User name").fill(username)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.button(button).click()
        return self

    def let_in(self, username: str, password: str = PASSWORD) -> "Screen":
        """Get the cookie of a sign-in, without the time that the form takes."""
        ask = self.page.request
        page = ask.get(f"{self.url}/login").text()
        token = re.search(r'name="csrf-token" content="([^"]+)"', page)
        assert token
        form = {"csrf_token": token[1], "username": username, "password": password}
        ask.post(f"{self.url}/login", form=form, max_redirects=0)
        return self

    def sign_in(self, username: str, password: str = PASSWORD) -> "Screen":
        """Be let in and go to the dashboard."""
        self.let_in(username, password).go("/")
        expect(self.page.get_by_role("heading", name="Workspaces", exact=True)).to_be_visible()
        return self

    def choose(self, menu: str, item: str) -> None:
        """Open a menu by its button's name and click an item of it."""
        self.button(menu).click()
        self.page.get_by_role("menu").get_by_text(item, exact=True).click()

    def enter(self, workspace: str = "main") -> "Screen":
        """Open the terminal page and wait for its prompt."""
        self.go(f"/w/{workspace}/")
        return self.prompts()

    def prompts(self) -> "Screen":
        """Wait until a shell's prompt is the last thing on the screen."""
        self.shows(PROMPT)
        return self

    def text(self) -> str:
        """Return what the terminal shows: the page's own hook for tests and measurements."""
        try:
            return str(self.page.evaluate("window.rootblood?.text() ?? ''"))
        except Error:  # the page is just being left
            return ""

    def shows(self, pattern: str, *, seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until the terminal shows a match; ``^`` and ``$`` are those of a line."""
        try:
            until(lambda: re.search(pattern, self.text(), re.MULTILINE), pattern, seconds=seconds)
        except AssertionError as error:
            shown = self.text() or self.page.inner_text("body")
            raise AssertionError(f"{pattern!r} is not in:\n{shown}") from error

    def lacks(self, pattern: str) -> None:
        """Wait until the terminal shows no match."""
        until(
            lambda: not re.search(pattern, self.text(), re.MULTILINE), f"no {pattern} is shown",
            seconds=DEADLINE_SECONDS,
        )  # fmt: skip

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
        mark = f"{next(_numbers)}-size"
        self.type(f"clear; echo {mark}-$(stty size | tr ' ' x)-")
        self.shows(rf"^{mark}-\d+x\d+-")
        found = re.search(rf"^{mark}-(\d+)x(\d+)-", self.text(), re.MULTILINE)
        assert found
        return int(found[1]), int(found[2])

    def style(self, selector: str, name: str) -> str:
        """Return a computed property of the first element that matches."""
        script = "(element, name) => getComputedStyle(element).getPropertyValue(name)"
        return str(self.page.locator(selector).first.evaluate(script, name))

    def is_dark(self) -> bool:
        """Return whether the page's background is rather black than white."""
        parts = [
            float(part) for part in re.findall(r"[\d.]+", self.style("body", "background-color"))
        ]
        return sum(parts[:3]) / 3 < 128

    def photograph(self, name: str) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


def requests_of(context: BrowserContext, path: str) -> list[Request]:
    """Return a list that fills with the requests for a path from now on."""
    made: list[Request] = []
    context.on("request", lambda one: made.append(one) if path in one.url else None)
    return made


def becomes(page: Page | Frame, expression: str, wanted: Callable[[Any], bool] | object) -> Any:
    """Wait until a JavaScript expression has the wanted value; return it."""

    def met() -> list[Any]:
        value = page.evaluate(expression)
        return [value] if (wanted(value) if callable(wanted) else value == wanted) else []

    return until(met, f"{expression} becomes {wanted}", seconds=DEADLINE_SECONDS)[0]
