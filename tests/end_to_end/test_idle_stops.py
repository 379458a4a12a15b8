"""The collector on the real engine: what is idle stops, what works does not, homes stay."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import docker.errors
import pytest
from docker import APIClient

from orchestrator.engines.docker_spec import INSTANCE_LABEL
from tests.end_to_end.person import Person
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.slow]

IDLE_SECONDS = 4
MAX_BUSY_SECONDS = 25
SWEEP_SECONDS = 90.0


@pytest.fixture(scope="module")
def hasty(make_server: Callable[..., Server]) -> Server:
    """A server that has little patience."""
    return make_server(
        idle_seconds=IDLE_SECONDS, max_busy_seconds=MAX_BUSY_SECONDS, collector_seconds=0.5
    ).start()


class Scene:
    """Four workspaces of one person that are used in different ways, all at once."""

    def __init__(self, server: Server) -> None:
        self.person = Person(server)
        for name in ("idle", "busy", "snoozed", "typed"):
            self.person.start(name)
        self.person.ok("POST", "/api/v1/workspaces/snoozed/snooze", {"minutes": 60})
        self.idle = self.person.terminal("idle")
        assert self.idle.run("echo kept > ~/file") == 0
        self.person.terminal("busy").type("while :; do :; done\r")
        self.typed = self.person.terminal("typed")
        self.enough = threading.Event()
        self.typist = threading.Thread(target=self._type, daemon=True)
        self.typist.start()

    def _type(self) -> None:
        while not self.enough.wait(0.5):
            self.typed.type(" ")

    def end(self) -> None:
        self.enough.set()
        self.typist.join()
        self.person.leave()


@pytest.fixture(scope="module")
def scene(hasty: Server) -> Iterator[Scene]:
    made = Scene(hasty)
    yield made
    made.end()


@pytest.fixture(scope="module")
def after_idle(scene: Scene) -> dict[str, Any]:
    """All workspaces as they are when the idle one has been stopped."""
    until(lambda: scene.person.state("idle") == "stopped", "idle stops", seconds=SWEEP_SECONDS)
    rows = scene.person.ok("GET", "/api/v1/workspaces")["workspaces"]
    return {row["name"]: row for row in rows}


def test_idle_one_stops_although_its_tab_is_open(scene: Scene, after_idle: dict[str, Any]) -> None:
    scene.idle.wait_closed()
    reason = after_idle["idle"]["reason"]
    assert reason.startswith("Stopped as idle: no input for ")
    assert "cpu " in reason


def test_snooze_holds_until_it_is_ended(scene: Scene, after_idle: dict[str, Any]) -> None:
    assert after_idle["snoozed"]["state"] == "running"
    assert "snoozed" in after_idle["snoozed"]["activity"]["explanation"]
    scene.person.ok("POST", "/api/v1/workspaces/snoozed/snooze", {"minutes": 0})
    until(
        lambda: scene.person.state("snoozed") == "stopped", "it stops then", seconds=SWEEP_SECONDS
    )


def test_busy_one_runs_on_but_not_for_ever(scene: Scene, after_idle: dict[str, Any]) -> None:
    busy = after_idle["busy"]
    assert busy["state"] == "running"
    assert busy["activity"]["explanation"].startswith("working (cpu ")
    assert busy["usage"]["cpu_percent"] > 3
    until(lambda: scene.person.state("busy") == "stopped", "it stops then", seconds=SWEEP_SECONDS)
    stopped = scene.person.workspace("busy")
    assert "of work without any input" in stopped["reason"]
    # What is typed within moments of opening a terminal is not taken for a person's doing.
    begin = datetime.fromisoformat(busy["activity"]["last_input_at"] or busy["started_at"])
    end = datetime.fromisoformat(stopped["stopped_at"])
    assert (end - begin).total_seconds() >= MAX_BUSY_SECONDS


def test_typing_holds(scene: Scene, after_idle: dict[str, Any]) -> None:
    assert after_idle["typed"]["state"] == "running"
    assert scene.person.state("typed") == "running"
    scene.enough.set()
    until(lambda: scene.person.state("typed") == "stopped", "it stops then", seconds=SWEEP_SECONDS)


def test_opening_wakes_a_stopped_one_with_its_home(
    scene: Scene, after_idle: dict[str, Any], docker_client: APIClient
) -> None:
    assert docker_client.inspect_volume(scene.person.home)
    scene.person.ok("POST", "/api/v1/workspaces/idle/start")
    assert scene.person.terminal("idle").value("$(cat ~/file)") == "kept"


def test_container_removed_by_hand_is_noticed(
    server: Server, person: Person, docker_client: APIClient
) -> None:
    person.open()
    assert person.terminal().run("echo kept > ~/file") == 0
    docker_client.remove_container(person.container(), force=True)
    until(lambda: person.state() == "failed", "the state says so")
    assert person.workspace()["reason"]
    person.open()
    assert person.terminal().value("$(cat ~/file)") == "kept"


def test_container_started_by_hand_is_noticed(
    hasty: Server, people: Callable[..., Person], docker_client: APIClient
) -> None:
    person = people(hasty)
    person.open()
    person.ok("POST", "/api/v1/workspaces/main/stop")
    with pytest.raises(docker.errors.APIError, match="failed to mount"):
        docker_client.start(person.container())  # its home is locked
    person.ok("POST", "/api/v1/home/unlock", {})
    docker_client.start(person.container())
    until(lambda: person.state() == "running", "the state says so")


def test_orphan_of_ours_goes_and_a_stranger_stays(
    hasty: Server, docker_client: APIClient, image: str
) -> None:
    def make(name: str, label: str) -> str:
        made = docker_client.create_container(
            image, entrypoint=["/bin/sleep", "600"], name=name, labels={INSTANCE_LABEL: label}
        )
        docker_client.start(made["Id"])
        return str(made["Id"])

    stranger = make(f"rb-stranger-{hasty.port}", f"{hasty.instance}x")
    orphan = make(f"rb-orphan-{hasty.port}", hasty.instance)

    def gone() -> bool:
        try:
            docker_client.inspect_container(orphan)
        except docker.errors.NotFound:
            return True
        return False

    try:
        until(gone, "the orphan is removed")
        assert docker_client.inspect_container(stranger)["State"]["Running"]
    finally:
        docker_client.remove_container(stranger, force=True)
