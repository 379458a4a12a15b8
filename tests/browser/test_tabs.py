"""Tabs of the terminal page: each is a shell of its own, on every device the same."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.screen import PROMPT, Screen
from tests.end_to_end.person import Person
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def tab(screen: Screen, session: str) -> Locator:
    return screen.page.locator(f"#tab-{session}")


def new_tab(screen: Screen, session: str) -> None:
    screen.button("New terminal").click()
    expect(tab(screen, session)).to_have_attribute("aria-selected", "true")
    screen.prompts()


def test_tabs_are_shells_of_their_own(terminal: Screen) -> None:
    page = terminal.page
    terminal.type("where=first")
    new_tab(terminal, "t2")
    terminal.type("echo [$where]")
    terminal.shows(r"^\[\]$")
    terminal.type("where=second")
    tab(terminal, "main").click()
    terminal.type("echo [$where]")
    terminal.shows(r"^\[first\]$")

    page.reload()
    terminal.shows(r"^\[first\]$")
    tab(terminal, "t2").click()
    terminal.prompts()
    terminal.type("echo [$where]")
    terminal.shows(r"^\[second\]$")

    terminal.button("Close t2").click()
    expect(page.get_by_role("tab")).to_have_count(1)
    terminal.shows(r"^\[first\]$")
    terminal.type("tmux list-sessions -F '<#S>'")
    terminal.shows("^<main>$")
    assert "<t2>" not in terminal.text()


def test_tabs_by_keyboard(terminal: Screen) -> None:
    press = terminal.page.keyboard.press
    press("Alt+Shift+T")
    terminal.prompts()
    terminal.answers(10)
    selected = terminal.page.get_by_role("tab", selected=True)
    for keys, session in [("Alt+1", "main"), ("Alt+2", "t2"), ("Control+PageDown", "main")]:
        press(keys)
        expect(selected).to_have_id(f"tab-{session}")
    terminal.answers(20)
    tab(terminal, "main").focus()
    press("ArrowRight")
    expect(selected).to_have_id("tab-t2")
    expect(tab(terminal, "t2")).to_be_focused()


def test_closing_a_tab_where_something_runs_asks_first(terminal: Screen, person: Person) -> None:
    new_tab(terminal, "t2")
    terminal.type("sleep 1000")
    path = "/api/v1/workspaces/main/sessions"
    until(
        lambda: "sleep" in [one["command"] for one in person.ok("GET", path)["sessions"]],
        "the program runs",
    )
    terminal.button("Close t2").click()
    dialog = terminal.dialog()
    expect(dialog).to_contain_text("“sleep” is still running")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    terminal.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(terminal.page.get_by_role("tab")).to_have_count(2)

    terminal.button("Close t2").click()
    dialog.get_by_role("button", name="Close it").click()
    expect(terminal.page.get_by_role("tab")).to_have_count(1)
    terminal.type("pgrep -c sleep")
    terminal.shows("^0$")


def test_closing_the_last_tab_gives_a_fresh_shell(terminal: Screen) -> None:
    terminal.type("old=shell; echo old-$((1 + 1))")
    terminal.shows("old-2")
    terminal.button("Close main").click()
    terminal.lacks("old-2")
    terminal.prompts()
    terminal.type("echo [$old]")
    terminal.shows(r"^\[\]$")


def test_shell_that_ends_closes_its_tab_and_the_last_leaves_a_way_on(terminal: Screen) -> None:
    new_tab(terminal, "t2")
    terminal.type("exit")
    expect(terminal.page.get_by_role("tab")).to_have_count(1)
    terminal.shows(PROMPT)
    terminal.type("exit")
    terminal.shows("Press Enter for a new one")
    terminal.page.keyboard.press("Enter")
    terminal.lacks("Press Enter for a new one")
    terminal.prompts()
    terminal.answers()


def test_second_device_sees_the_same_shells(
    terminal: Screen, new_screen: Callable[..., Screen], person: Person
) -> None:
    new_tab(terminal, "t2")
    terminal.type("kept=42; echo marked-$((6 * 7))")
    terminal.shows("marked-42")
    other = new_screen(viewport={"width": 1000, "height": 700}).sign_in(person.username).enter()
    expect(other.page.get_by_role("tab")).to_have_text([re.compile("main"), re.compile("t2")])
    tab(other, "t2").click()
    other.shows("marked-42")
    other.type("echo there-$kept-")
    other.shows("^there-42-")
    terminal.shows("^there-42-")


def test_new_terminal_from_the_dashboard(terminal: Screen) -> None:
    terminal.go("/").page.get_by_role("link", name="Terminal", exact=True).click()
    expect(tab(terminal, "t2")).to_have_attribute("aria-selected", "true")
    terminal.prompts()
    expect(terminal.page).to_have_url(re.compile("/w/main/$"))
    terminal.answers()
