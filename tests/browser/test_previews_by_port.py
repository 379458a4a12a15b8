"""Previews where there is no wildcard DNS: one other host, a port for each."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import CUT_OFF, REFUSED, Complaints, Screen
from tests.end_to_end.person import Person
from tests.end_to_end.server import Server, free_ports

pytestmark = [pytest.mark.browser, pytest.mark.engine]

HOST = "apps.localhost"  # which browsers find here, and trust
PROGRAM = r"""
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

port = int(sys.argv[1])

class App(BaseHTTPRequestHandler):
    def do_GET(self):
        kind, body = "text/html", f"<title>app</title><link rel=icon href=data:,><p>app {port}"
        if self.path == "/cookies":
            kind, body = "text/plain", self.headers.get("Cookie", "")
        if self.path == "/worker.js":
            kind, body = "text/javascript", "addEventListener('fetch', () => {});"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

HTTPServer(("127.0.0.1", port), App).serve_forever()
"""
REGISTER = """() => navigator.serviceWorker.register('/worker.js')
  .then(() => 'registered', (error) => error.name)"""
PLANT = "(line) => { document.cookie = line; return document.cookie; }"
"""What is read has been written: browsers write these when they come to it."""
ASK = """(url) => fetch(url, { credentials: 'include' })
  .then((answer) => answer.text(), (error) => error.name)"""


@pytest.fixture(scope="module")
def first() -> int:
    return free_ports(3)[0]


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server], first: int) -> Server:
    made = make_server(
        apps_host=HOST, apps_ports=f"{first}-{first + 2}", egress="off", storage="plain"
    )
    Person(made.start(), "boss")
    return made


@pytest.fixture
def apps(owner: Person) -> Person:
    """Somebody in whose workspace two apps run."""
    with owner.leaving():
        terminal = owner.terminal()
        terminal.run(f"cat > app.py <<'END'{PROGRAM}END")
        for port in (8123, 8124):
            terminal.run(f"(setsid python3 app.py {port} > {port}.log 2>&1 &)")
        terminal.run("until curl -s localhost:8123 localhost:8124 > /dev/null; do sleep 0.1; done")
    return owner


@pytest.fixture
def screen(new_screen: Callable[..., Screen], apps: Person) -> Screen:
    return new_screen().let_in(apps.username)


def open_app(screen: Screen, username: str, port: int) -> Page:
    """Open an app in a tab of its own, through the panel."""
    page = screen.page.context.new_page()
    page.goto(f"{screen.url}/apps/open?host={port}--main--{username}")
    expect(page.get_by_text(f"app {port}")).to_be_visible()
    return page


def test_each_preview_is_let_in_on_a_port_of_its_own(
    screen: Screen, apps: Person, first: int
) -> None:
    one, other = (open_app(screen, apps.username, port) for port in (8123, 8124))
    assert {one.url, other.url} == {f"http://{HOST}:{first}/", f"http://{HOST}:{first + 1}/"}
    one.reload()
    expect(one.get_by_text("app 8123")).to_be_visible()
    names = {cookie["name"] for cookie in screen.page.context.cookies(f"http://{HOST}")}
    assert {f"__Host-rootblood-pass-{port}" for port in (first, first + 1)} <= names


def test_what_is_ours_reaches_no_app_and_is_closed_to_the_other(
    screen: Screen, apps: Person, complaints: Complaints
) -> None:
    complaints.expect(CUT_OFF, REFUSED, "CORS", "net::ERR_FAILED")
    one, other = (open_app(screen, apps.username, port) for port in (8123, 8124))
    one.evaluate("document.cookie = 'theirs=1'")
    seen = other.evaluate(ASK, "/cookies")
    assert "rootblood" not in seen
    assert "theirs=1" in seen, "what the documents say is weaker: apps' own cookies are shared"
    assert one.evaluate(ASK, f"{other.url}cookies") == "TypeError"


def test_a_pass_that_an_app_plants_for_another_opens_nothing(
    screen: Screen, apps: Person, first: int, complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    one, other = (open_app(screen, apps.username, port) for port in (8123, 8124))
    browser = screen.page.context

    def passes() -> list[str]:
        kept = {cookie["name"]: cookie["value"] for cookie in browser.cookies(f"http://{HOST}")}
        return [kept[f"__Host-rootblood-pass-{port}"] for port in (first, first + 1)]

    own, before = passes()
    planted = f"__Host-rootblood-pass-{first + 1}"
    line = f"{planted}={own}; Path=/; Secure"
    one.evaluate(PLANT, line)
    assert passes() == [own, before], "scripts do not touch what the server has set"
    browser.clear_cookies(name=planted)
    one.evaluate(PLANT, line)
    assert passes() == [own, own]
    assert other.evaluate("fetch('/').then((answer) => answer.status)") == 401
    open_app(screen, apps.username, 8124)
    assert len({own, before, *passes()}) == 3, "and does not keep its visitor out"


def test_no_service_worker_stays_for_the_next_app_of_a_port(
    screen: Screen, apps: Person, complaints: Complaints
) -> None:
    complaints.expect(REFUSED, "bad HTTP response code")
    page = open_app(screen, apps.username, 8123)
    assert page.evaluate(REGISTER) == "TypeError"


def test_strangers_and_free_ports_get_nothing(
    new_screen: Callable[..., Screen],
    screen: Screen,
    apps: Person,
    first: int,
    complaints: Complaints,
) -> None:
    complaints.expect(REFUSED)
    taken = open_app(screen, apps.username, 8123).url
    stranger = new_screen().page
    for url, status in ((taken, 401), (f"http://{HOST}:{first + 2}/", 404)):
        answer = stranger.goto(url)
        assert answer is not None
        assert answer.status == status, url
    for path in ("/", "/login"):  # the panel is not there
        assert stranger.request.get(f"http://localhost:{first}{path}").status == 404


def test_the_doctor_says_which_way_it_is(screen: Screen, first: int) -> None:
    screen.go("/doctor")
    inside = screen.page.locator("#findings tr[data-key=apps]")
    expect(inside).to_have_attribute("data-verdict", "warn")
    expect(inside).to_contain_text(f"{HOST}, each on a port of its own ({first}-{first + 2})")
    for key in ("previews", "preview-websocket", "preview-frame"):
        row = screen.page.locator(f"#outside tr[data-key={key}]")
        expect(row).to_have_attribute("data-verdict", "ok")
