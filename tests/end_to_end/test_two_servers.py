"""Two servers on one database and one engine do not fight."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from docker import APIClient

from tests.end_to_end import leftovers
from tests.end_to_end.person import Caller, Person, Visit, creations, events
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def other(server: Server, make_server: Callable[..., Server]) -> Iterator[Server]:
    """A second server, as after a careless start or in the middle of a rolling upgrade."""
    started = make_server(data_dir=server.data_dir, instance=server.instance).start()
    yield started
    started.close()


@pytest.mark.usefixtures("other")
def test_openings_through_both_make_one_container(
    person: Person, other: Server, docker_client: APIClient
) -> None:
    callers: list[Caller] = [person, person.at(other)] * 10
    with creations(docker_client, person.container()) as count, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda caller: caller.call("POST", "/session"), callers))
    assert [(answer.status, answer.body["state"]) for answer in answers] == [(200, "running")] * 20
    assert count() == 1


def test_logout_at_one_closes_the_terminal_at_the_other(person: Person, other: Server) -> None:
    person.open()
    visit = person.visit()
    there = Visit.of(visit, other)
    with there.leaving():
        terminal = there.terminal()
        assert terminal.run("true") == 0
        visit.submit("/logout")
        terminal.wait_closed()
        until(lambda: not other.holds(terminal.local_port), "the other server lets go")
        until(lambda: not person.rows(), "no row is left")


def test_stop_and_start_at_one_are_seen_at_the_other(person: Person, other: Server) -> None:
    person.open()
    there = person.at(other)
    seen: list[str] = []

    def follow() -> None:
        for name, data in events(there):
            if name == "state":
                seen.append(_main(data)["state"])
                if seen[-1] == "stopped":
                    return

    with there.leaving():
        terminal = there.terminal()
        assert terminal.run("true") == 0
        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        until(lambda: "running" in seen, "the stream begins")
        person.ok("POST", "/api/v1/workspaces/main/stop")
        terminal.wait_closed()
        follower.join(30)
        assert seen[-1] == "stopped"
        assert there.ok("GET", "/api/v1/workspaces/main")["reason"].startswith("Stopped by")


def test_stop_at_one_and_start_at_the_other_at_once_agree(person: Person, other: Server) -> None:
    """Whoever comes last, what is said of the workspace is what is so on the engine."""
    person.open()
    steps = [(person, "stop"), (person.at(other), "start")] * 3
    with ThreadPoolExecutor(len(steps)) as pool:
        answers = list(
            pool.map(lambda s: s[0].call("POST", f"/api/v1/workspaces/main/{s[1]}"), steps)
        )
    assert {answer.status for answer in answers} <= {200, 409}
    assert any(answer.status == 200 for answer in answers)
    state = person.state()
    assert state in ("running", "stopped")
    person.open()
    assert person.at(other).ok("GET", "/api/v1/workspaces/main")["state"] == "running"


def test_one_dies_and_the_other_serves_on(
    person: Person, server: Server, make_server: Callable[..., Server], docker_client: APIClient
) -> None:
    third = make_server(data_dir=server.data_dir, instance=server.instance).start()
    person.open()
    here, there = person.terminal(), person.at(third)
    with there.leaving():
        assert here.run("kept=yes") == 0
        terminal = there.terminal()
        assert terminal.value("$kept") == "yes"
        third.kill()
        terminal.wait_closed()
        assert here.value("$kept") == "yes"
    assert len(leftovers.containers(docker_client, server.instance.__eq__)) >= 1
    assert person.state() == "running"


def _main(data: Any) -> Any:
    return next(row for row in data["workspaces"] if row["name"] == "main")
