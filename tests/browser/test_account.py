"""The account's page: password, where one is signed in, tokens."""

import re
from collections.abc import Callable
from http.client import HTTPConnection

import pytest
from playwright.sync_api import expect

from tests.browser.screen import CUT_OFF, REFUSED, Complaints, Screen
from tests.end_to_end.person import PASSWORD, Person
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]

ANOTHER = "another horse battery"


def change_password(screen: Screen, current: str, new: str) -> None:
    screen.go("/account")
    screen.page.get_by_label("Current password").fill(current)
    screen.page.get_by_label("New password").fill(new)
    screen.button("Change the password").click()


def test_password_change_signs_other_browsers_out(
    terminal: Screen, new_screen: Callable[..., Screen], person: Person, complaints: Complaints
) -> None:
    complaints.expect(CUT_OFF, REFUSED)
    here = new_screen().sign_in(person.username)
    change_password(here, PASSWORD, ANOTHER)
    expect(here.page.get_by_text("You are signed out everywhere else.")).to_be_visible()
    expect(terminal.page.get_by_text("You are signed out.")).to_be_visible()

    terminal.go("/login").fill_in(person.username, PASSWORD)
    expect(terminal.page.get_by_role("alert")).to_contain_text("Wrong username or password")
    terminal.sign_in(person.username, ANOTHER)
    here.go("/account")
    expect(here.page.get_by_role("heading", name="Account", exact=True)).to_be_visible()


def test_wrong_current_password_is_said_at_its_field(
    screen: Screen, complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    change_password(screen, "not the password", ANOTHER)
    expect(screen.page.get_by_role("main")).to_contain_text(re.compile("[Ww]rong|not"))
    change_password(screen, PASSWORD, ANOTHER)
    expect(screen.page.get_by_text("Password changed.")).to_be_visible()


def test_strength_is_shown_while_typing(screen: Screen) -> None:
    field = screen.go("/account").page.get_by_label("New password")
    note = screen.page.locator("#new-note")
    for text, said in [("abcdefg", "3 more to go."), ("correct horse battery", "Very strong.")]:
        field.fill(text)
        expect(note).to_have_text(said)
    reveal = screen.page.locator("[data-reveal=new]")
    reveal.click()
    expect(field).to_have_attribute("type", "text")
    reveal.click()
    expect(field).to_have_attribute("type", "password")


def test_token_is_shown_once_and_works_until_revoked(screen: Screen, server: Server) -> None:
    page = screen.go("/account").page
    page.get_by_label("Name of a new token").fill("laptop backup")
    screen.button("Make a token").click()
    secret = page.locator("#new-token").inner_text()
    screen.photograph("account-token")
    assert status(server, secret) == 200
    screen.go("/account")
    expect(page.locator("#new-token")).to_have_count(0)
    assert secret not in page.content()

    row = page.get_by_role("row", name="laptop backup")
    expect(row).to_contain_text(re.compile("in (30 days|4 weeks|a month|1 month)|next month"))
    row.get_by_role("button", name="Revoke").click()
    screen.dialog("Revoke the token “laptop backup”?").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Token revoked.")).to_be_visible()
    expect(row).to_have_count(0)
    assert status(server, secret) == 401


def status(server: Server, secret: str) -> int:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
    answer = connection.getresponse().status
    connection.close()
    return answer


def test_another_browser_can_be_signed_out(
    screen: Screen, new_screen: Callable[..., Screen], person: Person
) -> None:
    other = new_screen(user_agent="Mozilla/5.0 (iPhone) Other/1.0").sign_in(person.username)
    page = screen.go("/account").page
    table = page.get_by_role("region", name="Where you are signed in")
    expect(table.get_by_text("this one")).to_have_count(1)
    table.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(table.get_by_role("button", name="Sign out", exact=True)).to_have_count(0)
    expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("this one")).to_be_visible()
