"""Vite from npm, with hot reload, opened from the workspace where it runs as it comes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Frame, Page, WebSocket, expect

from tests.browser.panels import write
from tests.browser.ports import beside, in_tab, row, serve
from tests.browser.screen import Complaints, Screen, becomes
from tests.conftest import missing
from tests.end_to_end.carrying import carry
from tests.end_to_end.person import Person
from tests.end_to_end.server import Server, free_port

pytestmark = [pytest.mark.browser, pytest.mark.engine]

PACKAGES = Path(__file__).parents[1] / "vite/node_modules"
PORT = 5173
INDEX = """<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Vite</title></head>
  <body><h1></h1><script type="module" src="/main.js"></script></body>
</html>
"""
MAIN = """import "./style.css";
import { name } from "./name.js";

const show = (text) => { document.querySelector("h1").textContent = `Hello, ${text}`; };
show(name);
import.meta.hot.accept("./name.js", (fresh) => show(fresh.name));
"""
RED, BLUE = "rgb(255, 0, 0)", "rgb(0, 0, 255)"
COLOUR = "getComputedStyle(document.querySelector('h1')).color"


def name(text: str) -> str:
    return f'export const name = "{text}";\n'


def style(colour: str) -> str:
    return f"h1 {{ color: {colour}; }}\n"


def bring(owner: Person) -> None:
    """Have Vite serve a small project in the owner's workspace."""
    if not (PACKAGES / "vite").exists():
        missing("needs Vite: script/setup test installs it")
    project = {"index.html": INDEX, "main.js": MAIN, "name.js": "", "style.css": ""}
    carry(owner, "vite", {"node_modules": PACKAGES} | project)
    serve(owner, PORT, "vite", "npx vite")


def begin(owner: Person) -> None:
    """Have the project as it was."""
    write(owner, "vite/name.js", name("world"))
    write(owner, "vite/style.css", style(RED))


@pytest.fixture(scope="module")
def vite(owner: Person) -> Person:
    """The owner, in whose workspace Vite runs."""
    bring(owner)
    return owner


@pytest.fixture
def project(vite: Person) -> Person:
    """The same, with the project as it was."""
    begin(vite)
    return vite


def sockets(page: Page) -> list[WebSocket]:
    """Return a list that fills with the WebSockets of pages but for the panel's own."""
    made: list[WebSocket] = []

    def note(socket: WebSocket) -> None:
        if "/api/v1/" not in socket.url:
            made.append(socket)

    page.on("websocket", note)
    page.context.on("page", lambda one: one.on("websocket", note))
    return made


def tab(screen: Screen) -> Frame:
    return in_tab(screen, PORT).main_frame


def frame(screen: Screen) -> Frame:
    beside(screen, PORT).get_by_role("heading").wait_for()
    (found,) = [one for one in screen.page.frames if f"//{PORT}--" in one.url]
    return found


def changes_show(page: Frame, project: Person, made: list[WebSocket]) -> None:
    """Check that a page shows what becomes of its script and its style, and stays the same."""
    heading = page.get_by_role("heading")
    expect(heading).to_have_text("Hello, world")
    becomes(page, COLOUR, RED)
    (socket,) = made
    assert socket.url.startswith(page.evaluate("`ws://${location.host}/?token=`"))
    page.evaluate("window.mark = 'the same page'")
    write(project, "vite/name.js", name("workspace"))
    expect(heading).to_have_text("Hello, workspace")
    write(project, "vite/style.css", style(BLUE))
    becomes(page, COLOUR, BLUE)
    assert page.evaluate("window.mark") == "the same page"
    assert made == [socket]
    assert not socket.is_closed()


@pytest.mark.parametrize("open_", [tab, frame])
def test_a_change_shows_without_a_reload(
    shell: Screen, project: Person, complaints: Complaints, open_: Callable[[Screen], Frame]
) -> None:
    # Chromium warns of it where a frame begins on the page's own origin, and leaves it at once.
    complaints.expect("allow-scripts and allow-same-origin")
    made = sockets(shell.page)
    expect(row(shell, PORT)).to_contain_text("vite")
    changes_show(open_(shell), project, made)


def test_a_name_that_vite_has_never_heard_of_is_no_obstacle(
    make_server: Callable[..., Server], new_browser: Callable[..., BrowserContext]
) -> None:
    """It refuses all hosts but its own machine's, and those its settings name."""
    port = free_port()
    server = make_server(apps_domain="apps.test", panel_url=f"http://localhost:{port}")
    server.port = port
    server.start()
    owner = Person(server)
    owner.open()
    with owner.leaving():
        bring(owner)
    begin(owner)
    screen = Screen(new_browser().new_page(), server).let_in(owner.username).enter()
    made = sockets(screen.page)
    page = tab(screen)
    assert page.evaluate("location.hostname").endswith(".apps.test")
    changes_show(page, owner, made)


def test_a_page_that_has_to_be_loaded_again_is(shell: Screen, project: Person) -> None:
    page = tab(shell)
    expect(page.get_by_role("heading")).to_have_text("Hello, world")
    write(project, "vite/index.html", INDEX.replace("<title>Vite", "<title>Another"))
    expect(page.page).to_have_title("Another")
    write(project, "vite/index.html", INDEX)
    expect(page.page).to_have_title("Vite")
