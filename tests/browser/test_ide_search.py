"""The panel that searches all files of a workspace, and replaces."""

import pytest
from playwright.sync_api import expect

from tests.browser.panels import panel, read, write
from tests.browser.screen import Screen
from tests.end_to_end.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def test_search_finds_opens_and_narrows(shell: Screen, owner: Person) -> None:
    write(owner, "hunt/one.py", "first\nthe quarry is here\n")
    write(owner, "hunt/two.txt", "Quarry, and quarryman\n")
    page = shell.page
    found = panel(shell, "search")
    expect(found.get_by_role("status")).to_contain_text("Type what to look for")
    expect(found.get_by_label("Search", exact=True)).to_be_focused()
    page.keyboard.type("quarry")
    expect(found.get_by_role("status")).to_have_text("3 matches in 2 files")

    page.keyboard.press("Alt+c")
    expect(found.get_by_role("status")).to_have_text("2 matches in 2 files")
    page.keyboard.press("Alt+w")
    expect(found.get_by_role("status")).to_have_text("1 match in 1 file")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".cm-content")).to_be_focused()
    expect(page.locator("#statusbar")).to_contain_text("Ln 2, Col 11 (6 selected)")

    found.get_by_label("Match case").click()
    found.get_by_label("Whole words").click()
    found.get_by_text("In which files").click()
    found.get_by_label("Files to leave out").fill("*.txt")
    expect(found.get_by_role("status")).to_have_text("1 match in 1 file")


def test_search_says_what_is_wrong(shell: Screen) -> None:
    found = panel(shell, "search")
    found.get_by_label("Regular expression").click()
    found.get_by_label("Search", exact=True).fill("(un")
    expect(found.get_by_role("status")).to_contain_text("unclosed group")
    found.get_by_label("Search", exact=True).fill("nowhere-to-be-found")
    expect(found.get_by_role("status")).to_contain_text("No match")


def test_replace_shows_asks_and_replaces(shell: Screen, owner: Person) -> None:
    write(owner, "swap/a.txt", "old old\n")
    write(owner, "swap/b.txt", "very old\n")
    page = shell.page
    found = panel(shell, "search")
    found.get_by_role("button", name="Replace", exact=True).click()
    found.get_by_label("Search", exact=True).fill("old")
    found.get_by_text("In which files").click()
    found.get_by_label("Files to include").fill("swap")
    expect(found.get_by_role("status")).to_have_text("3 matches in 2 files")
    found.get_by_role("textbox", name="Replace").fill("new")
    expect(found.locator("ins")).to_have_text(["new", "new", "new"])

    found.locator(".file", has_text="b.txt").hover()
    found.get_by_label("Replace in b.txt").click()
    shell.dialog("Replace 1 match in 1 file by “new”?").get_by_text("Replace", exact=True).click()
    expect(found.get_by_role("status")).to_have_text("2 matches in 1 file")
    assert read(owner, "swap/b.txt") == "very new\n"
    assert read(owner, "swap/a.txt") == "old old\n"

    found.get_by_role("button", name="Replace all").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("2 matches in 1 file")
    question.get_by_role("button", name="Replace", exact=True).click()
    expect(found.get_by_role("status")).to_contain_text("No match")
    assert read(owner, "swap/a.txt") == "new new\n"
