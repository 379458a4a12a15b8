"""The data directory's disk is full: said clearly, nothing lost, and over when there is space."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.end_to_end.person import PASSWORD, Answer, Person
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine

DISK_BYTES = 48 << 20
RESERVE_BYTES = 16 << 20


class Disk:
    """A small disk; ``leave`` fills it up to some bytes, ``free`` empties it again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def leave(self, count: int) -> None:
        with self._ballast.open("ab") as file:
            while (surplus := self._free() - count) > 0:
                try:
                    file.write(b"\0" * min(surplus, 1 << 20))
                    file.flush()
                except OSError:
                    break

    def _free(self) -> int:
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def free(self) -> None:
        self._ballast.unlink()


@pytest.fixture(scope="module")
def disk(docker_client: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    path = tmp_path_factory.mktemp("disk")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        missing(f"needs to mount a small disk: {done.stderr}")
    yield Disk(path)
    subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture(scope="module")
def cramped(disk: Disk, make_server: Callable[..., Server]) -> Server:
    return make_server(data_dir=disk.path / "data", reserve_bytes=RESERVE_BYTES).start()


def test_below_the_reserve_nothing_starts_and_all_else_works(
    cramped: Server, disk: Disk, people: Callable[..., Person]
) -> None:
    person = people(cramped)
    person.start("before")
    assert person.terminal("before").run("echo kept > ~/file") == 0
    disk.leave(RESERVE_BYTES // 2)
    try:
        answer = person.call("POST", "/session")
        assert (answer.status, answer.slug) == (507, "no-space")
        assert "reserve" in answer.body["detail"]
        assert "Nothing was lost" in answer.body["hint"]
        main = person.workspace()
        assert main["state"] == "failed"
        assert "reserve" in main["reason"]
        # What runs goes on, and so does everything else.
        assert person.terminal("before").value("$(cat ~/file)") == "kept"
        assert people(cramped).ok("GET", "/api/v1/workspaces") == {"workspaces": []}
    finally:
        disk.free()
    person.open()
    assert person.terminal().value("$(cat ~/file)") == "kept"


def test_full_disk_fails_what_writes_and_keeps_the_rest(
    cramped: Server, disk: Disk, people: Callable[..., Person]
) -> None:
    person, unused = people(cramped), people(cramped)
    person.open()
    terminal = person.terminal()
    assert terminal.run("true") == 0
    users = cramped.rows("SELECT count(*) FROM users")
    disk.leave(0)
    try:
        refused = until(lambda: _refusal(person), "there is no space for another row")
        assert refused.status == 507, refused
        assert refused.slug == "no-space"
        # Reading needs no space: not even for who has never been seen before.
        assert unused.ok("GET", "/api/v1/me")["username"] == unused.username
        assert person.state() == "running"
        assert cramped.get("/healthz")[0] == 200
        with unused.asking("GET", "/") as page:
            assert page.status == 200
        assert terminal.value("$((6 * 7))") == "42"
    finally:
        disk.free()
    names = [row["name"] for row in person.ok("GET", "/api/v1/workspaces")["workspaces"]]
    assert refused.body.get("name") not in names
    assert "main" in names
    assert cramped.rows("SELECT count(*) FROM users") == users
    assert cramped.rows("PRAGMA integrity_check") == [("ok",)]
    person.ok("POST", "/api/v1/workspaces/main/restart")
    later = people(cramped)
    assert later.call("POST", "/api/v1/tokens",
                      {"username": later.username, "password": PASSWORD}).status == 201  # fmt: skip


def _refusal(person: Person) -> Answer | None:
    """Write until it is refused: the log of the database has some space left at first."""
    answer = person.call("PATCH", "/api/v1/workspaces/main", {"limits": {"pids": 64}})
    return answer if answer.status >= 400 else None
