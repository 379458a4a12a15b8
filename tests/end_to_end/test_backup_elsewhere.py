"""Snapshots that are kept on another machine: ROOTBLOOD_BACKUP_URL against real peers."""

import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from docker import APIClient

from tests.conftest import missing
from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.slow]
SNAPSHOTS = "/api/v1/home/snapshots"
CANARY = f"canary{secrets.token_hex(12)}"
USER, PASSWORD = "backups", f"secret{secrets.token_hex(12)}"
KEY = f"AK{secrets.token_hex(8).upper()}"
ADDRESS, GATEWAY = "10.213.77.2", "10.213.77.1"


@dataclass(frozen=True)
class Peer:
    """Another machine that keeps what it is sent in ``directory``."""

    url: str
    environment: str
    directory: Path
    secrets: tuple[str, ...]


@pytest.fixture(scope="module")
def machine() -> Iterator[str]:
    """The name of a network namespace that is reached as another machine is."""
    if os.geteuid() != 0:
        missing("only root makes another machine's network")
    if shutil.which("rclone") is None:
        missing("needs rclone: script/setup test installs it")
    name = f"rbtest{os.getpid()}"
    outer, inner = f"rbt{os.getpid()}o", f"rbt{os.getpid()}i"
    for command in (
        f"netns add {name}",
        f"link add {outer} type veth peer name {inner} netns {name}",
        f"address add {GATEWAY}/30 dev {outer}",
        f"link set {outer} up",
        f"-n {name} address add {ADDRESS}/30 dev {inner}",
        f"-n {name} link set {inner} up",
        f"-n {name} link set lo up",
        f"-n {name} route add default via {GATEWAY}",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    yield name
    subprocess.run(["ip", "link", "delete", outer], check=True)
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture(scope="module")
def peer(machine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    directory = tmp_path_factory.mktemp("peer")
    inside = ("ip", "netns", "exec", machine)
    serve = ("setpriv", "--pdeathsig", "KILL", "rclone", "serve", "restic", str(directory))
    told = os.environ | {"RCLONE_USER": USER, "RCLONE_PASS": PASSWORD}
    with (directory.parent / "peer.log").open("wb") as log:
        process = subprocess.Popen(
            [*inside, *serve, "--addr", f"{ADDRESS}:8000"], env=told, stdout=log, stderr=log
        )
    try:
        probe = [*inside, "ss", "-Hltn", "sport = :8000"]
        until(lambda: subprocess.check_output(probe), "the peer listens")
        url = f"rest:http://{USER}:{PASSWORD}@{ADDRESS}:8000/homes"
        yield Peer(url, f"RCLONE_TEST={KEY}\n", directory, (PASSWORD, KEY))
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server(
    peer: Peer, make_server: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory
) -> Server:
    file = tmp_path_factory.mktemp("secret") / "environment"
    file.touch(0o600)
    file.write_text(peer.environment)
    started = make_server(
        storage="vault", reserve_bytes=0, backup_url=peer.url,
        backup_environment=file, egress_allow=f"{ADDRESS}/32",
    ).start()  # fmt: skip
    Person(started, "boss")
    return started


def done(person: Person, method: str, path: str, body: object = None) -> None:
    answer = person.call(method, path, body)
    assert answer.status < 300, answer
    if answer.status == 202:
        url = f"/api/v1/home/jobs/{answer.body['id']}"
        until(lambda: person.ok("GET", url)["state"] != "running", "it ends", seconds=120)
        assert person.ok("GET", url)["state"] == "done"


@pytest.mark.timeout(300)
def test_another_machine_keeps_snapshots_and_can_read_none(
    peer: Peer, person: Person, docker_client: APIClient
) -> None:
    person.open()
    until(lambda: person.state() == "running", "it runs")

    def sh(script: str) -> str:
        return execute(docker_client, person.container(), "bash", "-c", script)

    sh(f"mkdir ~/{CANARY}; echo {CANARY} > ~/{CANARY}/f; head -c 3M /dev/urandom > ~/noise")
    with watched() as shown:
        done(person, "POST", SNAPSHOTS, {"note": "far away"})
    assert any(b"restic\0--no-cache" in line for line in shown)
    assert not [line for line in shown if any(one.encode() in line for one in peer.secrets)]
    sh(f"echo changed > ~/{CANARY}/f")
    done(person, "POST", SNAPSHOTS, {})
    newer, older = person.ok("GET", SNAPSHOTS)["snapshots"]
    assert older["note"] == "far away"
    assert person.ok("GET", "/api/v1/home")["split"]["snapshots_bytes"] == 0
    listed = person.ok("GET", f"{SNAPSHOTS}/{older['id']}/files?path={CANARY}")["files"]
    assert [file["name"] for file in listed] == ["f"]
    body = {"path": f"{CANARY}/f", "safety": False}
    done(person, "POST", f"{SNAPSHOTS}/{older['id']}/restore", body)
    assert sh(f"cat ~/{CANARY}/f") == f"{CANARY}\n"

    sent = [path for path in peer.directory.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in sent) > 3 << 20
    for path in sent:
        assert CANARY not in str(path)
        assert CANARY.encode() not in path.read_bytes()
    done(person, "DELETE", f"{SNAPSHOTS}/{older['id']}")
    done(person, "DELETE", f"{SNAPSHOTS}/{newer['id']}")
    assert person.ok("GET", SNAPSHOTS)["snapshots"] == []
    left = [path for path in peer.directory.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in left) < 1 << 20
    log = person.server.log.read_bytes()
    assert [one for one in peer.secrets if one.encode() in log] == []


@contextmanager
def watched() -> Iterator[list[bytes]]:
    """Yield what the processes of this machine show to every user of it, as it grows."""
    shown: list[bytes] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    shown.append(path.read_bytes())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield shown
    finally:
        over.set()
        watcher.join()
