"""Restoring while the server is killed, and where there is no space left."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from docker import APIClient

from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.slow]
SNAPSHOTS = "/api/v1/home/snapshots"
KILLS = 5
TREE = "cd ~ && find keep -type f -exec sha256sum {} + | sort | sha256sum"


@pytest.fixture(scope="module", params=["vault", "plain"])
def server(request: pytest.FixtureRequest, make_server: Callable[..., Server]) -> Server:
    # Only images hold what people fill them with.
    allowance = {"allowance_disk_bytes": 256 << 20} if request.param == "vault" else {}
    settings = allowance | {"storage": request.param, "reserve_bytes": 0}
    started = make_server(**settings).start()
    Person(started, "boss")
    return started


@pytest.fixture
def sh(docker_client: APIClient, person: Person) -> Callable[..., str]:
    """Return ``sh(script)``: run it in the workspace, as its user."""

    def run(script: str) -> str:
        person.open()
        until(lambda: person.state() == "running", "it runs")
        return execute(docker_client, person.container(), "bash", "-c", script)

    return run


def ended(person: Person, id: str) -> Any:
    job = person.ok("GET", f"/api/v1/home/jobs/{id}")
    return None if job["state"] == "running" else job


def take(person: Person) -> Any:
    answer = person.call("POST", SNAPSHOTS, {})
    if answer.status == 202:
        until(lambda: ended(person, answer.body["id"]), "the snapshot is taken", seconds=120)
    return person.ok("GET", SNAPSHOTS)["snapshots"][0]


@pytest.mark.timeout(500)
def test_a_server_killed_while_it_restores_leaves_the_old_home_or_the_new(
    server: Server, person: Person, sh: Callable[..., str]
) -> None:
    old = sh("mkdir ~/keep && for i in $(seq 300); do echo $i > ~/keep/$i; done; "
             f"head -c 8M /dev/urandom > ~/keep/big; sync; {TREE}")  # fmt: skip
    kept = take(person)
    change = f"for i in $(seq 200 400); do echo new > ~/keep/$i; done; rm ~/keep/big; sync; {TREE}"
    new = sh(change)
    chance = random.Random(20261122)
    seen = []
    for round_ in range(KILLS):
        person.ok("POST", "/api/v1/workspaces/main/stop")

        def begin() -> None:
            with suppress(OSError, AssertionError, ValueError):  # it is killed meanwhile
                body = {"safety": False}
                person.call("POST", f"{SNAPSHOTS}/{kept['id']}/restore", body)

        asking = threading.Thread(target=begin)
        asking.start()
        # A random moment of the two or three seconds that it takes, not a condition.
        threading.Event().wait(chance.uniform(0.1, 0.6) * (round_ + 1))
        server.kill()
        asking.join()
        server.start()
        seen.append(sh(TREE))
        if seen[-1] == old:
            assert sh(change) == new
    assert set(seen) <= {old, new}
    person.ok("POST", "/api/v1/workspaces/main/stop")
    answer = person.call("POST", f"{SNAPSHOTS}/{kept['id']}/restore", {"safety": False})
    assert answer.status < 300, answer
    if answer.status == 202:
        job = until(lambda: ended(person, answer.body["id"]), "it is restored", seconds=120)
        assert job["state"] == "done", job
    assert sh(TREE) == old


def test_a_full_home_takes_files_back(
    server: Server, person: Person, sh: Callable[..., str], request: pytest.FixtureRequest
) -> None:
    if "plain" in request.node.name:
        assert person.ok("GET", "/api/v1/home")["storage"] == "plain"
        return  # a volume is never full
    sh("head -c 30M /dev/urandom > ~/big; echo small > ~/small; chmod 640 ~/big; cp ~/big ~/good")
    kept = take(person)
    sh("head -c 30M /dev/urandom > ~/big; rm ~/good; echo changed > ~/small")
    sh("dd if=/dev/zero of=~/rest bs=1M; dd if=/dev/zero of=~/rest2 bs=1k; sync; true")
    assert "No space" in sh("head -c 1M /dev/zero 2>&1 > ~/more; cp ~/small ~/more2 2>&1; true")
    before = sh("sha256sum < ~/big")
    for path in ("big", "small"):
        body = {"path": path, "safety": False}
        person.ok("POST", f"{SNAPSHOTS}/{kept['id']}/restore", body)
    assert sh("cat ~/small; stat -c %a ~/big") == "small\n640\n"
    assert sh("sha256sum < ~/big") != before
    answer = person.call("POST", f"{SNAPSHOTS}/{kept['id']}/restore", {"path": "big"})
    assert answer.slug == "allowance-reached", answer
    assert '"safety": false' in answer.body["detail"] + answer.body.get("hint", "")
    assert person.call("DELETE", f"{SNAPSHOTS}/{kept['id']}").status in (202, 204)


def test_a_file_that_claims_to_be_huge_costs_nothing(
    person: Person, sh: Callable[..., str]
) -> None:
    sh("truncate -s 8T ~/bomb; echo x > ~/x; mkdir ~/shut; echo y > ~/shut/y; chmod 000 ~/shut")
    answer = person.call("POST", SNAPSHOTS, {})
    assert answer.status in (201, 202), answer
    (job,) = until(
        lambda: [j for j in person.ok("GET", "/api/v1/home")["jobs"] if j["state"] == "done"],
        "the snapshot is taken",
    )
    assert "1 larger than your allowance were left out" in job["text"]
    assert "some could not be read" in job["text"]
    (kept, *_) = person.ok("GET", SNAPSHOTS)["snapshots"]
    found = person.ok("GET", f"{SNAPSHOTS}/{kept['id']}/files")["files"]
    assert {"x"} <= {file["name"] for file in found}
    assert "bomb" not in {file["name"] for file in found}
    assert kept["total_bytes"] < 64 << 20
