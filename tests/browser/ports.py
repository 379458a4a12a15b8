"""Ports of a workspace in a browser: something listens, is found in the panel, and is opened."""

from collections.abc import Callable

from playwright.sync_api import FrameLocator, Locator, Page

from tests.browser.panels import API, panel
from tests.browser.screen import DEADLINE_SECONDS, Screen
from tests.end_to_end.person import Person
from tests.end_to_end.waiting import until

PORT = 8123
"""Of programs that have no favourite."""


def serve(owner: Person, port: int, folder: str, command: str) -> None:
    """Have a program in a folder of the home listen on a port; it outlives its terminal."""
    line = f"cd ~/{folder} && (setsid {command} >~/{folder}.log 2>&1 </dev/null &)"
    assert owner.terminal(session=f"s{port}").run(line) == 0

    def listens() -> bool:
        ports = owner.ok("GET", f"{API}/ports")["ports"]
        return any(one["port"] == port and one["listening"] for one in ports)

    until(listens, f"port {port} is listened on", seconds=DEADLINE_SECONDS)


def origin(owner: Person, port: int = PORT) -> str:
    return f"http://{port}--main--{owner.username}.localhost:{owner.server.port}"


def row(screen: Screen, port: int = PORT) -> Locator:
    """Return the port's row in the panel."""
    return panel(screen, "ports").locator(".port").filter(has_text=str(port))


def opened(page: Page, act: Callable[[], object]) -> Page:
    """Return the page that ``act`` opens in another tab."""
    with page.context.expect_page() as waiting:
        act()
    return waiting.value


def in_tab(screen: Screen, port: int = PORT) -> Page:
    """Open a port in a tab of the browser."""
    link = row(screen, port).get_by_role("link", name=str(port), exact=True)
    return opened(screen.page, link.click)


def beside(screen: Screen, port: int = PORT) -> FrameLocator:
    """Open a port beside the editors."""
    row(screen, port).get_by_role("button", name=f"Open port {port} beside").click()
    return screen.page.locator(".port-page:visible").frame_locator("iframe")
