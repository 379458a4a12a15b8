"""``kill -9`` of the server: shells, their output and the rows survive it."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from docker import APIClient

from tests.end_to_end.person import Person, history
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine

TABS = [f"tab-{number}" for number in range(5)]
SESSIONS = "SELECT id FROM active_sessions"


@pytest.fixture
def four(server: Server, people: Callable[..., Person]) -> list[tuple[Person, str]]:
    """Four running workspaces of two people."""
    found = [(people(server), name) for name in ("one", "two")]
    found += [(person, "three") for person, _ in found]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda place: place[0].start(place[1]), found))
    return found


@pytest.mark.slow
def test_twenty_terminals_come_back_to_the_same_shells(
    server: Server, four: list[tuple[Person, str]]
) -> None:
    places = [(person, name, tab) for person, name in four for tab in TABS]
    secret = {place: secrets.token_hex(4) for place in places}
    with ThreadPoolExecutor(len(places)) as pool:
        opened = dict(zip(places, pool.map(lambda p: p[0].terminal(*p[1:]), places), strict=True))
        list(pool.map(lambda p: opened[p].run(f"kept={secret[p]}"), places))
        until(lambda: len(server.rows(SESSIONS)) == 20, "every terminal has its row")
        before = {row for (row,) in server.rows(SESSIONS)}

        server.kill()
        for terminal in opened.values():
            terminal.wait_closed()
        server.start()

        until(lambda: not server.rows(SESSIONS), "the rows of the dead server are gone")
        opened = dict(zip(places, pool.map(lambda p: p[0].terminal(*p[1:]), places), strict=True))
        kept = dict(zip(places, pool.map(lambda p: opened[p].value("$kept"), places), strict=True))
    assert kept == secret
    after = {row for (row,) in server.rows(SESSIONS)}
    assert len(after) == 20
    assert not after & before
    for person, name in four:
        workspace = person.workspace(name)
        assert workspace["state"] == "running"
        assert workspace["activity"]["open_sessions"] == len(TABS)


def test_output_of_the_time_without_a_server_is_all_there(
    server: Server, person: Person, docker_client: APIClient
) -> None:
    person.open()
    terminal = person.terminal()
    terminal.type("for i in $(seq 3000); do echo line-$i-end; ((i % 20)) || sleep 0.02; done\r")
    terminal.wait_for("line-100-end")
    server.kill()
    lines = [f"line-{number}-end" for number in range(1, 3001)]
    container = person.container()
    until(lambda: lines[-1] in history(docker_client, container), "the loop ends unseen")
    server.start()

    again = person.terminal()
    again.wait_for("line-3000-end")
    assert [line for line in history(docker_client, container) if line in set(lines)] == lines
    # What the page's search does: container_image/files/tmux.conf.
    again.type("\x1b[9001~")
    again.wait_for(r"\(search\)")
    again.type("line-777-end\r")
    again.wait_for("line-777-end")


def test_stopping_with_a_terminal_open_is_quick_and_clean(server: Server, person: Person) -> None:
    person.open()
    terminal = person.terminal()
    assert terminal.run("true") == 0
    try:
        assert server.stop() == 0
        terminal.wait_closed()
    finally:
        server.start()
    assert server.rows(SESSIONS) == []
    assert person.state() == "running"
