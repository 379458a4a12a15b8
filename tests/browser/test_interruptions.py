"""What the terminal page does when the server, the container or the sign-in goes away."""

import re
from collections.abc import Callable

import pytest
from docker import APIClient
from playwright.sync_api import expect

from tests.browser.screen import CUT_OFF, REFUSED, Complaints, Screen
from tests.end_to_end.person import PASSWORD, Person, history
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture(autouse=True)
def _broken_connections(complaints: Complaints) -> None:
    complaints.expect(CUT_OFF, REFUSED)


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    """A server of this module alone: it is killed."""
    started = make_server().start()
    Person(started, "boss")
    return started


def test_killed_server_costs_no_shell_and_no_output(
    terminal: Screen, server: Server, person: Person, docker_client: APIClient
) -> None:
    page, container = terminal.page, person.container()
    terminal.type("kept=42; for i in $(seq 400); do echo out-$i-put; sleep 0.01; done")
    terminal.shows("out-20-put")
    server.kill()
    try:
        banner = page.get_by_text("Connection lost. What runs goes on running.")
        expect(banner).to_be_visible()
        terminal.photograph("terminal-reconnecting")
        until(lambda: "out-400-put" in history(docker_client, container), "it ends unseen")
    finally:
        server.start()
    terminal.shows("out-400-put")
    expect(banner).to_be_hidden()
    terminal.type("echo still-$kept-")
    terminal.shows("still-42-")
    lines = [f"out-{number}-put" for number in range(1, 401)]
    assert [line for line in history(docker_client, container) if line in set(lines)] == lines

    page.keyboard.press("Control+Shift+F")
    page.keyboard.type("out-222-put")
    page.keyboard.press("Enter")
    terminal.shows("^out-222-put")
    page.keyboard.press("Escape")
    terminal.lacks("^out-222-put")
    terminal.answers()


def test_dashboard_says_that_it_is_out_of_touch(screen: Screen, server: Server) -> None:
    said = screen.page.get_by_text("Out of touch with the server")
    server.kill()
    try:
        expect(said).to_be_visible()
    finally:
        server.start()
    expect(said).to_be_hidden()


def test_killed_container_says_so_and_starts_again(
    terminal: Screen, person: Person, docker_client: APIClient
) -> None:
    docker_client.kill(person.container())
    dialog = terminal.page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("137")
    terminal.photograph("terminal-killed")
    start = dialog.get_by_role("button", name=re.compile("Try again|Start"))
    expect(start).to_be_focused()
    start.click()
    expect(dialog).to_be_hidden()
    terminal.answers()


def test_stopped_on_the_dashboard(terminal: Screen, person: Person) -> None:
    dashboard = terminal.tab().go("/")
    dashboard.button("Stop main").click()
    dialog = terminal.page.get_by_role("alertdialog")
    expect(dialog).to_contain_text(f"Stopped by {person.username}")
    expect(dashboard.page.get_by_text("Stopped", exact=True)).to_be_visible()
    terminal.photograph("terminal-stopped")
    dialog.get_by_role("button", name="Start").click()
    expect(dialog).to_be_hidden()
    terminal.answers()
    expect(dashboard.page.get_by_text("Running", exact=True)).to_be_visible()


def test_stopped_and_restarted_from_its_own_menu(terminal: Screen) -> None:
    dialog = terminal.page.get_by_role("alertdialog")
    terminal.type("old=shell; echo old-$((6 * 7))")
    terminal.shows("old-42")
    terminal.choose("More", "Restart the workspace …")
    terminal.dialog("Restart main?").get_by_role("button", name="Restart").click()
    terminal.lacks("old-42")
    terminal.prompts()
    terminal.type("echo [$old]")
    terminal.shows(r"^\[\]$")
    terminal.choose("More", "Stop the workspace …")
    terminal.dialog("Stop main?").get_by_role("button", name="Stop").click()
    expect(dialog).to_contain_text("Your files are kept.")


def test_signed_out_in_another_tab(terminal: Screen, person: Person) -> None:
    other = terminal.tab().go("/")
    other.choose(f"Account of {person.username}", "Sign out")
    expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(terminal.page.get_by_text("You are signed out.")).to_be_visible()
    way_back = terminal.page.get_by_role("link", name="Sign in")
    expect(way_back).to_have_attribute("href", re.compile(r"/login\?next=%2Fw%2Fmain%2F"))
    until(lambda: not person.rows(), "the connection has ended on the server too")


def test_deleted_elsewhere(terminal: Screen, person: Person) -> None:
    person.ok("DELETE", "/api/v1/workspaces/main")
    dialog = terminal.page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("This workspace is gone")
    dialog.get_by_text("All workspaces").click()
    expect(terminal.page.get_by_role("heading", name="Workspaces", exact=True)).to_be_visible()


def test_opening_a_stopped_workspace_wakes_it(screen: Screen, person: Person) -> None:
    person.open()
    person.ok("POST", "/api/v1/workspaces/main/stop")
    screen.enter().answers()


def test_suspended_by_an_administrator(
    terminal: Screen, new_screen: Callable[..., Screen], person: Person
) -> None:
    boss = new_screen().sign_in("boss").go("/admin/users")
    boss.choose(f"More for {person.username}", "Suspend")
    boss.dialog(f"Suspend {person.username}?").get_by_role("button", name="Suspend").click()
    expect(boss.page.get_by_text(f"{person.username} is suspended.")).to_be_visible()
    expect(terminal.page.get_by_text("You are signed out.")).to_be_visible()
    until(lambda: not person.rows(), "the connection has ended on the server too")
    terminal.go("/login").fill_in(person.username, PASSWORD)
    expect(terminal.page.get_by_role("alert")).to_be_visible()
