"""The terminal page: what people do in it all day."""

import base64
import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.end_to_end.person import Person
from tests.end_to_end.screen import Screen
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]

FLOOD_SECONDS = 20.0


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[Person]:
    """Somebody whose ``main`` runs."""
    person = Person(server)
    person.open()
    yield person
    person.leave()


@pytest.fixture
def screen(new_screen: Callable[..., Screen], owner: Person) -> Screen:
    """Their terminal, in a fresh browser and a fresh shell."""
    owner.open()
    for session in owner.ok("GET", "/api/v1/workspaces/main/sessions")["sessions"]:
        owner.ok("DELETE", f"/api/v1/workspaces/main/sessions/{session['name']}")
    return new_screen().sign_in(owner.username).enter()


def test_tabs_are_shells_of_their_own(screen: Screen) -> None:
    page = screen.page
    screen.type("where=first")
    page.get_by_role("button", name="New terminal").click()
    screen.shows(r"\$ *$")
    screen.type("echo [$where]")
    screen.shows(r"^\[\]$")
    screen.type("where=second")
    page.get_by_role("tab", name="main").click()
    screen.type("echo [$where]")
    screen.shows(r"^\[first\]$")

    page.reload()
    screen.shows(r"\[first\]")
    page.get_by_role("tab", name="t2").click()
    screen.shows(r"\$ *$")
    screen.type("echo [$where]")
    screen.shows(r"^\[second\]$")

    page.get_by_role("button", name="Close t2").click()
    expect(page.get_by_role("tab")).to_have_count(1)
    screen.type("tmux list-sessions -F '<#S>'")
    screen.shows("<main>")
    assert "<t2>" not in screen.text()


def test_closing_a_tab_where_something_runs_asks_first(screen: Screen) -> None:
    page = screen.page
    page.get_by_role("button", name="New terminal").click()
    screen.shows(r"\$ *$")
    screen.type("sleep 1000")
    screen.shows("sleep 1000")
    page.get_by_role("button", name="Close t2").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("sleep")
    page.keyboard.press("Escape")
    expect(page.get_by_role("tab")).to_have_count(2)
    page.get_by_role("button", name="Close t2").click()
    dialog.get_by_role("button", name="Close it").click()
    expect(page.get_by_role("tab")).to_have_count(1)


def test_shell_that_ends_leaves_a_way_on(screen: Screen) -> None:
    screen.type("exit")
    screen.shows("Press Enter for a new one")
    screen.page.keyboard.press("Enter")
    screen.shows(r"\$ *$")
    screen.answers()


def test_programs_learn_the_size_of_the_window(screen: Screen) -> None:
    before = screen.size()
    screen.page.set_viewport_size({"width": 900, "height": 500})
    # stty may be asked before the page has settled.
    screen.page.wait_for_function(
        "(rows) => document.querySelectorAll('.pane:not([hidden]) .xterm-rows > div').length < rows",
        arg=before[0],
    )
    after = screen.size()
    assert after[0] < before[0]
    assert after[1] < before[1]


def test_larger_text_makes_fewer_columns_and_is_remembered(screen: Screen) -> None:
    before = screen.size()
    for _ in range(3):
        screen.page.get_by_role("button", name="Larger text").click()
    screen.page.keyboard.press("Tab")  # from the button
    screen.page.locator(".xterm-helper-textarea").first.focus()
    after = screen.size()
    assert after[0] < before[0]
    assert after[1] < before[1]
    screen.page.reload()
    screen.shows(r"\$ *$")
    assert screen.size() == after


def test_search_finds_what_has_scrolled_off(screen: Screen) -> None:
    page = screen.page
    screen.type("for i in $(seq 2000); do echo line-$i-end; done; clear")
    page.wait_for_function("() => !/line-2000-end/.test(window.rootblood.text())")
    page.keyboard.press("Control+Shift+F")
    page.keyboard.type("line-77-end")
    page.keyboard.press("Enter")
    screen.shows("line-77-end")
    page.keyboard.press("Escape")
    page.wait_for_function("() => !/line-77-end/.test(window.rootblood.text())")
    screen.answers()


def test_programs_copy_to_the_clipboard(screen: Screen) -> None:
    page = screen.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=screen.url)
    text = "kopiert: äöü 日本 🦀"
    encoded = base64.b64encode(text.encode()).decode()
    screen.type(rf"printf '\033]52;c;{encoded}\a'")
    page.wait_for_function(
        "async (text) => (await navigator.clipboard.readText()) === text", arg=text
    )
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()


def test_paste_of_many_lines_is_one_paste(screen: Screen) -> None:
    page = screen.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=screen.url)
    page.evaluate("navigator.clipboard.writeText('echo one-$((1))\\necho two-$((2))\\n')")
    page.keyboard.press("Control+Shift+V")
    screen.shows("echo two-")
    assert "one-1" not in screen.text(), "bracketed paste waits for Enter"
    page.keyboard.press("Enter")
    screen.shows("^two-2")


def test_wide_characters_keep_their_columns(screen: Screen) -> None:
    # Six columns, then the eighth: who counts otherwise puts the X elsewhere.
    screen.type(r"clear; printf '日本🦀\033[8GX\n'; printf 'e\u0301te\u0301\033[8GY\n'")
    screen.shows("^日本🦀 X$")
    screen.shows("^e\u0301te\u0301    Y$")


def test_links_are_links(screen: Screen) -> None:
    screen.type("clear; echo see https://localhost.invalid/path")
    screen.shows(r"^see https://localhost\.invalid/path")
    row = screen.page.locator(".xterm-rows > div", has_text=re.compile("^see https"))
    row.first.hover(position={"x": 80, "y": 8})
    expect(screen.page.locator(".xterm-cursor-pointer")).to_have_count(1)


def background(screen: Screen, selector: str) -> float:
    """Return how light the background of an element is, 0 to 255."""
    colour = screen.page.eval_on_selector(selector, "(e) => getComputedStyle(e).backgroundColor")
    red, green, blue = (float(part) for part in re.findall(r"[\d.]+", colour)[:3])
    return (red + green + blue) / 3


def test_theme_is_dark_light_or_the_systems(screen: Screen) -> None:
    page = screen.page

    def choose(name: str) -> None:
        page.get_by_role("button", name="Theme").click()
        page.get_by_role("menuitemradio", name=name).click()

    def is_dark() -> bool:
        shown = {background(screen, place) < 128 for place in ("body", ".pane .xterm-viewport")}
        assert len(shown) == 1, "page and terminal go together"
        return shown.pop()

    choose("Dark")
    assert is_dark()
    screen.photograph("terminal-dark")
    choose("Light")
    assert not is_dark()
    screen.photograph("terminal-light")
    choose("Like the system")
    page.emulate_media(color_scheme="dark")
    assert is_dark()
    page.emulate_media(color_scheme="light")
    assert not is_dark()
    choose("Dark")
    page.reload()
    screen.shows(r"\$ *$")
    assert is_dark()


def test_screen_reader_switch_speaks_the_output(screen: Screen) -> None:
    page = screen.page
    button = page.get_by_role("button", name="Screen reader mode")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    screen.type("echo read-$((40 + 2))-aloud")
    expect(page.locator(".xterm-accessibility")).to_contain_text("read-42-aloud")
    button.click()
    expect(page.locator(".xterm-accessibility")).to_have_count(0)


def test_screen_as_text(screen: Screen) -> None:
    screen.type("echo as-$((40 + 2))-text")
    screen.shows("as-42-text")
    screen.page.get_by_role("button", name="More", exact=True).click()
    screen.page.get_by_role("menuitem", name="The screen as text").click()
    box = screen.page.get_by_label("The screen as text", exact=True).get_by_role("textbox")
    expect(box).to_have_value(re.compile("as-42-text"))


@pytest.mark.slow
def test_flood_leaves_the_page_alive(screen: Screen) -> None:
    page = screen.page
    page.get_by_role("button", name="New terminal").click()
    screen.shows(r"\$ *$")
    page.get_by_role("tab", name="main").click()
    screen.type("yes")
    screen.shows("^y$")
    end = time.monotonic() + FLOOD_SECONDS
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
        page.get_by_role("tab", name="t2").click()
        screen.answers(rounds)
        page.get_by_role("tab", name="main").click()
        screen.shows("^y$")
        assert page.evaluate("window.rootblood.backlog()") < 8 << 20
    assert rounds > 2
    page.keyboard.press("Control+c")
    screen.shows(r"\^C")
    screen.answers()


def test_foreign_page_gets_no_terminal(
    screen: Screen, new_browser: Callable[..., BrowserContext], complaints, tmp_path
) -> None:
    """Cookies know no ports: a page at another port of localhost sends ours along."""
    import functools
    import http.server
    import threading

    (tmp_path / "index.html").write_text("<!doctype html><link rel=icon href=data:,><p>evil")

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    handler = functools.partial(Silent, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as stranger:
        thread = threading.Thread(target=stranger.serve_forever, daemon=True)
        thread.start()
        page = screen.page.context.new_page()
        page.goto(f"http://localhost:{stranger.server_port}/index.html")
        complaints.expect("WebSocket connection to .* failed")
        complaints.expect("blocked by CORS policy|net::ERR_FAILED")
        outcome = page.evaluate(
            """(url) => new Promise((resolve) => {
                 const socket = new WebSocket(url, 'tty');
                 socket.onopen = () => resolve('open');
                 socket.onerror = () => resolve('refused');
               })""",
            f"ws://localhost:{screen.server.port}/api/v1/workspaces/main/terminal?session=main",
        )
        assert outcome == "refused"
        read = page.evaluate(
            """(url) => fetch(url, { credentials: 'include' })
                 .then(() => 'read', () => 'refused')""",
            f"{screen.url}/api/v1/me",
        )
        assert read == "refused"
        page.close()
        stranger.shutdown()
        thread.join()
    screen.answers()
