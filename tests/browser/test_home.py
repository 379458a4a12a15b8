"""The home's page and what other pages say of it: its lock, its space, its words."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from docker import APIClient
from playwright.sync_api import Locator, expect

from tests.browser.screen import REFUSED, Complaints, Screen
from tests.browser.test_every_page import SIDEWAYS, TOO_WIDE
from tests.end_to_end.person import PASSWORD, Caller, Person, execute
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]

ALLOWANCE_BYTES = 128 << 20


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    """A server that keeps homes in vaults, with an administrator of the name ``boss``."""
    started = make_server(storage="vault").start()
    Person(started, "boss")
    return started


@pytest.fixture
def locked(screen: Screen, person: Person) -> Screen:
    """A browser whose home is locked, and whose sign-in has no copy of the key."""
    person.open()
    person.ok("POST", "/api/v1/workspaces/main/stop")
    person.ok("POST", "/api/v1/home/lock")
    with closing(sqlite3.connect(person.server.data_dir / "rootblood.db", timeout=20)) as database:
        database.execute(
            "DELETE FROM key_slots WHERE kind = 'login' AND user_id = "
            "(SELECT id FROM users WHERE username = ?)",
            (person.username,),
        )
        database.commit()
    return screen


@pytest.fixture
def small(server: Server, person: Person) -> Person:
    """An account with a small home, whose ``main`` runs."""
    boss = Caller(server, {})
    proof = {"username": "boss", "password": PASSWORD, "name": "allowances"}
    secret = boss.ok("POST", "/api/v1/tokens", proof)["token"]
    boss.header["Authorization"] = f"Bearer {secret}"
    change = {"allowance": {"disk_bytes": ALLOWANCE_BYTES}}
    boss.ok("PATCH", f"/api/v1/users/{person.username}", change)
    person.open()
    return person


def state(screen: Screen) -> Locator:
    return screen.page.locator(".home-page .state")


def write(client: APIClient, person: Person, nbytes: int) -> None:
    execute(client, person.container(), "sh", "-c", f"head -c {nbytes} /dev/zero > ~/large; sync")


def test_password_opens_a_home_whose_key_is_not_at_hand(
    locked: Screen, complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    page = locked.go("/home").page
    expect(state(locked).get_by_role("heading")).to_have_text("Locked")
    locked.button("Unlock").click()
    dialog = locked.dialog("Unlock your home")
    expect(dialog.get_by_label("Your password")).to_be_focused()
    dialog.get_by_role("button", name="Unlock", exact=True).click()
    expect(dialog).to_contain_text("Type your password.")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("That is not your present password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(state(locked).get_by_role("heading")).to_have_text("Unlocked")
    expect(state(locked)).to_contain_text("it locks in")

    locked.button("Lock now").click()
    expect(state(locked).get_by_role("heading")).to_have_text("Locked")
    locked.button("Unlock").click()  # the password left a copy of the key with this sign-in
    expect(state(locked).get_by_role("heading")).to_have_text("Unlocked")


def test_terminal_asks_for_the_password_and_goes_on_starting(
    locked: Screen, complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    page = locked.go("/w/main/").page
    overlay = page.get_by_role("alertdialog", name="Your home is locked")
    expect(overlay.get_by_label("Your password")).to_be_focused()
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    expect(overlay).to_contain_text("That is not your present password")
    locked.photograph("terminal-locked")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    locked.prompts()
    locked.answers()


def test_dashboard_shows_the_lock_and_asks_before_it_starts(
    locked: Screen, complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    page = locked.go("/").page
    tile = page.get_by_role("link", name=re.compile("^Home.*Locked"))
    expect(tile).to_be_visible()
    main = page.get_by_role("region", name="main", exact=True)
    main.get_by_role("button", name="Start").click()
    locked.dialog("Unlock your home").get_by_label("Your password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(main).to_contain_text("Running")
    tile = page.get_by_role("link", name=re.compile("^Home.*Unlocked"))
    tile.click()
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()


def test_people_are_told_that_space_runs_out(
    screen: Screen, small: Person, docker_client: APIClient
) -> None:
    write(docker_client, small, ALLOWANCE_BYTES * 93 // 100)
    page = screen.go("/home").page
    notice = page.locator(".home-page .notice")
    expect(notice).to_contain_text(re.compile(r"Your home is nearly full: 9\d % used"))
    expect(page.get_by_role("img", name=re.compile(r"MiB of 128 MiB used"))).to_be_visible()
    screen.photograph("home-nearly-full")
    screen.go("/")
    told = page.locator("#dashboard .notice").filter(has_text="nearly full")
    expect(told.get_by_role("link", name="Make room")).to_be_visible()
    screen.enter()
    expect(page.get_by_role("status").filter(has_text="nearly full")).to_be_visible()

    write(docker_client, small, ALLOWANCE_BYTES * 2)
    expect(page.get_by_role("alert").filter(has_text="Your home is full")).to_be_visible()
    page.get_by_role("alert").get_by_role("button", name="Make room").click()
    expect(notice).to_contain_text("Your home is full")
    execute(docker_client, small.container(), "sh", "-c", "rm ~/large; sync")
    expect(notice).to_have_count(0)  # without a reload


def test_allowance_is_shown_with_what_is_used_of_it(screen: Screen, person: Person) -> None:
    person.open()
    tiles = screen.go("/home").page.get_by_role("region", name="Your allowance")
    expect(tiles).to_contain_text(re.compile(r"Workspaces\s*1 of \d"))
    expect(tiles).to_contain_text(re.compile(r"Running hours this week\s*\d"))
    expect(tiles).to_contain_text(re.compile(r"Memory each\s*\d+ [GM]iB"))


def test_home_that_was_never_used_offers_the_first_snapshot(screen: Screen) -> None:
    page = screen.go("/home").page
    expect(page.get_by_role("heading", name="Travel back in time")).to_be_visible()
    expect(screen.button("Take the first one")).to_be_visible()
    expect(page.get_by_role("listbox")).to_have_count(0)
    expect(page.get_by_role("link", name="make one")).to_have_attribute("href", "/account")


def test_page_fits_the_narrowest_phone(
    new_screen: Callable[..., Screen], person: Person, docker_client: APIClient
) -> None:
    person.open()
    long, script = "x" * 200, "mkdir -p ~/a/b; echo one > ~/"
    execute(docker_client, person.container(), "sh", "-c", f"{script}{long}")
    person.ok("POST", "/api/v1/home/snapshots", {"note": "w" * 80})
    options: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
    screen = new_screen(**options).let_in(person.username).go("/home")
    page = screen.page
    name = page.get_by_role("button", name=long, exact=True)
    expect(name).to_be_visible()
    for _ in ("files", "versions"):
        assert page.evaluate(TOO_WIDE) == []
        assert page.evaluate(SIDEWAYS) <= 0
        name.tap()
        expect(page.get_by_role("list", name="Versions")).to_be_visible()
        screen.photograph("home-narrow")
        page.get_by_role("navigation", name="Folder").get_by_role("button", name="Home").tap()
