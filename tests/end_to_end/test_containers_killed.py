"""Workspaces that end without us, and many who want the same one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from docker import APIClient

from tests.end_to_end import leftovers
from tests.end_to_end.person import Person, creations
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import AT_ONCE_SECONDS, until

pytestmark = pytest.mark.engine


def test_container_killed_under_an_open_terminal(person: Person, docker_client: APIClient) -> None:
    person.open()
    terminal = person.terminal()
    assert terminal.run("echo kept > ~/file") == 0
    docker_client.kill(person.container())
    terminal.wait_closed(AT_ONCE_SECONDS)
    until(lambda: person.state() == "failed", "the state says so", seconds=AT_ONCE_SECONDS)
    workspace = person.workspace()
    assert "137" in workspace["reason"]
    assert workspace["activity"]["open_sessions"] == 0

    assert person.ok("POST", "/api/v1/workspaces/main/start")["state"] == "running"
    assert person.terminal().value("$(cat ~/file)") == "kept"


def test_terminal_server_killed_inside_says_why(person: Person) -> None:
    person.open()
    terminal = person.terminal()
    terminal.type("pkill -KILL ttyd\r")
    terminal.wait_closed()
    until(lambda: person.state() == "failed", "the state says so")
    workspace = person.workspace()
    assert workspace["reason"]
    assert "ttyd" in workspace["log"]
    person.open()


def test_hungry_program_ends_and_its_shell_does_not(person: Person) -> None:
    person.ok(
        "POST", "/api/v1/workspaces", {"name": "small", "limits": {"memory_bytes": 128 << 20}}
    )
    person.ok("POST", "/api/v1/workspaces/small/start")
    terminal = person.terminal("small")
    hungry = "python3 -c 'x = bytearray(1 << 30)'"
    assert terminal.run(hungry) != 0
    assert terminal.run("true") == 0
    assert person.state("small") == "running"


def test_fifty_openings_at_once_make_one_container(
    person: Person, docker_client: APIClient
) -> None:
    with creations(docker_client, person.container()) as count, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: person.call("POST", "/session"), range(50)))
    assert [(answer.status, answer.body["state"]) for answer in answers] == [(200, "running")] * 50
    mine = leftovers.containers(docker_client, person.server.instance.__eq__)
    assert [c["Names"] for c in mine if person.userhash in c["Names"][0]] == [
        [f"/{person.container()}"]
    ]
    assert count() == 1


@pytest.mark.slow
def test_twenty_people_open_at_once(server: Server, people: Callable[..., Person]) -> None:
    with ThreadPoolExecutor(20) as pool:
        crowd = list(pool.map(lambda _: people(server), range(20)))
        answers = list(pool.map(lambda one: one.call("POST", "/session"), crowd))
        assert [answer.status for answer in answers] == [200] * 20
        seen = list(pool.map(lambda one: one.terminal().value("$USER"), crowd))
    assert seen == [one.username for one in crowd]
