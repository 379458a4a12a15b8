"""Everything that ends a right ends the terminals that were opened by it, at once."""

from collections.abc import Callable

import pytest
from docker import APIClient

from tests.end_to_end.person import Person, Visit, execute
from tests.end_to_end.server import Server
from tests.end_to_end.terminal import Terminal
from tests.end_to_end.waiting import AT_ONCE_SECONDS, until

pytestmark = pytest.mark.engine


def assert_hung_up(person: Person, terminal: Terminal) -> None:
    """The terminal ends, and so does all that the server held for it."""
    until(terminal.closed.is_set, "the terminal is closed", seconds=AT_ONCE_SECONDS)
    until(lambda: not person.server.holds(terminal.local_port), "the server lets go")
    until(lambda: not person.rows(), "no row is left")


@pytest.fixture
def visit(person: Person) -> Visit:
    """The person's browser, with ``main`` running."""
    person.open()
    return person.visit()


def opened(visit: Visit) -> Terminal:
    """A terminal of that browser which works."""
    terminal = visit.terminal()
    assert terminal.run("true") == 0
    return terminal


def log_out(visit: Visit, person: Person, boss: Visit) -> None:
    visit.submit("/logout")


def change_password(visit: Visit, person: Person, boss: Visit) -> None:
    person.visit().submit(
        "/account/password", current="correct horse battery", new="another horse battery"
    )


def suspend(visit: Visit, person: Person, boss: Visit) -> None:
    boss.submit(f"/admin/users/{person.username}/suspend")


def end_other_logins(visit: Visit, person: Person, boss: Visit) -> None:
    person.visit().submit("/account/logins/delete")


def stop(visit: Visit, person: Person, boss: Visit) -> None:
    person.ok("POST", "/api/v1/workspaces/main/stop")


def delete(visit: Visit, person: Person, boss: Visit) -> None:
    person.ok("DELETE", "/api/v1/workspaces/main")


@pytest.mark.parametrize("end", [log_out, change_password, suspend, end_other_logins, stop, delete])
def test_terminal_closes_at_once_on(
    end: Callable[[Visit, Person, Visit], None], server: Server, visit: Visit, person: Person
) -> None:
    terminal = opened(visit)
    assert server.holds(terminal.local_port)
    end(visit, person, Visit(server, "boss"))
    assert_hung_up(person, terminal)


def test_revoked_token_closes_its_terminals_alone(
    server: Server, person: Person, visit: Visit, docker_client: APIClient
) -> None:
    by_cookie, by_token = opened(visit), person.terminal()
    assert by_token.run("true") == 0
    (token,) = person.ok("GET", "/api/v1/tokens")["tokens"]
    person.ok("DELETE", f"/api/v1/tokens/{token['id']}")
    until(by_token.closed.is_set, "the token's terminal is closed", seconds=AT_ONCE_SECONDS)
    assert by_cookie.run("true") == 0

    def clients() -> list[str]:
        return execute(docker_client, person.container(), "tmux", "list-clients").splitlines()

    until(lambda: len(clients()) == 1, "the workspace's side of it is gone too")
    visit.leave()
    until(lambda: not clients(), "closing the tab ends the last one")


def test_terminal_opened_right_after_a_hang_up_stays(person: Person, visit: Visit) -> None:
    """What is left to do for the old one must not meet the new one."""
    old, other = opened(visit), person.visit()
    other.submit("/account/logins/delete")
    new, third = person.terminal(), person.terminal(session="third")
    assert third.run("true") == 0
    old.wait_closed(AT_ONCE_SECONDS)
    third.close()
    until(lambda: len(person.rows()) == 1, "the server has tidied up")
    assert new.run("true") == 0


def test_suspended_account_is_shut_out_until_it_is_resumed(
    server: Server, person: Person, visit: Visit
) -> None:
    assert opened(visit).run("echo kept > ~/file") == 0
    boss = Visit(server, "boss")
    boss.submit(f"/admin/users/{person.username}/suspend")
    assert person.call("GET", "/api/v1/me").status == 401
    assert person.call("POST", "/session").status == 401
    boss.submit(f"/admin/users/{person.username}/resume")
    assert person.state() == "stopped"
    person.open()
    assert person.terminal().value("$(cat ~/file)") == "kept"
