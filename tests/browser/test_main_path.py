"""From nothing to a shell of one's own, by mouse and by keyboard."""

import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import REFUSED, Complaints, Screen
from tests.end_to_end.person import PASSWORD, Person

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def test_from_the_first_visit_to_a_shell(new_screen: Callable[..., Screen]) -> None:
    screen = new_screen().go("/")
    page, name = screen.page, f"u{secrets.token_hex(4)}"
    page.get_by_role("link", name="Create an account").click()
    screen.fill_in(name, PASSWORD, "Create the account")
    expect(page.get_by_role("heading", name="Open your first workspace")).to_be_visible()
    screen.photograph("dashboard-empty")
    screen.button("Open my first workspace").click()
    screen.prompts()
    assert page.url.endswith("/w/main/")
    screen.type("echo I-am-$(whoami)-in-$HOME-")
    screen.shows(f"I-am-{name}-in-/home/{name}-")

    page.get_by_role("link", name="All workspaces").click()
    expect(page.get_by_text("Running", exact=True)).to_be_visible()
    page.get_by_role("link", name="Open", exact=True).click()
    screen.shows(f"I-am-{name}-in-/home/{name}-")


def test_reload_keeps_the_shell(terminal: Screen) -> None:
    terminal.type("kept=42; cd /tmp")
    terminal.page.reload()
    terminal.prompts()
    terminal.type("echo still-$kept-in-$PWD-")
    terminal.shows("still-42-in-/tmp-")


def test_without_a_mouse(new_screen: Callable[..., Screen], person: Person) -> None:
    person.open()
    screen = new_screen().go("/login")
    page = screen.page
    page.keyboard.type(person.username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    opener = page.get_by_role("link", name="Open", exact=True)
    expect(opener).to_be_visible()
    tab_to(opener)
    page.keyboard.press("Enter")
    screen.prompts()
    screen.answers()


def test_first_workspace_without_a_mouse(screen: Screen) -> None:
    tab_to(screen.button("Open my first workspace"))
    screen.page.keyboard.press("Enter")
    screen.prompts()
    screen.answers()


def test_skip_link_is_the_first_stop(screen: Screen) -> None:
    screen.go("/")
    screen.page.keyboard.press("Tab")
    expect(screen.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    screen.page.keyboard.press("Enter")
    expect(screen.page.locator("main")).to_be_focused()


def test_stranger_is_sent_to_sign_in_and_back(
    new_screen: Callable[..., Screen], person: Person
) -> None:
    screen = new_screen().go("/account")
    screen.fill_in(person.username, PASSWORD)
    expect(screen.page.get_by_role("heading", name="Account", exact=True)).to_be_visible()


class TestWrongInput:
    @pytest.fixture(autouse=True)
    def _refused(self, complaints: Complaints) -> None:
        complaints.expect(REFUSED)

    def register(self, screen: Screen, name: str, password: str) -> Page:
        page = screen.go("/register").page
        # As somebody whose browser checks nothing: the server's own words are what is tested.
        page.locator("main form").evaluate("(form) => { form.noValidate = true; }")
        screen.fill_in(name, password, "Create the account")
        return page

    @pytest.mark.parametrize(
        ("name", "said"), [("root", "'root' is reserved"), ("Ünï", "not a valid username")]
    )
    def test_bad_name(self, new_screen: Callable[..., Screen], name: str, said: str) -> None:
        page = self.register(new_screen(), name, PASSWORD)
        field = page.get_by_label("User name")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_value(name)
        expect(page.get_by_text(said)).to_be_visible()

    def test_taken_name(self, new_screen: Callable[..., Screen], person: Person) -> None:
        page = self.register(new_screen(), person.username, PASSWORD)
        expect(page.get_by_role("alert")).to_contain_text("is taken")
        expect(page.get_by_label("User name")).to_have_value(person.username)

    def test_short_password(self, new_screen: Callable[..., Screen]) -> None:
        page = self.register(new_screen(), f"u{secrets.token_hex(4)}", "short")
        field = page.get_by_label("Password", exact=True)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#password-note")).to_contain_text("10")
        expect(field).to_have_value("")

    def test_wrong_password_says_no_more_than_unknown_user(
        self, new_screen: Callable[..., Screen], person: Person
    ) -> None:
        screen = new_screen()
        said = []
        for name in (person.username, f"u{secrets.token_hex(4)}"):
            page = screen.go("/login").fill_in(name, "not the password").page
            alert = page.get_by_role("alert")
            expect(alert).to_contain_text("Wrong username or password")
            expect(page.get_by_label("User name")).to_have_value(name)
            expect(page.get_by_label("Password", exact=True)).to_be_focused()
            said.append(alert.inner_text())
        assert said[0] == said[1]

    def test_rules_of_a_name_are_ticked_off_while_typing(
        self, new_screen: Callable[..., Screen]
    ) -> None:
        page = new_screen().go("/register").page
        met = page.locator("#username-note .met")
        page.get_by_label("User name").fill("-")
        expect(met).to_have_text(["small letters a–z, digits and hyphens"])
        page.get_by_label("User name").fill("ada-l")
        expect(met).to_have_count(3)


def tab_to(control: Locator) -> None:
    """Press Tab until the control has the focus."""
    for _ in range(40):
        control.page.keyboard.press("Tab")
        if control.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"{control} cannot be reached")
