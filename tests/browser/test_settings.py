"""What a person sets to their liking: theme, text size, screen reader, size of the window."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import Screen
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def choose_theme(page: Page, name: str) -> None:
    page.get_by_role("button", name="Theme", exact=True).click()
    page.locator("#theme-menu").get_by_role("menuitemradio", name=name).click()


def test_theme_is_dark_light_or_the_systems(shell: Screen) -> None:
    page = shell.page
    choose_theme(page, "Dark")
    assert shell.is_dark()
    shell.photograph("terminal-dark")
    colours = {terminal_colours(shell)}
    choose_theme(page, "Light")
    assert not shell.is_dark()
    shell.photograph("terminal-light")
    colours.add(terminal_colours(shell))
    assert len(colours) == 2, "the terminal follows"

    choose_theme(page, "Like the system")
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        until(lambda scheme=scheme: shell.is_dark() == (scheme == "dark"), f"it gets {scheme}")
        assert terminal_colours(shell) in colours

    choose_theme(page, "Dark")
    page.reload()
    shell.prompts()
    assert shell.is_dark()


def terminal_colours(screen: Screen) -> str:
    return screen.style(".pane:not([hidden]) .xterm-rows", "color")


def test_theme_is_followed_by_the_other_tabs(screen: Screen) -> None:
    other = screen.tab().go("/account")
    choose_theme(screen.page, "Dark")
    until(other.is_dark, "the other tab is dark")
    choose_theme(other.page, "Light")
    until(lambda: not screen.is_dark(), "the first tab is light")


def test_window_and_text_size_reach_the_programs(shell: Screen) -> None:
    page = shell.page
    rows, columns = shell.size()
    assert rows > 10
    assert columns > 80
    page.set_viewport_size({"width": 900, "height": 500})
    until(lambda: all_less(shell.size(), (rows, columns)), "programs know the small window")
    page.set_viewport_size({"width": 1280, "height": 800})
    until(lambda: shell.size() == (rows, columns), "programs know the large window")

    for _ in range(3):
        shell.button("Larger text").click()
    page.locator(".xterm-helper-textarea").focus()
    until(lambda: all_less(shell.size(), (rows, columns)), "larger text leaves less room")
    larger = shell.size()
    page.reload()
    shell.prompts()
    assert shell.size() == larger
    shell.button("Smaller text").click()
    page.locator(".xterm-helper-textarea").focus()
    until(lambda: all_less(larger, shell.size()), "smaller text leaves more room")


def all_less(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[0] and one[1] < other[1]


def test_screen_reader_switch_speaks_the_output_and_is_remembered(shell: Screen) -> None:
    page = shell.page
    switch = shell.button("Screen reader mode")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    shell.type("echo read-$((40 + 2))-aloud")
    spoken = page.locator(".xterm-accessibility")
    expect(spoken).to_contain_text("read-42-aloud")
    page.reload()
    shell.prompts()
    expect(spoken).to_contain_text("read-42-aloud")
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.click()
    expect(spoken).to_have_count(0)


def test_screen_as_text_and_the_page_of_keys(shell: Screen) -> None:
    shell.type("echo as-$((40 + 2))-text")
    shell.shows("as-42-text")
    shell.choose("More", "The screen as text …")
    box = shell.dialog("The screen as text").get_by_role("textbox")
    expect(box).to_have_value(re.compile("as-42-text"))
    shell.page.keyboard.press("Escape")
    shell.choose("More", "Keys and help …")
    expect(shell.dialog("Keys and help")).to_contain_text("Search the whole history")
    shell.page.keyboard.press("Enter")
    expect(shell.dialog()).to_have_count(0)


def test_title_of_the_page_names_the_program(shell: Screen) -> None:
    expect(shell.page).to_have_title("main · RootBlood")
    shell.type(r"printf '\033]2;compiling\a'; cat")
    expect(shell.page).to_have_title("compiling · main · RootBlood")
