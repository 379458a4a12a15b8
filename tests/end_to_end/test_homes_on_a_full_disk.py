"""Homes in vaults on a host whose disk is full: all is said, and nothing synced is lost."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from tests.conftest import missing
from tests.end_to_end.person import PASSWORD, Answer, Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(400)]

DISK_BYTES = 400 << 20
RESERVE_BYTES = 64 << 20
ALLOWANCE_BYTES = 96 << 20
SNAPSHOTS = "/api/v1/home/snapshots"
TREE = "cd ~/keep && find . -type f -exec sha256sum {} + | sort"


class Disk:
    """A small disk of a real file system, on which a sparse file meets what is left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filling = path / "filling"

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Leave nothing; what is given back meanwhile is taken too."""
        with self._filling.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def free(self) -> None:
        self._filling.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def disk(docker_client: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    root = tmp_path_factory.mktemp("host")
    image, path = root / "disk.img", root / "disk"
    path.mkdir()
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    done = subprocess.run(
        ["mount", "-o", "loop", image, path], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        missing(f"needs to mount a small disk: {done.stderr}")
    yield Disk(path)
    subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture(scope="module", params=["database-beside", "database-elsewhere"])
def cramped(
    disk: Disk, make_server: Callable[..., Server], request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Server:  # fmt: skip
    """A server on that disk; where its database is on another one, only homes feel it."""
    data = disk.path / request.param
    data.mkdir(mode=0o700)
    if request.param == "database-elsewhere":
        elsewhere = tmp_path_factory.mktemp("database") / "rootblood.db"
        (data / "rootblood.db").symlink_to(elsewhere)
    started = make_server(
        data_dir=data, storage="vault", allowance_disk_bytes=ALLOWANCE_BYTES,
        reserve_bytes=RESERVE_BYTES, collector_seconds=1,
    ).start()  # fmt: skip
    Person(started, "boss")
    return started


@pytest.fixture
def ada(cramped: Server, people: Callable[..., Person], docker_client: APIClient) -> Person:
    """Somebody with synced files, a snapshot of them, and a program that never stops writing."""
    person = people(cramped)
    person.open()
    shell(docker_client, person, "mkdir ~/keep; cd ~/keep; for i in $(seq 300); do "
          "head -c $((i * 40)) /dev/urandom > $i; done; sync")  # fmt: skip
    ended(person, person.call("POST", SNAPSHOTS, {}))
    return person


def shell(client: APIClient, person: Person, script: str) -> str:
    return execute(client, person.container(), "bash", "-c", script).strip()


def ended(person: Person, answer: Answer) -> Answer:
    """Return what came of a request, also where that took a job."""
    if answer.status != 202:
        return answer
    url = f"/api/v1/home/jobs/{answer.body['id']}"
    until(lambda: person.ok("GET", url)["state"] != "running", "the job ends", seconds=120)
    job: Any = person.ok("GET", url)
    return Answer(job["error"]["status"], job["error"]) if job["error"] else Answer(200, job)


def understood(answer: Answer) -> bool:
    """Tell whether it worked, or says what is full or, from then on, cannot be written to."""
    if answer.status < 300 or answer.slug in ("no-space", "allowance-reached", "conflict"):
        return True
    said = answer.body["detail"].lower()
    return "read-only" in said or "input/output error" in said


def test_a_full_host_is_said_at_every_step_and_what_was_synced_stays(
    disk: Disk, ada: Person, people: Callable[..., Person], docker_client: APIClient
) -> None:
    before = set(shell(docker_client, ada, TREE).splitlines())
    assert len(before) == 300
    bob = people(ada.server)
    (kept,) = ada.ok("GET", SNAPSHOTS)["snapshots"]
    restore = f"{SNAPSHOTS}/{kept['id']}/restore"
    sign_in = {"username": ada.username, "password": PASSWORD}
    shell(docker_client, ada, "(while :; do head -c 1M /dev/urandom > ~/grow.$((n++ % 40)); "
          "done) > /dev/null 2>&1 &")  # fmt: skip
    steps: list[tuple[Person, str, str, object]] = [
        (bob, "POST", "/session", None),
        (ada, "POST", SNAPSHOTS, {"note": "full"}),
        (ada, "POST", restore, {"path": "keep/7", "safety": False}),
        (ada, "POST", "/api/v1/tokens", sign_in),
        (ada, "GET", "/api/v1/home", None),
        (ada, "POST", "/api/v1/workspaces", {"name": "other"}),
        (ada, "POST", "/api/v1/workspaces/main/stop", None),
        (ada, "POST", "/api/v1/workspaces/main/start", None),
        (ada, "POST", "/api/v1/home/unlock", {}),
        (ada, "POST", restore, {"safety": False}),
        (ada, "POST", "/api/v1/home/lock", None),
    ]
    said = []
    try:
        for who, method, path, body in steps:
            disk.fill()
            answer = ended(who, who.call(method, path, body))
            said.append((method, path, answer.status, answer.body))
            import sys

            sys.stderr.write(f"SAID {said[-1]}\n")
            assert understood(answer), said
        with ada.asking("GET", "/") as page:
            assert page.status == 200
        until(lambda: disk.fill() or ada.ok("GET", "/api/v1/home")["braked"], "the brake is on")
    finally:
        disk.free()
    # ext4 forbids to write to what it could not write down: the next opening mends that.
    until(lambda: ada.call("POST", "/api/v1/workspaces/main/restart").status == 200, "it restarts")
    shell(docker_client, ada, "rm -f ~/grow.*; echo more > ~/more; sync")
    assert set(shell(docker_client, ada, TREE).splitlines()) ^ before == set()
    assert ended(ada, ada.call("POST", SNAPSHOTS, {})).status < 300
    assert ada.server.rows("PRAGMA integrity_check") == [("ok",)]
    ada.ok("POST", "/api/v1/workspaces/main/stop")
    assert ada.ok("POST", "/api/v1/home/lock")["locked"] is True
    image = ada.server.data_dir / "homes" / f"{ada.home}.img"
    checked = subprocess.run(["e2fsck", "-fn", image], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout.decode()
