"""Copy and paste: by programs, by the mouse, and by the browser's own keys."""

import base64
import hashlib
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.screen import Screen, becomes

pytestmark = [pytest.mark.browser, pytest.mark.engine]

READ = "navigator.clipboard.readText()"
MOUSE_PAUSE_MS = 40  # tmux takes clicks that come closer for one


@pytest.fixture
def options() -> dict[str, Any]:
    return {"permissions": ["clipboard-read", "clipboard-write"]}


def copied(screen: Screen, characters: int) -> None:
    said = screen.page.get_by_role("status").filter(has_text=f"Copied {characters} character")
    expect(said).to_be_visible()


def beginning_of(screen: Screen, text: str) -> tuple[float, float]:
    """Return where on the page the row with this text begins, at half its height."""
    box = screen.page.locator(".xterm-rows > div", has_text=text).last.bounding_box()
    assert box is not None
    return box["x"], box["y"] + box["height"] / 2


def test_programs_write_the_clipboard_and_never_read_it(shell: Screen) -> None:
    text = "kopiert: äöü 日本"
    encoded = base64.b64encode(text.encode()).decode()
    shell.type(rf"printf '\033]52;c;{encoded}\a'")
    copied(shell, len(text))
    becomes(shell.page, READ, text)
    secret = "only-the-browser-knows"
    shell.page.evaluate("(text) => navigator.clipboard.writeText(text)", secret)
    # A program that asks may get what tmux has seen pass, and no more.
    shell.type(r"clear; printf '\033]52;c;?\a'; cat -v")
    shell.shows(r"52;.*\^G")
    assert base64.b64encode(secret.encode()).decode()[:20] not in shell.text()


def test_dragging_over_text_copies_it(shell: Screen) -> None:
    page = shell.page
    columns = shell.size()[1]
    shell.type("clear; echo take-$((6 * 7))-this and not that")
    shell.shows("^take-42-this and not that")
    x, y = beginning_of(shell, "take-42-this")
    wide = page.locator(".xterm-screen").evaluate("(element) => element.clientWidth") / columns
    page.mouse.move(x + wide / 2, y)
    page.mouse.down()
    for column in range(1, 12):
        page.wait_for_timeout(MOUSE_PAUSE_MS)
        page.mouse.move(x + wide * (column + 0.5), y)
    page.wait_for_timeout(MOUSE_PAUSE_MS)
    page.mouse.up()
    copied(shell, len("take-42-this"))
    becomes(page, READ, "take-42-this")
    shell.answers()


def test_browsers_own_selection_is_copied_by_its_keys(shell: Screen) -> None:
    page = shell.page
    shell.type("clear; echo word-$((6 * 7))")
    shell.shows("^word-42")
    x, y = beginning_of(shell, "word-42")
    page.keyboard.down("Shift")
    page.mouse.dblclick(x + 20, y)
    page.keyboard.up("Shift")
    page.keyboard.press("Control+Shift+C")
    becomes(page, READ, lambda text: "word-42" in text)
    shell.answers()


def test_paste_of_many_lines_waits_for_enter(shell: Screen) -> None:
    page = shell.page
    page.evaluate(r"navigator.clipboard.writeText('echo one-$((1 + 1))\necho two-$((1 + 1))\n')")
    page.keyboard.press("Control+Shift+V")
    shell.shows(r"echo two-\$\(\(1")
    assert "one-2" not in shell.text(), "bracketed paste is one line to the shell"
    page.keyboard.press("Enter")
    shell.shows("^one-2\n(.*\n)?two-2")


def test_paste_of_a_megabyte_arrives_whole(shell: Screen) -> None:
    page = shell.page
    whole = ("0123456789" * 8 + "\n") * 12_345  # whole lines: tty(4) keeps a part of one back
    page.evaluate("(text) => navigator.clipboard.writeText(text)", whole)
    shell.type(f"stty -echo; echo ready-$((6 * 7)); head -c {len(whole)} | md5sum; stty echo")
    shell.shows("^ready-42$")
    page.keyboard.press("Control+Shift+V")
    shell.shows(hashlib.md5(whole.encode()).hexdigest())
