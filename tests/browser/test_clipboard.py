"""Copy and paste: by programs, by the mouse, and by the browser's own keys."""

import base64
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.screen import Screen, becomes
from tests.end_to_end.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.engine]

READ = "navigator.clipboard.readText()"
MOUSE_PAUSE_MS = 40  # tmux takes clicks that come closer for one


@pytest.fixture
def terminal(new_browser: Callable[..., BrowserContext], server, person: Person) -> Screen:
    context = new_browser()
    screen = Screen(context.new_page(), server)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=screen.url)
    person.open()
    return screen.sign_in(person.username).enter()


def copied(screen: Screen, characters: int) -> None:
    said = screen.page.get_by_role("status").filter(has_text=f"Copied {characters} character")
    expect(said).to_be_visible()


def test_programs_write_the_clipboard_and_never_read_it(terminal: Screen) -> None:
    text = "kopiert: äöü 日本"
    encoded = base64.b64encode(text.encode()).decode()
    terminal.type(rf"printf '\033]52;c;{encoded}\a'")
    copied(terminal, len(text))
    becomes(terminal.page, READ, text)
    # A program that asks gets no answer: what follows is all that cat reads.
    terminal.type(r"clear; printf '\033]52;c;?\a'; cat -v")
    terminal.type("nothing")
    terminal.shows("nothing\nnothing")
    assert encoded[:8] not in terminal.text()


def test_dragging_over_text_copies_it(terminal: Screen) -> None:
    page = terminal.page
    terminal.type("clear; echo take-$((6 * 7))-this and not that")
    terminal.shows("^take-42-this and not that")
    row = page.locator(".xterm-rows > div", has_text="take-42-this").last
    box = row.bounding_box()
    assert box is not None
    cell = becomes(
        page, "document.querySelector('.xterm-screen').clientWidth", lambda wide: wide > 0
    )
    columns = terminal.size()[1]
    terminal.type("clear; echo take-$((6 * 7))-this and not that")
    terminal.shows("^take-42-this and not that")
    box = page.locator(".xterm-rows > div", has_text="take-42-this").last.bounding_box()
    assert box is not None
    wide, middle = cell / columns, box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + wide / 2, middle)
    page.mouse.down()
    for column in range(1, 12):
        page.wait_for_timeout(MOUSE_PAUSE_MS)
        page.mouse.move(box["x"] + wide * (column + 0.5), middle)
    page.wait_for_timeout(MOUSE_PAUSE_MS)
    page.mouse.up()
    copied(terminal, len("take-42-this"))
    becomes(page, READ, "take-42-this")
    terminal.answers()


def test_browsers_own_selection_is_copied_by_its_keys(terminal: Screen) -> None:
    page = terminal.page
    terminal.type("clear; echo word-$((6 * 7))")
    terminal.shows("^word-42")
    row = page.locator(".xterm-rows > div", has_text="word-42").last
    page.keyboard.down("Shift")
    row.dblclick(position={"x": 20, "y": 8})
    page.keyboard.up("Shift")
    page.keyboard.press("Control+Shift+C")
    becomes(page, READ, lambda text: "word-42" in text)
    terminal.answers()


def test_paste_of_many_lines_waits_for_enter(terminal: Screen) -> None:
    page = terminal.page
    page.evaluate(r"navigator.clipboard.writeText('echo one-$((1 + 1))\necho two-$((1 + 1))\n')")
    page.keyboard.press("Control+Shift+V")
    terminal.shows(r"echo two-\$\(\(1")
    assert "one-2" not in terminal.text(), "bracketed paste is one line to the shell"
    page.keyboard.press("Enter")
    terminal.shows("^one-2\n(.*\n)?two-2")


def test_paste_of_a_megabyte_arrives_whole(terminal: Screen) -> None:
    page = terminal.page
    terminal.type("stty -echo; head -c 1000000 | md5sum; stty echo")
    terminal.shows("md5sum")
    text = "0123456789" * 8 + "\n"
    whole = (text * 12_346)[:1_000_000]
    import hashlib  # noqa: PLC0415

    page.evaluate("(text) => navigator.clipboard.writeText(text)", whole)
    page.keyboard.press("Control+Shift+V")
    terminal.shows(hashlib.md5(whole.encode()).hexdigest())
