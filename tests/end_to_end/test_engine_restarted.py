"""The container engine goes away and comes back: what is unknown is not called stopped."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker import APIClient

from tests.conftest import missing
from tests.end_to_end.leftovers import RUN_ROOT
from tests.end_to_end.person import Person
from tests.end_to_end.second_engine import SecondEngine
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def instance(instances: str) -> str:
    """The name of the installation on the second engine."""
    return f"{instances}-2nd"


@pytest.fixture(scope="module")
def second(
    docker_client: APIClient,
    image: str,
    instance: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SecondEngine]:
    for tool in ("dockerd", "unshare", "nsenter", "setpriv"):
        if shutil.which(tool) is None:
            missing(f"needs {tool}")
    # Run directories that the server mounts have to show in the engine's namespace too.
    run_root = RUN_ROOT / instance
    run_root.mkdir(mode=0o711, parents=True, exist_ok=True)
    for options in (["--bind", run_root, run_root], ["--make-shared", run_root]):
        subprocess.run(["mount", *options], check=True)
    engine = SecondEngine(tmp_path_factory.mktemp("engine"))
    try:
        engine.start()
        engine.load(image, docker_client)
        yield engine
    finally:
        engine.close()
        subprocess.run(["umount", "--recursive", run_root], check=True)
        shutil.rmtree(run_root, ignore_errors=True)


@pytest.fixture(scope="module")
def served(second: SecondEngine, instance: str, make_server: Callable[..., Server]) -> Server:
    return make_server(
        instance=instance,
        engine_url=second.url,
        egress="off",  # the rules would be installed here, where that engine has no bridge
        collector_seconds=1,
    ).start()


def test_engine_killed_and_started_again(
    served: Server, second: SecondEngine, people: Callable[..., Person]
) -> None:
    person = people(served)
    person.open()
    terminal = person.terminal()
    assert terminal.run("echo kept > ~/file") == 0
    assert served.get("/readyz")[0] == 200

    second.kill()
    answer = until(
        lambda: (found := person.call("POST", "/session")).status != 200 and found,
        "the server notices",
    )
    assert (answer.status, answer.slug) == (503, "engine-unreachable")
    assert "files are safe" in answer.body["hint"]
    assert served.get("/readyz")[0] == 503
    assert served.get("/healthz")[0] == 200
    assert person.workspace()["state"] == "running"
    for path in ("/", "/w/main/", "/account", "/templates"):
        with person.visit().asking("GET", path) as page:
            page.read()
            assert page.status in (200, 503), path
    # The shell itself does not need the engine.
    assert terminal.value("$(cat ~/file)") == "kept"
    failed = person.call("POST", "/api/v1/workspaces/main/stop")
    assert (failed.status, failed.slug) == (503, "engine-unreachable")

    second.start()  # without live-restore it ends the containers it finds
    until(lambda: person.call("POST", "/session").status == 200, "it opens again", seconds=60)
    assert person.state() == "running"
    assert person.terminal().value("$(cat ~/file)") == "kept"


def test_workspace_that_ended_with_the_engine_says_so(
    served: Server, second: SecondEngine, people: Callable[..., Person]
) -> None:
    person = people(served)
    person.open()
    terminal = person.terminal()
    assert terminal.run("echo kept > ~/file") == 0
    second.kill()
    until(lambda: served.get("/readyz")[0] == 503, "the server notices")
    assert person.state() == "running"

    second.start()
    terminal.wait_closed()
    until(lambda: person.state() in ("failed", "stopped"), "the state says so")
    assert person.workspace()["reason"]
    person.ok("POST", "/api/v1/workspaces/main/start")
    assert person.terminal().value("$(cat ~/file)") == "kept"


def test_server_starts_before_its_engine(
    served: Server, second: SecondEngine, people: Callable[..., Person]
) -> None:
    served.stop()
    second.kill()
    served.start()
    person = people(served)
    assert person.call("POST", "/session").slug == "engine-unreachable"
    assert person.state() in ("failed", "stopped")
    second.start()
    person.open()


def test_wrong_address_of_the_engine_is_waited_for(
    make_server: Callable[..., Server], people: Callable[..., Person], tmp_path: Path
) -> None:
    lost = make_server(engine_url=f"unix://{tmp_path}/nothing.sock", egress="off").start()
    answer = people(lost).call("POST", "/session")
    assert (answer.status, answer.slug) == (503, "engine-unreachable")
