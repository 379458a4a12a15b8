"""What has scrolled off: tmux keeps it, the page searches it and scrolls through it."""

import pytest
from playwright.sync_api import expect

from tests.browser.screen import Screen
from tests.end_to_end.waiting import until

# clear(1) would empty tmux's history as well.
CLEAR = r"printf '\033[H\033[2J'"

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture
def counted(shell: Screen) -> Screen:
    """A terminal whose history has two thousand lines that do not show."""
    shell.type(f"for i in $(seq 2000); do echo line-$i-end; done; {CLEAR}")
    shell.lacks("line-")
    return shell.prompts()


def test_search_finds_what_has_scrolled_off(counted: Screen) -> None:
    press = counted.page.keyboard.press
    press("Control+Shift+F")
    counted.page.keyboard.type("00-end")
    press("Enter")
    counted.shows("line-2000-end")
    for line in (1900, 1800, 1700):
        press("Enter")
        counted.shows(f"^line-{line}-end")
    press("Shift+Enter")
    counted.shows("^line-1800-end")
    counted.button("Older match").click()
    counted.shows("^line-1700-end")
    counted.page.get_by_label("Text to look for in the history").fill("line-77-")
    press("Enter")
    counted.shows("^line-77-end")
    press("Escape")
    expect(counted.page.get_by_role("search")).to_be_hidden()
    counted.lacks("line-")
    counted.answers()


def test_search_for_quotes_and_patterns_takes_them_as_they_are(shell: Screen) -> None:
    shell.type(r"""printf 'a.*[b] "it'"'"'s" \\; kill-server # {x}\n'; seq 500; """ + CLEAR)
    shell.lacks("500")
    shell.button("Search the history").click()
    shell.page.keyboard.type("""[b] "it's" \\; kill-server # {""")
    shell.button("Older match").click()
    shell.shows(r"""^a\.\*\[b\] "it's" \\; kill-server # \{x\}$""")
    shell.button("Close the search").click()
    shell.lacks("kill-server")
    shell.answers()


def test_search_without_a_match_leaves_the_shell_alone(counted: Screen) -> None:
    counted.page.keyboard.press("Control+Shift+F")
    counted.page.keyboard.type("nowhere")
    counted.page.keyboard.press("Enter")
    counted.page.keyboard.press("Escape")
    expect(counted.page.get_by_role("search")).to_be_hidden()
    counted.answers()
    assert "nowhere" not in counted.text()


def test_wheel_scrolls_through_the_history(counted: Screen) -> None:
    mouse = counted.page.mouse
    counted.page.locator("#screens").hover()

    def turn(by: int) -> str:
        mouse.wheel(0, by)
        return counted.text()

    until(lambda: "line-1990-end" in turn(-120), "older lines come into view")
    until(lambda: "line-" not in turn(120), "the wheel leads back to the prompt")
    counted.answers()
