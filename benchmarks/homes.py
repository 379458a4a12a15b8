"""What an encrypted, capped home costs: its start, its files, its snapshots."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.mounts import by_hand, detach_below
from benchmarks.processes import IMAGE, docker
from benchmarks.results import Result, bounded, compared
from benchmarks.server import ENGINE_URL, PREFIX, Server, User
from orchestrator.storage import Home
from orchestrator.storage.vault import VaultStorage

ROUNDS = 7
STARTS = 15
FILES = 10_000
UID = 199_000
CAPACITY = 2 << 30
KEY = bytes(range(32))

# Runs as the home's owner in the same image on every side; prints seconds.
PROBE = r"""
import json, os, sys, time
root = os.path.expanduser("~")
def timed(work):
    start = time.perf_counter(); work(); return time.perf_counter() - start
block = os.urandom(1 << 20)
def write():
    with open(f"{root}/big", "wb") as file:
        for _ in range(64): file.write(block)
        os.fsync(file.fileno())
def read():
    with open(f"{root}/big", "rb") as file:
        while file.read(1 << 20): pass
def cold():
    descriptor = os.open(f"{root}/big", os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED); os.close(descriptor); read()
def commits():
    descriptor = os.open(f"{root}/log", os.O_CREAT | os.O_WRONLY)
    for _ in range(100): os.write(descriptor, b"x" * 4096); os.fdatasync(descriptor)
    os.close(descriptor)
def small():
    os.makedirs(f"{root}/small", exist_ok=True)
    for number in range(10000):
        with open(f"{root}/small/{number}", "wb") as file: file.write(b"x" * 300)
    for number in range(10000):
        with open(f"{root}/small/{number}", "rb") as file: file.read()
    for number in range(10000): os.unlink(f"{root}/small/{number}")
def warm():
    for _ in range(4): read()
print(json.dumps({w.__name__: timed(w) for w in (write, warm, cold, commits, small)}))
"""
TIMES = {
    "write": "64 MB written and synced",
    "warm": "4 x 64 MB read warm",
    "cold": "64 MB read cold",
    "commits": "100 commits of 4 KiB",
    "small": "10,000 small files made, read, deleted",
}
AGAINST_PLAIN = {"warm", "small"}


def run() -> list[Result]:
    """Measure homes; needs root."""
    return [*unlocking(), *starts(), *files(), *snapshots()]


@contextmanager
def vault() -> Iterator[tuple[VaultStorage, Path]]:
    """Yield a vault of its own, and what holds its mounts."""
    with tempfile.TemporaryDirectory(prefix="rbbench") as name:
        directory, mounts = Path(name) / "homes", Path(name) / "mounts"
        instance = f"{PREFIX}{os.getpid()}-homes"
        storage = VaultStorage(directory, mounts, ENGINE_URL, helper_image=IMAGE, instance=instance)
        try:
            yield storage, Path(name)
        finally:
            for home in storage.unlocked():
                storage.lock(home)
            for image in directory.glob("*.img"):
                storage.destroy(image.stem)
            storage.close()
            detach_below(Path(name))


def unlocking() -> list[Result]:
    """Time what a start waits for: the image attached, mounted and unlocked."""
    home = Home(f"home_bench{os.getpid()}", (UID, UID), CAPACITY)
    opened, closed = [], []
    with vault() as (storage, _):
        made = _seconds(lambda: storage.unlock(home, KEY))
        for _round in range(STARTS):
            closed.append(_seconds(lambda: storage.lock(home.name)))
            opened.append(_seconds(lambda: storage.unlock(home, KEY)))
        again = statistics.median(_seconds(lambda: storage.unlock(home, KEY)) for _ in range(20))
    return [
        bounded(
            "unlock + mount, added to a start", statistics.median(opened) * 1000, "ms", most=60
        ),
        bounded("the same of an open home", again * 1000, "ms"),
        bounded("a home made, first use", made * 1000, "ms"),
        bounded("lock + unmount", statistics.median(closed) * 1000, "ms"),
    ]


def starts() -> list[Result]:
    """Time a start from a locked vault beside one from a plain volume, each on its own server."""
    with Server(ROOTBLOOD_STORAGE="vault") as ours, Server(ROOTBLOOD_STORAGE="plain") as plain:
        people = [server.user("starter") for server in (ours, plain)]
        taken: tuple[list[float], list[float]] = ([], [])
        for _round in range(STARTS):
            for person, times in zip(people, taken, strict=True):
                start = time.perf_counter()
                workspace = person.open_session()
                times.append(time.perf_counter() - start)
                person.call("POST", f"/api/v1/workspaces/{workspace}/stop")
        for person in people:
            person.close()
    added = statistics.median(a - b for a, b in zip(*taken, strict=True)) * 1000
    return [
        compared("POST /session, stopped workspace", "s", taken[0], "plain volume", taken[1]),
        bounded("what the vault adds to it", added, "ms", most=60),
    ]


def files() -> list[Result]:
    """Compare a home in a vault with the same image by hand, without cipher, and a volume."""
    home = Home(f"home_bench{os.getpid()}f", (UID, UID), CAPACITY)
    with vault() as (storage, directory), ExitStack() as stack:
        storage.unlock(home, KEY)
        sides = {
            "vault": _container(stack, storage.mount(home.name, "/home/dev").source),
            "by hand": _container(stack, str(stack.enter_context(
                by_hand(directory / "hand", CAPACITY, UID, KEY)))),
            "no cipher": _container(stack, str(stack.enter_context(
                by_hand(directory / "clear", CAPACITY, UID, None)))),
            "plain volume": _container(stack, _volume(stack)),
        }  # fmt: skip
        times: dict[str, dict[str, list[float]]] = {s: {t: [] for t in TIMES} for s in sides}
        for _round in range(ROUNDS):
            for side, container in sides.items():
                for name, seconds in _probe(container).items():
                    times[side][name].append(seconds)
    return [
        line
        for name, title in TIMES.items()
        for line in (
            # The bars are of speed; these are times, so that 0.95x the speed is 1.05x the time.
            compared(title, "s", times["vault"][name], "the same image by hand",
                     times["by hand"][name], most=1 / 0.95),
            compared(title, "s", times["vault"][name], "plain volume", times["plain volume"][name],
                     most=1 / 0.8 if name in AGAINST_PLAIN else None),
            compared(f"{title}: the cipher alone", "s", times["by hand"][name], "no cipher",
                     times["no cipher"][name]),
        )
    ]  # fmt: skip


def snapshots() -> list[Result]:
    """Time snapshots of a home with many files, and one file's way back, over the API."""
    with Server() as server:
        person = server.user("traveller")
        workspace = person.open_session()
        container = docker("ps", "-q", "--filter", f"label=rootblood.instance={server.instance}")[0]
        _exec(container, f"mkdir -p ~/t && cd ~/t && for d in $(seq 100); do mkdir $d; "
              f"for f in $(seq {FILES // 100}); do echo $d $f > $d/$f; done; done")  # fmt: skip
        first = _seconds(lambda: _snapshot(person))
        unchanged = [_seconds(lambda: _snapshot(person)) for _ in range(5)]
        latest = person.call("GET", "/api/v1/home/snapshots")["snapshots"][0]["id"]
        path = f"/api/v1/home/snapshots/{latest}/restore"
        restored = []
        for number in range(1, 6):
            _exec(container, f"rm ~/t/7/{number}")
            body = {"path": f"t/7/{number}", "safety": False}
            restored.append(_seconds(partial(person.call, "POST", path, body)))
            _exec(container, f"grep -qx '7 {number}' ~/t/7/{number}")
        person.call("POST", f"/api/v1/workspaces/{workspace}/stop")
        person.close()
    return [
        bounded(f"first snapshot of {FILES:,} files", first, "s"),
        bounded(
            f"snapshot of {FILES:,} unchanged files", statistics.median(unchanged), "s", most=2
        ),
        bounded("restore of one file", statistics.median(restored), "s", most=1),
    ]


def _snapshot(person: User) -> None:
    answer = person.call("POST", "/api/v1/home/snapshots", {})
    if "reason" not in answer:
        raise RuntimeError(f"the snapshot took too long: {answer}")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _volume(stack: ExitStack) -> str:
    name = docker("volume", "create")[0]
    stack.callback(docker, "volume", "rm", name)
    docker("run", "--rm", "--network", "none", "--entrypoint", "/bin/chown", "-v",
           f"{name}:/home/dev", IMAGE, f"{UID}:{UID}", "/home/dev")  # fmt: skip
    return name


def _container(stack: ExitStack, source: str) -> str:
    made = docker("run", "-d", "--network", "none", "--user", f"{UID}:{UID}", "--entrypoint",
                  "/bin/sleep", "-v", f"{source}:/home/dev", "-e", "HOME=/home/dev",
                  IMAGE, "infinity")[0]  # fmt: skip
    stack.callback(docker, "rm", "-f", made)
    return made


def _probe(container: str) -> dict[str, float]:
    done = subprocess.run(["docker", "exec", container, "python3", "-c", PROBE],
                          capture_output=True, check=True)  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _exec(container: str, script: str) -> None:
    subprocess.run(["docker", "exec", container, "sh", "-c", script], check=True)
