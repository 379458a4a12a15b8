"""Homes on the real engine: encrypted, capped, shared by their owner's workspaces, never lost."""

import random
import secrets
import sqlite3
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPException
from io import BytesIO
from pathlib import Path

import pytest
from docker import APIClient

from tests.end_to_end.person import PASSWORD, Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine

ALLOWANCE_BYTES = 128 << 20
KILLS = 12


@pytest.fixture(scope="module")
def vaults(make_server: Callable[..., Server]) -> Server:
    """A server that keeps small vaults, with an administrator."""
    started = make_server(
        storage="vault", allowance_disk_bytes=ALLOWANCE_BYTES, reserve_bytes=1 << 20,
        collector_seconds=0.5,
    ).start()  # fmt: skip
    Person(started, "boss")
    return started


@pytest.fixture
def ada(vaults: Server, people: Callable[..., Person]) -> Person:
    return people(vaults)


def shell(client: APIClient, person: Person, script: str, name: str = "main") -> str:
    return execute(client, person.container(name), "sh", "-c", script).strip()


def image_of(person: Person) -> Path:
    return person.server.data_dir / "homes" / f"{person.home}.img"


def mount_of(person: Person) -> Path:
    return Path("/run/rootblood") / f"{person.server.instance}.homes" / person.home


def raw(person: Person) -> bytes:
    subprocess.run(["sync", "-f", image_of(person)], check=True)
    return image_of(person).read_bytes()


def readable(person: Person, canary: bytes) -> bool:
    """Tell whether root finds the canary in the names or files below the home's mount."""
    root = mount_of(person)
    found = [*root.rglob("*")] if root.exists() else []
    named = any(canary in bytes(path) for path in found)
    return named or any(
        canary in path.read_bytes() for path in found
        if path.is_file() and path.is_relative_to(root / "home")
    )  # fmt: skip


def test_only_an_open_home_can_be_read_and_its_image_never(
    ada: Person, docker_client: APIClient
) -> None:
    canary = secrets.token_hex(16)
    assert not image_of(ada).exists()
    ada.open()
    shell(docker_client, ada, f"echo {canary} > ~/{canary}; ln -s {canary} ~/link; sync")
    assert readable(ada, canary.encode())
    assert canary.encode() not in raw(ada), "what reaches the disk is ciphertext even now"
    ada.ok("POST", "/api/v1/workspaces/main/stop")
    assert ada.ok("GET", "/api/v1/home")["locked"] is True
    assert not readable(ada, canary.encode())
    assert canary.encode() not in raw(ada)
    loops = subprocess.run(["losetup", "-j", image_of(ada)], capture_output=True, check=True)
    assert loops.stdout == b""
    ada.open()
    assert shell(docker_client, ada, f"cat ~/{canary} ~/link") == f"{canary}\n{canary}"


def test_two_workspaces_share_one_home(ada: Person, docker_client: APIClient) -> None:
    ada.start("one")
    ada.start("two")
    shell(docker_client, ada, "echo from one > ~/shared", "one")
    assert shell(docker_client, ada, "cat ~/shared && echo from two >> ~/shared", "two")
    ada.ok("POST", "/api/v1/workspaces/one/stop")
    assert shell(docker_client, ada, "cat ~/shared", "two") == "from one\nfrom two"
    assert ada.ok("GET", "/api/v1/home")["locked"] is False
    ada.ok("POST", "/api/v1/workspaces/two/stop")
    assert ada.ok("GET", "/api/v1/home")["locked"] is True


def test_a_full_home_is_its_owners_business_alone(
    vaults: Server, ada: Person, people: Callable[..., Person], docker_client: APIClient
) -> None:
    bob = people(vaults)
    ada.open()
    bob.open()
    shell(docker_client, ada, "echo precious > ~/kept; mkdir ~/d")
    said = shell(docker_client, ada, "head -c 1G /dev/zero > ~/d/zeros; echo $?")
    assert "No space left on device" in said
    home = ada.ok("GET", "/api/v1/home")
    assert home["level"] == "full"
    assert home["used_bytes"] >= 0.99 * ALLOWANCE_BYTES
    assert image_of(ada).stat().st_blocks * 512 <= 1.05 * ALLOWANCE_BYTES
    assert shell(docker_client, bob, "head -c 64M /dev/zero > ~/mine && stat -c %s ~/mine") == str(
        64 << 20
    )
    # Whoever is full still gets in, takes the files away, and makes room.
    ada.visit()
    ada.ok("POST", "/api/v1/workspaces/main/restart")
    assert ada.terminal().run("cat ~/kept") == 0
    with ada.asking("GET", "/api/v1/home/archive") as response:
        packed = BytesIO(response.read())
    with tarfile.open(fileobj=packed) as archive:
        kept = archive.extractfile(f"./{ada.username}/kept")
        assert kept is not None
        assert kept.read() == b"precious\n"
    shell(docker_client, ada, "rm -r ~/d")
    assert shell(docker_client, ada, "echo more > ~/more && cat ~/more") == "more"
    assert ada.ok("GET", "/api/v1/home")["level"] == "ok"
    until(lambda: image_of(ada).stat().st_blocks * 512 < ALLOWANCE_BYTES // 2, "space comes back")


def test_a_locked_home_is_told_apart_and_opened_by_password(
    vaults: Server, ada: Person, docker_client: APIClient
) -> None:
    ada.open()
    shell(docker_client, ada, "echo kept > ~/file")
    ada.ok("POST", "/api/v1/workspaces/main/stop")
    _forget_copies(vaults, ada)  # as of a sign-in from before homes had keys
    refused = ada.call("POST", "/session")
    assert (refused.status, refused.slug) == (409, "home-locked")
    assert "unlock" in refused.body["hint"]
    assert ada.state() == "stopped"
    assert ada.ok("GET", "/api/v1/home")["key_at_hand"] is False
    wrong = ada.call("POST", "/api/v1/home/unlock", {"password": "not the password"})
    assert (wrong.status, wrong.slug) == (422, "bad-input")
    opened = ada.ok("POST", "/api/v1/home/unlock", {"password": PASSWORD})
    assert (opened["locked"], opened["key_at_hand"]) == (False, True)
    ada.open()
    assert shell(docker_client, ada, "cat ~/file") == "kept"
    assert ada.call("POST", "/api/v1/home/lock").status == 409
    ada.ok("POST", "/api/v1/workspaces/main/stop")
    assert ada.ok("POST", "/api/v1/home/lock")["locked"] is True


def _forget_copies(server: Server, person: Person) -> None:
    with closing(sqlite3.connect(server.data_dir / "rootblood.db", timeout=10)) as database:
        database.execute(
            "DELETE FROM key_slots WHERE kind IN ('login', 'token') AND user_id = "
            "(SELECT id FROM users WHERE username = ?)", (person.username,),
        )  # fmt: skip
        database.commit()


def test_an_open_home_survives_a_killed_server_and_is_locked_by_the_next(
    vaults: Server, ada: Person, docker_client: APIClient
) -> None:
    ada.open()
    shell(docker_client, ada, "echo kept > ~/file")
    vaults.kill()
    assert shell(docker_client, ada, "echo unseen >> ~/file; cat ~/file") == "kept\nunseen"
    vaults.start()
    assert ada.ok("GET", "/api/v1/home")["locked"] is False
    vaults.kill()
    docker_client.kill(ada.container())
    vaults.start()
    until(lambda: ada.ok("GET", "/api/v1/home")["locked"], "nothing uses it, so it is locked")
    ada.open()
    assert shell(docker_client, ada, "cat ~/file") == "kept\nunseen"


def test_the_key_waits_for_a_restarted_server_and_goes_with_the_lock(
    vaults: Server, ada: Person
) -> None:
    ada.open()
    vaults.kill()
    vaults.start()
    _forget_copies(vaults, ada)
    assert ada.ok("POST", "/api/v1/home/snapshots", {})["files"] >= 1
    ada.ok("POST", "/api/v1/workspaces/main/stop")
    assert ada.ok("POST", "/api/v1/home/lock")["locked"] is True
    assert ada.call("POST", "/api/v1/home/snapshots", {}).slug == "home-locked"


@pytest.fixture
def busy(ada: Person) -> Iterator[Callable[[], None]]:
    """Somebody who starts, stops, takes snapshots and restores, until told to leave it."""
    ended = threading.Event()
    steps: list[tuple[str, str, object]] = [
        ("POST", "/session", None),
        ("POST", "/api/v1/home/snapshots", {}),
        ("PATCH", "/api/v1/workspaces/main", {"limits": {"pids": 64}}),
        ("POST", "/api/v1/workspaces/main/stop", None),
        ("POST", "/api/v1/home/snapshots/LATEST/restore", {"safety": False}),
    ]

    def latest() -> str:
        known = ada.ok("GET", "/api/v1/home/snapshots")["snapshots"]
        return str(known[0]["id"]) if known else "1"

    def work() -> None:
        while not ended.is_set():
            for method, path, body in steps:
                with suppress(OSError, HTTPException, AssertionError, ValueError):
                    ada.call(method, path.replace("LATEST", latest()), body)

    def leave() -> None:
        ended.set()
        thread.join(90)
        assert not thread.is_alive()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield leave
    leave()


def _at_work(person: Person) -> bool:
    return any(job["state"] == "running" for job in person.ok("GET", "/api/v1/home")["jobs"])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_killing_the_server_at_any_moment_loses_no_home(
    vaults: Server, ada: Person, docker_client: APIClient, busy: Callable[[], None]
) -> None:
    ada.open()
    until(lambda: ada.state() == "running", "it runs")
    tree = "cd ~ && find keep -type f -exec sha256sum {} + | sort | sha256sum"
    made = ""
    while len(made) < 64:  # the busy one may stop it in between
        ada.open()
        made = shell(
            docker_client, ada,
            "mkdir -p ~/keep && for i in $(seq 200); do echo $i > ~/keep/$i; done; sync; " + tree,
        )  # fmt: skip
    chance = random.Random(20261122)
    for _ in range(KILLS):
        threading.Event().wait(chance.uniform(0.05, 1.5))  # a random moment, not a condition
        vaults.kill()
        vaults.start()
    busy()
    until(lambda: not _at_work(ada), "what it does has ended", seconds=60)
    until(lambda: ada.call("POST", "/session").status == 200, "it starts again", seconds=90)
    assert shell(docker_client, ada, tree) == made
    ada.ok("POST", "/api/v1/home/snapshots", {})
    ada.ok("POST", "/api/v1/workspaces/main/stop")
    assert ada.ok("POST", "/api/v1/home/lock")["locked"] is True
    checked = subprocess.run(["e2fsck", "-fn", image_of(ada)], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout.decode()
