"""Taking a home away: everything is in the archive or named in it, and nothing is left behind."""

import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from threading import Thread
from typing import Any

import pytest
from docker import APIClient

from tests.end_to_end import leftovers
from tests.end_to_end.person import Person, events, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine

GROWTH_BYTES = 24 << 20
SPARSE_BYTES = 2 << 30
MAKE_FILES = r"""
import os, socket
os.chdir(os.path.expanduser("~"))
os.makedirs("dir/inner", exist_ok=True)
def write(name, text="text", mode=0o644):
    with open(name, "w") as file:
        file.write(text)
    os.chmod(name, mode)
write("plain", "hello\n", 0o640)
write("program", "#!/bin/sh\n", 0o755)
write("dir/inner/deep")
os.chmod("dir", 0o750)
os.symlink("plain", "link")
os.symlink("/etc/passwd", "outside")
os.symlink("nowhere", "dangling")
write("first", "twins")
os.link("first", "second")
os.mkfifo("pipe")
write("n" * 255)
write("two\nlines")
write("grüße-日本-🦀")
write(os.fsdecode(b"latin-\xe9"))
write("closed", "secret", 0o000)
os.makedirs("sealed", exist_ok=True); write("sealed/in"); os.chmod("sealed", 0o000)
socket.socket(socket.AF_UNIX).bind("socket")
"""


@dataclass
class Taken:
    """What came out of an archive."""

    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)


def take(person: Person, look: Callable[[], object] = lambda: None) -> Taken:
    """Download and read the whole archive, calling ``look`` between its entries."""
    taken = Taken()
    with person.asking("GET", "/api/v1/home/archive?id=test") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/gzip"
        assert person.username in response.headers["Content-Disposition"]
        with tarfile.open(fileobj=response, mode="r|gz") as archive:
            for member in archive:
                name = member.name.removeprefix(f"./{person.username}").lstrip("./")
                taken.members[name] = member
                if member.isreg() and member.size < 1 << 20:
                    file = archive.extractfile(member)
                    assert file is not None
                    taken.texts[name] = file.read()
                look()
        assert not response.read(), "nothing behind the archive"
    return taken


@pytest.fixture(scope="module")
def owner(server: Server, docker_client: APIClient) -> Iterator[Person]:
    """Somebody whose home has one of everything, and a workspace that runs."""
    person = Person(server)
    person.open()
    execute(docker_client, person.container(), "python3", "-c", MAKE_FILES)
    yield person
    person.leave()


@pytest.fixture(params=["running", "stopped"])
def archive(request: pytest.FixtureRequest, owner: Person) -> Taken:
    """The same home, taken in either state."""
    if request.param == "running":
        owner.open()
    else:
        owner.ok("POST", "/api/v1/workspaces/main/stop")
    return take(owner)


def test_archive_has_everything_as_it_is(archive: Taken, owner: Person) -> None:
    found = archive.members
    assert archive.texts["plain"] == b"hello\n"
    modes = {name: found[name].mode for name in ("plain", "program", "dir", "dir/inner/deep")}
    assert modes == {"plain": 0o640, "program": 0o755, "dir": 0o750, "dir/inner/deep": 0o644}
    links = {name: found[name].linkname for name in ("link", "outside", "dangling")}
    assert links == {"link": "plain", "outside": "/etc/passwd", "dangling": "nowhere"}
    assert all(found[name].issym() for name in links)
    twins = [found[name] for name in ("first", "second")]
    assert sorted(twin.islnk() for twin in twins) == [False, True]
    assert found["pipe"].isfifo()
    odd = {"n" * 255, "two\nlines", "grüße-日本-🦀", "latin-\udce9"}
    assert odd <= found.keys()
    assert all(archive.texts[name] == b"text" for name in odd)
    assert {found[name].uname for name in modes} == {owner.username}


def test_what_cannot_be_read_is_named_inside(archive: Taken) -> None:
    said = archive.texts["UNREADABLE.txt"].decode()
    assert "closed: Cannot open: Permission denied" in said
    assert "sealed" in said
    assert "socket ignored" in said
    assert "socket" not in archive.members
    assert "closed" not in archive.members
    assert "plain" not in said


def test_no_helper_is_left_behind(archive: Taken, owner: Person, docker_client: APIClient) -> None:
    until(lambda: not helpers(owner, docker_client), "the helper is removed")
    if owner.state() == "running":
        until(lambda: not archivers(owner, docker_client), "no process is left")


@pytest.mark.slow
def test_sparse_giant_streams_in_flat_memory(server: Server, owner: Person) -> None:
    owner.open()
    assert owner.terminal().run(f"truncate -s {SPARSE_BYTES} ~/giant") == 0
    before = server.resident_bytes()
    highest = [before]
    read = 0
    with owner.asking("GET", "/api/v1/home/archive") as response:
        # tar of the system reads faster than Python's; its listing is enough here.
        with subprocess.Popen(
            ["tar", "--list", "--verbose", "--gzip"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as tar:
            assert tar.stdin is not None
            assert tar.stdout is not None
            while chunk := response.read(1 << 16):
                tar.stdin.write(chunk)
                read += len(chunk)
                highest.append(server.resident_bytes())
            tar.stdin.close()
            listing = tar.stdout.read().decode()
        assert tar.returncode == 0
    assert read > 1 << 20
    assert f" {SPARSE_BYTES} " in listing
    assert max(highest) - before < GROWTH_BYTES
    assert owner.terminal().run("rm ~/giant") == 0


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_download_given_up_midway_leaves_nothing(
    state: str, owner: Person, docker_client: APIClient
) -> None:
    owner.open()
    assert owner.terminal().run("head -c 200M /dev/urandom > ~/noise") == 0
    try:
        if state == "stopped":
            owner.ok("POST", "/api/v1/workspaces/main/stop")
        with owner.asking("GET", "/api/v1/home/archive") as response:
            assert len(response.read(1 << 20)) == 1 << 20
            assert archivers(owner, docker_client) or helpers(owner, docker_client)
        if state == "running":
            until(lambda: not archivers(owner, docker_client), "no process is left")
        until(lambda: not helpers(owner, docker_client), "no helper is left")
    finally:
        owner.open()
        assert owner.terminal().run("rm ~/noise") == 0
        owner.leave()


def test_stop_during_a_download_breaks_it_off(owner: Person) -> None:
    """An archive that lacks its end must not look whole."""
    owner.open()
    assert owner.terminal().run("head -c 200M /dev/urandom > ~/noise") == 0
    try:
        with owner.asking("GET", "/api/v1/home/archive") as response:
            response.read(1 << 20)
            owner.ok("POST", "/api/v1/workspaces/main/stop")
            with pytest.raises((HTTPException, OSError)):
                read_to_the_end(response)
    finally:
        owner.open()
        assert owner.terminal().run("rm ~/noise") == 0
        owner.leave()


def test_progress_is_told(owner: Person) -> None:
    """The page shows these events while it downloads."""
    told: list[dict[str, Any]] = []

    def follow() -> None:
        for name, data in events(owner):
            if name == "archive" and data["id"] == "told":
                told.append(data)
                if data["state"] != "running":
                    return

    follower = Thread(target=follow, daemon=True)
    follower.start()
    with owner.asking("GET", "/api/v1/home/archive?id=told") as response:
        size = len(response.read())
    follower.join(30)
    assert told[-1]["state"] == "done"
    assert told[-1]["sent_bytes"] == size


def read_to_the_end(response: HTTPResponse) -> None:
    while response.read(1 << 20):
        pass


def helpers(person: Person, client: APIClient) -> list[str]:
    """Return the containers that were made for archives."""
    mine = leftovers.containers(client, person.server.instance.__eq__)
    return [c["Names"][0] for c in mine if c["Names"][0].startswith("/rbx-")]


def archivers(person: Person, client: APIClient) -> list[str]:
    """Return the processes in the workspace that make an archive."""
    if person.state() != "running":
        return []
    processes = client.top(person.container())["Processes"]
    return [line[-1] for line in processes if "tar --create" in line[-1] or "pigz" in line[-1]]
