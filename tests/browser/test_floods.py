"""More output than can be drawn: the page stays alive and small, and Ctrl-C is heard."""

import time

import pytest
from playwright.sync_api import expect

from tests.browser.screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.engine]

FLOOD_SECONDS = 15.0
BACKLOG_BYTES_MAX = 9 << 20
HEAP_BYTES_MAX = 160 << 20


@pytest.mark.slow
def test_flood_leaves_the_page_alive(shell: Screen) -> None:
    page = shell.page
    shell.button("New terminal").click()
    shell.prompts()
    page.keyboard.press("Alt+1")
    shell.type("yes a-rather-long-line-of-output-that-never-ends")
    shell.shows("^a-rather-long-line")
    end, rounds, heap = time.monotonic() + FLOOD_SECONDS, 0, 0
    while time.monotonic() < end:
        rounds += 1
        page.keyboard.press("Alt+2")
        shell.answers(rounds)
        page.keyboard.press("Alt+1")
        shell.shows("^a-rather-long-line")
        assert page.evaluate("window.rootblood.backlog()") < BACKLOG_BYTES_MAX
        heap = max(heap, page.evaluate("performance.memory.usedJSHeapSize"))
    assert heap < HEAP_BYTES_MAX
    page.keyboard.press("Control+c")
    shell.shows(r"\^C")
    shell.answers()
    expect(page.get_by_role("alertdialog")).to_have_count(0)


def test_screen_is_right_after_a_flood_that_was_cut_short(shell: Screen) -> None:
    shell.type("head -c 60000000 /dev/zero | tr '\\0' 'x' | fold -w 79; echo; echo done-$((6 * 7))")
    shell.shows("^done-42")
    shell.shows("^x{79}$")
    shell.type("clear")
    shell.lacks("x{79}")
    shell.answers()
