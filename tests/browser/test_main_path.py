"""From nothing to a shell of one's own, by mouse and by keyboard."""

import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.person import PASSWORD
from tests.end_to_end.screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def test_from_the_first_visit_to_a_shell(new_screen: Callable[..., Screen]) -> None:
    screen = new_screen().go("/")
    page, name = screen.page, f"u{secrets.token_hex(4)}"
    screen.photograph("landing")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    screen.photograph("register")
    page.get_by_role("button", name="Create the account").click()
    screen.photograph("dashboard-empty")
    page.get_by_role("button", name="Open my first workspace").click()
    screen.shows(r"\$ *$")
    assert page.url.endswith("/w/main/")
    screen.type("echo I-am-$(whoami)-in-$HOME-")
    screen.shows(f"I-am-{name}-in-/home/{name}-")
    screen.type("kept=42; cd /tmp")
    screen.photograph("terminal")

    page.reload()
    screen.shows(r"\$ *$")
    screen.type("echo still-$kept-in-$PWD-")
    screen.shows("still-42-in-/tmp-")


def test_wrong_input_is_said_at_its_field(new_screen: Callable[..., Screen]) -> None:
    screen = new_screen().go("/register")
    page = screen.page
    page.get_by_label("User name").fill("boss")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("alert")).to_contain_text("taken")
    expect(page.get_by_label("User name")).to_have_value("boss")

    screen.go("/login")
    page.get_by_label("User name").fill("boss")
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Wrong username or password")


@pytest.fixture(autouse=True)
def refused_forms(complaints) -> None:
    # Chromium prints the status of a page that was answered with an error.
    complaints.expect(r"the server responded with a status of (401|409|422)")


def test_without_a_mouse(new_screen: Callable[..., Screen]) -> None:
    screen = new_screen().go("/register")
    page = screen.page
    page.keyboard.type(f"u{secrets.token_hex(4)}")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Workspaces", exact=True)).to_be_visible()
    tab_to(page, "Open my first workspace")
    page.keyboard.press("Enter")
    screen.shows(r"\$ *$")
    screen.answers()

    # The palette leads everywhere.
    page.keyboard.press("Alt+Shift+T")
    expect(page.get_by_role("tab", name="t2")).to_have_attribute("aria-selected", "true")
    screen.shows(r"\$ *$")
    screen.answers(1)
    page.keyboard.press("Alt+1")
    expect(page.get_by_role("tab", name="main")).to_have_attribute("aria-selected", "true")
    screen.answers(2)


def test_skip_link_is_the_first_stop(screen: Screen) -> None:
    screen.go("/")
    screen.page.keyboard.press("Tab")
    assert focused(screen.page) == "Skip to the content"
    screen.page.keyboard.press("Enter")
    assert screen.page.evaluate("document.activeElement.id") == "main"


def focused(page: Page) -> str:
    return str(page.evaluate("(document.activeElement.innerText ?? '').trim()"))


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of that name has the focus."""
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(focused(page))
        if name in seen[-1]:
            return
    raise AssertionError(f"{name!r} cannot be reached: {seen}")
