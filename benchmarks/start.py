"""How long somebody waits for a prompt: from nothing, while it runs, and fifty at once."""

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.client import Terminal
from benchmarks.processes import IMAGE, docker, wait_until
from benchmarks.results import Result, bounded, compared
from benchmarks.server import Server, User

ROUNDS = 15
WARM_CALLS = 60
CROWD = 50
PROMPT = b"$"
UID = 199_000


def run() -> list[Result]:
    """Measure starts."""
    with Server() as server:
        first, *people = [server.user(f"cold{i}") for i in range(ROUNDS + 1)]
        ours, bare = [], []
        cold_start(first)  # what the first ones read from disk is not their fault
        bare_start()
        for person in people:
            ours.append(cold_start(person))
            bare.append(bare_start())
        warm = statistics.median(timed_call(people[0]) for _ in range(WARM_CALLS)) * 1000
        return [
            compared(
                "POST /session to the first prompt, cold", "s", ours, "bare docker run", bare,
                most=1.3,
            ),
            bounded("POST /session of a running workspace", warm, "ms", most=30),
            *crowd([server.user(f"crowd{i}") for i in range(CROWD)]),
        ]  # fmt: skip


def cold_start(person: User) -> float:
    """Return the seconds from asking for a workspace to the prompt in it."""
    start = time.perf_counter()
    terminal = person.terminal(person.open_session())
    terminal.begin()
    terminal.wait_for(PROMPT)
    taken = time.perf_counter() - start
    terminal.close()
    return taken


def timed_call(person: User) -> float:
    """Return the seconds that asking for a running workspace takes."""
    start = time.perf_counter()
    person.open_session()
    return time.perf_counter() - start


def bare_start() -> float:
    """Return the seconds to the prompt of the same image, hardened alike, by docker alone."""
    with tempfile.TemporaryDirectory(prefix="rbbench") as name:
        home, run_dir = Path(name) / "home", Path(name) / "run"
        for directory in (home, run_dir):
            directory.mkdir()
            directory.chmod(0o777)
        Path(name).chmod(0o755)
        start = time.perf_counter()
        (container,) = docker(
            "run", "-d", "--user", f"{UID}:{UID}", "--cap-drop", "ALL", "--read-only",
            "--security-opt", "no-new-privileges", "--tmpfs", "/tmp", "--pids-limit", "512",
            "--memory", "1g", "--cpus", "1", "-v", f"{home}:/home/dev", "-v",
            f"{run_dir}:/run/rootblood", "-e", "HOME=/home/dev", "-e", "ROOTBLOOD_USER=dev",
            "-w", "/home/dev", IMAGE,
        )  # fmt: skip
        try:
            socket = run_dir / "ttyd.sock"
            wait_until(lambda: _accepts(str(socket)), "the bare container's terminal")
            terminal = Terminal.over_unix(str(socket), "/ws?arg=main")
            terminal.begin()
            terminal.wait_for(PROMPT)
            taken = time.perf_counter() - start
            terminal.close()
        finally:
            docker("rm", "-f", container)
        return taken


def crowd(people: list[User]) -> list[Result]:
    """Start everybody's workspace at the same moment."""
    failed: list[str] = []

    def one(person: User) -> float:
        try:
            return cold_start(person)
        except Exception as error:
            failed.append(f"{person.name}: {error}")
            return 0.0

    with ThreadPoolExecutor(len(people)) as threads:
        times = sorted(threads.map(one, people))
    for line in failed:
        print(line)
    return [
        bounded(f"failed of {len(people)} simultaneous cold starts", len(failed), "", most=0),
        bounded(f"median of {len(people)} simultaneous", statistics.median(times) * 1000, "ms"),
        bounded(f"slowest of {len(people)} simultaneous", times[-1] * 1000, "ms"),
    ]


def _accepts(path: str) -> bool:
    try:
        Terminal.over_unix(path, "/ws?arg=probe").close()
    except OSError:
        return False
    return True
