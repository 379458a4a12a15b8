"""git beside the editor: what has changed, staging, committing, branches, history, marks."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.panels import API, edit, panel, read, repository, write
from tests.browser.screen import REFUSED, Complaints, Screen
from tests.end_to_end.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture
def enter(
    new_screen: Callable[..., Screen], person: Person, options: dict[str, Any]
) -> Callable[[], Screen]:
    """Return what opens the page of a fresh account, whose workspace runs already."""
    person.open()
    return lambda: new_screen(**options).let_in(person.username).enter()


def test_without_a_repository_the_panel_says_what_to_do(terminal: Screen, person: Person) -> None:
    found = panel(terminal, "git")
    expect(found).to_contain_text("No repository here")
    expect(found).to_contain_text("git clone")
    found.get_by_role("button", name="Make one in ~").click()
    expect(found.get_by_title("Switch to a branch")).to_contain_text("main")


def test_stage_commit_and_history(enter: Callable[[], Screen], person: Person) -> None:
    repository(person, "proj", a__txt="one\n", b__txt="two\n")
    write(person, "proj/a.txt", "one\nmore\n")
    write(person, "proj/c.txt", "fresh\n")
    terminal = enter()
    page = terminal.page
    found = panel(terminal, "git")
    rows = found.locator(".change")
    expect(rows).to_have_count(2)
    expect(page.locator("[data-panel=git] .badge")).to_have_text("2")

    page.keyboard.press("Control+Shift+G")
    page.keyboard.press("ArrowDown")
    expect(rows.first).to_be_focused()
    page.keyboard.press("+")
    expect(found.get_by_text("Staged", exact=True)).to_be_visible()
    found.get_by_label("Message of the commit").fill("Say more\n\nBecause.")
    page.keyboard.press("Control+Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("c.txt")

    found.get_by_text("History").click()
    commits = found.locator(".commit")
    expect(commits).to_have_count(2)
    expect(commits.first).to_contain_text("Say more")
    commits.first.locator(".line").click()
    expect(commits.first).to_contain_text("Because.")
    log = person.ok("GET", f"{API}/git/log?root=proj")["commits"]
    assert [commit["subject"] for commit in log] == ["Say more", "Begin"]


def test_a_commit_that_git_refuses_is_told(
    enter: Callable[[], Screen], person: Person, complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    repository(person, "proj", a__txt="one\n")
    write(person, "proj/.git/hooks/pre-commit", "#!/bin/sh\necho not on a Sunday >&2\nexit 1\n")
    terminal = enter()
    terminal.type("chmod +x proj/.git/hooks/pre-commit; echo done-$((1+1))-")
    terminal.shows("done-2-")
    write(person, "proj/a.txt", "two\n")
    found = panel(terminal, "git")
    found.get_by_label("Message of the commit").fill("Try")
    found.get_by_role("button", name="Stage and commit 1 file").click()
    expect(found.get_by_role("alert")).to_contain_text("not on a Sunday")
    expect(found.get_by_label("Message of the commit")).to_have_value("Try")


def test_compare_and_discard(enter: Callable[[], Screen], person: Person) -> None:
    repository(person, "proj", a__txt="one\n")
    write(person, "proj/a.txt", "uno\n")
    terminal = enter()
    page = terminal.page
    found = panel(terminal, "git")
    found.locator(".change").click()
    texts = page.locator(".page.diff:visible .cm-content")
    expect(texts).to_contain_text(["one", "uno"])

    found.locator(".change").hover()
    found.get_by_label("Discard: a.txt").click()
    terminal.dialog().get_by_role("button", name="Discard").click()
    expect(found.get_by_text("Nothing has changed since the last commit.")).to_be_visible()
    assert read(person, "proj/a.txt") == "one\n"


def test_switch_to_a_new_branch_and_back(enter: Callable[[], Screen], person: Person) -> None:
    repository(person, "proj", a__txt="one\n")
    terminal = enter()
    page = terminal.page
    panel(terminal, "git")
    branch = page.locator("#statusbar .branch")
    branch.click()
    box = terminal.dialog("Switch to a branch")
    box.get_by_role("combobox").fill("try/this")
    expect(box.get_by_role("option")).to_contain_text("Make the branch try/this")
    page.keyboard.press("Enter")
    expect(branch).to_have_text("try/this")
    branch.click()
    box.get_by_role("combobox").fill("main")
    expect(box.get_by_role("option")).to_contain_text("main")
    page.keyboard.press("Enter")
    expect(branch).to_have_text("main")


def test_what_a_terminal_does_to_a_repository_shows(
    enter: Callable[[], Screen], person: Person
) -> None:
    repository(person, "proj", a__txt="one\n")
    terminal = enter()
    page = terminal.page
    edit(terminal, "a.txt")
    tree = panel(terminal, "files")
    page.locator("#screens").click()
    terminal.type("cd proj; echo more >> a.txt; git switch -qc elsewhere")
    expect(page.locator("#statusbar .branch")).to_have_text("elsewhere")
    expect(tree.locator(".row-file", has_text="a.txt").locator(".mark")).to_have_text("M")


def test_changed_lines_are_marked_and_can_be_brought_back(
    enter: Callable[[], Screen], person: Person
) -> None:
    repository(person, "proj", a__txt="one\ntwo\nthree\n")
    terminal = enter()
    page = terminal.page
    text = edit(terminal, "a.txt")
    expect(page.locator(".git-gutter")).to_be_attached()
    text.click()
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.keyboard.type(" and a half")
    expect(page.locator(".git-mark.changed")).to_have_count(1)
    page.keyboard.press("Control+End")
    page.keyboard.type("four")
    expect(page.locator(".git-mark.added")).to_have_count(1)

    page.locator(".git-mark.changed").click()
    before = page.get_by_role("dialog", name="What was here before")
    expect(before.locator("pre")).to_have_text("two")
    before.get_by_role("button", name="Bring this back").click()
    expect(text.locator(".cm-line").nth(1)).to_have_text("two")
    expect(page.locator(".git-mark.changed")).to_have_count(0)

    page.keyboard.press("Alt+F3")
    expect(before).to_contain_text("These lines are additional.")
    page.keyboard.press("Escape")
    expect(text).to_be_focused()


class TestOnAPhone:
    @pytest.fixture
    def options(self) -> dict[str, object]:
        phone = {"width": 390, "height": 844}
        return {"viewport": phone, "has_touch": True, "is_mobile": True}

    def test_git_has_a_view_of_its_own(self, enter: Callable[[], Screen], person: Person) -> None:
        repository(person, "proj", a__txt="one\n")
        write(person, "proj/a.txt", "uno\n")
        terminal = enter()
        page = terminal.page
        page.locator("#views").get_by_role("button", name="Git").click()
        found = page.locator(".panel.git")
        found.get_by_label("Stage: a.txt").tap()
        expect(found.get_by_role("button", name="Commit 1 file")).to_be_visible()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, "the page scrolls sideways"
