"""What the terminal page does when the server, the container or the sign-in goes away."""

import re
from collections.abc import Callable

import pytest
from docker import APIClient
from playwright.sync_api import expect

from tests.end_to_end.person import Person, history
from tests.end_to_end.screen import Complaints, Screen
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture(autouse=True)
def what_chromium_says_of_it(complaints: Complaints) -> None:
    """A browser itself prints every connection that breaks."""
    complaints.expect(r"WebSocket connection to .* failed")
    complaints.expect(r"net::ERR_(CONNECTION_|INCOMPLETE_CHUNKED|EMPTY_RESPONSE|NETWORK)")
    complaints.expect(r"responded with a status of (401|409)")


@pytest.fixture
def terminal(screen: Screen, person: Person) -> Screen:
    """The terminal page of the person, with a shell."""
    person.open()
    return screen.enter()


def test_server_killed_and_started_again(
    terminal: Screen, server: Server, person: Person, docker_client: APIClient
) -> None:
    terminal.type("kept=42; for i in $(seq 400); do echo out-$i-put; sleep 0.01; done")
    terminal.shows("out-20-put")
    server.kill()
    banner = terminal.page.get_by_text("Connection lost. What runs goes on running.")
    expect(banner).to_be_visible()
    container = person.container()
    until(lambda: "out-400-put" in history(docker_client, container), "it ends unseen")
    server.start()
    terminal.shows("out-400-put")
    expect(banner).to_be_hidden()
    terminal.type("echo still-$kept-")
    terminal.shows("still-42-")
    lines = [f"out-{number}-put" for number in range(1, 401)]
    assert [line for line in history(docker_client, container) if line in set(lines)] == lines


def test_container_killed_offers_to_start(
    terminal: Screen, person: Person, docker_client: APIClient
) -> None:
    docker_client.kill(person.container())
    dialog = terminal.page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("137")
    terminal.photograph("terminal-killed")
    dialog.get_by_role("button", name=re.compile("Try again|Start")).click()
    expect(dialog).to_be_hidden()
    terminal.shows(r"\$ *$")
    terminal.answers()


def test_stopped_from_the_dashboard(terminal: Screen, person: Person) -> None:
    dashboard = terminal.tab().go("/")
    dashboard.page.get_by_role("button", name="Stop main").click()
    dialog = terminal.page.get_by_role("alertdialog")
    expect(dialog).to_contain_text(f"Stopped by {person.username}")
    expect(dashboard.page.get_by_text("Stopped", exact=True)).to_be_visible()
    terminal.photograph("terminal-stopped")
    dialog.get_by_role("button", name="Start").click()
    expect(dialog).to_be_hidden()
    terminal.shows(r"\$ *$")
    terminal.answers()
    expect(dashboard.page.get_by_text("Running", exact=True)).to_be_visible()


def test_signed_out_in_another_tab(terminal: Screen) -> None:
    other = terminal.tab().go("/")
    other.page.get_by_role("button", name=re.compile("^Account of")).click()
    other.page.get_by_role("menuitem", name="Sign out").click()
    expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(terminal.page.get_by_text("You are signed out.")).to_be_visible()
    way_back = terminal.page.get_by_role("link", name="Sign in")
    expect(way_back).to_have_attribute("href", re.compile(r"/login\?next=%2Fw%2Fmain%2F"))


def test_deleted_elsewhere(terminal: Screen, person: Person) -> None:
    person.ok("DELETE", "/api/v1/workspaces/main")
    dialog = terminal.page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("This workspace is gone")
    dialog.get_by_role("button", name="All workspaces").click()
    expect(terminal.page.get_by_role("heading", name="Workspaces", exact=True)).to_be_visible()


def test_opening_a_stopped_workspace_wakes_it(terminal: Screen, person: Person) -> None:
    person.ok("POST", "/api/v1/workspaces/main/stop")
    fresh = terminal.tab().enter()
    fresh.answers()


def test_password_change_signs_the_other_browser_out(
    terminal: Screen, new_screen: Callable[..., Screen], person: Person
) -> None:
    other = new_screen().sign_in(person.username).go("/account")
    page = other.page
    page.get_by_label("Current password").fill("correct horse battery")
    page.get_by_label("New password").fill("another horse battery")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("You are signed out everywhere else.")).to_be_visible()
    expect(terminal.page.get_by_text("You are signed out.")).to_be_visible()
    other.go("/").sign_out_and_in(person.username, "another horse battery")


def test_suspended_by_an_administrator(
    terminal: Screen, new_screen: Callable[..., Screen], person: Person
) -> None:
    boss = new_screen().sign_in("boss").go("/admin/users")
    boss.page.get_by_role("button", name=f"More for {person.username}").click()
    boss.page.get_by_role("menuitem", name="Suspend").click()
    boss.page.get_by_role("dialog").get_by_role("button", name="Suspend").click()
    expect(boss.page.get_by_text(f"{person.username} is suspended.")).to_be_visible()
    expect(terminal.page.get_by_text("You are signed out.")).to_be_visible()
