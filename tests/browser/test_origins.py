"""Other people's pages in the same browser, and a server that is not on localhost."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.screen import CUT_OFF, REFUSED, Complaints, Screen, requests_of
from tests.end_to_end.person import PASSWORD, Person
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]

CONNECT = """(url) => new Promise((resolve) => {
  const socket = new WebSocket(url, 'tty');
  socket.onopen = () => { socket.close(); resolve('open'); };
  socket.onerror = () => resolve('refused');
})"""
FRAME = f"""<!doctype html><link rel=icon href=data:,><p id=said></p>
<script>addEventListener('message', (event) => {{ said.textContent = event.data; }});</script>
<iframe sandbox=allow-scripts srcdoc="<script>({CONNECT})('URL')
  .then((said) => parent.postMessage(origin + ' ' + said, '*'));</script>"></iframe>"""


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def stranger(tmp_path: Path, server: Server) -> Iterator[str]:
    """The address of somebody else's site. Cookies know no ports: ours go there and back."""
    (tmp_path / "index.html").write_text("<!doctype html><link rel=icon href=data:,><p>hello")
    (tmp_path / "frame.html").write_text(FRAME.replace("URL", socket_of(server)))
    handler = partial(Silent, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        thread = Thread(target=site.serve_forever, daemon=True)
        thread.start()
        yield f"http://localhost:{site.server_port}"
        site.shutdown()
        thread.join()


def socket_of(server: Server) -> str:
    return f"ws://localhost:{server.port}/api/v1/workspaces/main/terminal?session=main"


@pytest.fixture
def foreign(terminal: Screen, stranger: str, complaints: Complaints) -> Page:
    """The stranger's page in the browser that has a terminal open here."""
    complaints.expect(CUT_OFF, REFUSED, "blocked by CORS policy", "net::ERR_FAILED")
    page = terminal.page.context.new_page()
    page.goto(f"{stranger}/index.html")
    return page


def test_own_page_may_connect(terminal: Screen, server: Server) -> None:
    """What the refusals below are compared with."""
    assert terminal.page.evaluate(CONNECT, socket_of(server)) == "open"


def test_foreign_page_gets_no_terminal(foreign: Page, terminal: Screen, server: Server) -> None:
    assert foreign.evaluate(CONNECT, socket_of(server)) == "refused"
    echo = f"ws://localhost:{server.port}/api/v1/echo"
    assert foreign.evaluate(CONNECT.replace(", 'tty'", ""), echo) == "refused"
    terminal.answers()


def test_sandboxed_frame_gets_no_terminal(foreign: Page, stranger: str) -> None:
    foreign.goto(f"{stranger}/frame.html")
    expect(foreign.locator("#said")).to_have_text("null refused")


def test_foreign_page_reads_and_changes_nothing(
    foreign: Page, terminal: Screen, person: Person, complaints: Complaints
) -> None:
    complaints.expect("status of 400")
    ask = "(url) => fetch(url, { credentials: 'include' }).then(() => 'read', () => 'refused')"
    assert foreign.evaluate(ask, f"{terminal.url}/api/v1/me") == "refused"
    foreign.evaluate(
        """(url) => {
             const form = document.body.appendChild(document.createElement('form'));
             Object.assign(form, { action: url, method: 'post' }).submit();
           }""",
        f"{terminal.url}/api/v1/workspaces/main/stop",
    )
    foreign.wait_for_url("**/stop")
    assert "csrf" in foreign.content()
    assert person.state() == "running"
    terminal.answers()


def test_foreign_page_cannot_frame_ours(
    foreign: Page, terminal: Screen, complaints: Complaints
) -> None:
    complaints.expect("frame-ancestors")
    foreign.evaluate(
        """(url) => new Promise((resolve) => {
             const frame = document.createElement('iframe');
             Object.assign(frame, { src: url, onload: resolve });
             document.body.append(frame);
           })""",
        terminal.url,
    )
    (frame,) = foreign.main_frame.child_frames
    assert "RootBlood" not in frame.content()


class TestPlainHttp:
    """A server in somebody's network, without TLS: it works, and says what that means."""

    @pytest.fixture
    def terminal(
        self, new_browser: Callable[..., BrowserContext], server: Server, person: Person
    ) -> Screen:
        person.open()
        screen = Screen(new_browser().new_page(), server, host="lan.test").go("/login")
        screen.fill_in(person.username, PASSWORD).page.wait_for_url(f"{screen.url}/")
        return screen.enter()

    def test_every_page_warns_on_the_way_in(
        self, new_browser: Callable[..., BrowserContext], server: Server
    ) -> None:
        for host, count in [("lan.test", 1), ("localhost", 0)]:
            screen = Screen(new_browser().new_page(), server, host=host)
            for path in ("/", "/login", "/register"):
                warning = screen.go(path).page.get_by_text("This connection is not encrypted")
                expect(warning).to_have_count(count)
        screen.photograph("landing")

    def test_dashboard_warns_too(self, terminal: Screen) -> None:
        warning = terminal.go("/").page.get_by_text("This connection is not encrypted")
        expect(warning).to_be_visible()

    def test_terminal_works_and_copies(self, terminal: Screen) -> None:
        assert terminal.page.evaluate("isSecureContext") is False
        terminal.answers()
        # Without the clipboard's API a copy is a key press of the person.
        terminal.type("clear; echo word-$((6 * 7))")
        terminal.shows("^word-42")
        box = terminal.page.locator(".xterm-rows > div", has_text="word-42").last.bounding_box()
        assert box is not None
        terminal.page.keyboard.down("Shift")
        terminal.page.mouse.dblclick(box["x"] + 20, box["y"] + 8)
        terminal.page.keyboard.up("Shift")
        terminal.page.evaluate(
            "addEventListener('copy', (e) => { window.copied = e.clipboardData.getData('text'); })"
        )
        terminal.page.keyboard.press("Control+Shift+C")
        terminal.answers()

    def test_each_visible_tab_follows_for_itself(
        self, terminal: Screen, person: Person, complaints: Complaints
    ) -> None:
        complaints.expect(CUT_OFF)
        asked = requests_of(terminal.page.context, "/api/v1/events")
        dashboard = terminal.tab().go("/")
        person.ok("POST", "/api/v1/workspaces/main/stop")
        main = dashboard.page.get_by_role("region", name="main", exact=True)
        expect(main.get_by_text("Stopped", exact=True)).to_be_visible()
        assert len(asked) >= 1
