"""The terminal's byte path against ttyd without anything in between, and against nginx.

First over a bare ttyd, where the path is all there is to measure; then the product end to end.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.client import Terminal
from benchmarks.processes import ROOT, cpu_seconds, nginx, resident_bytes, ttyd
from benchmarks.results import Result, bounded, compared
from benchmarks.server import Server

ROUNDS = 15
KEYS = 60
BULK_ROUNDS = 13
BULK_BYTES = 64 << 20
IDLE = 500

SCRIPT = """
case $1 in
    bulk) stty raw -echo; exec cat "$BULK_FILE" ;;
    idle) exec sleep 1000000 ;;
    *) PS1='$ ' exec bash --norc --noprofile -i ;;
esac
"""

Connect = Callable[[str], Terminal]


def run() -> list[Result]:
    """Measure everything about terminals."""
    return [*bare_path(), *product()]


def product() -> list[Result]:
    """Measure the server end to end: tmux in a container, its own tmux session for each way."""
    with Server() as server, tempfile.TemporaryDirectory(prefix="rbbench") as name:
        person = server.user("keys")
        person.open_session()
        path = str(next(server.run_dirs().glob("*/ttyd.sock")))
        ways: dict[str, Connect] = {
            "direct": lambda arg: Terminal.over_unix(path, f"/ws?arg={arg}"),
            "ours": lambda arg: person.terminal(session=arg),
        }
        with nginx(Path(name), f"unix:{path}") as proxy:
            if proxy is not None:
                ways["nginx"] = lambda arg: Terminal.over_tcp(proxy[0], f"/ws?arg={arg}")
            return list(_echo_results("a workspace", echo(ways, str), most=1.7))


def bare_path() -> list[Result]:
    """Measure the server's byte path over a ttyd that runs bash and nothing more."""
    with tempfile.TemporaryDirectory(prefix="rbbench") as name, ExitStack() as stack:
        directory = Path(name)
        bulk = directory / "bulk"
        bulk.write_bytes(os.urandom(1 << 20).hex().encode() * (BULK_BYTES // 2**21))
        os.environ["BULK_FILE"] = str(bulk)
        path = stack.enter_context(ttyd(directory, SCRIPT))
        port, pid = stack.enter_context(minimal_server())
        proxy = stack.enter_context(nginx(directory, f"unix:{path}"))
        ways: dict[str, Connect] = {
            "direct": lambda arg: Terminal.over_unix(path, f"/ws?arg={arg}"),
            "ours": lambda arg: Terminal.over_tcp(
                port, f"/ws?upstream={path}&session={arg}", {"Authorization": "Bearer x"}
            ),
        }
        pids = {"ours": pid}
        if proxy is not None:
            nginx_port = proxy[0]
            ways["nginx"] = lambda arg: Terminal.over_tcp(nginx_port, f"/ws?arg={arg}")
            pids["nginx"] = proxy[1]
        return [
            *_echo_results("bash", echo(ways, lambda _: "echo"), most=1.7),
            *_bulk_results(ways, pids),
            *_idle_results(ways["ours"], pid),
        ]


@contextmanager
def minimal_server() -> Iterator[tuple[int, int]]:
    """Run the product's server and byte path without the rest; yield its port and pid."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "minimal_server.py"), "0"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline().removeprefix("ready")), process.pid
    finally:
        process.terminate()
        process.wait(10)


def echo(ways: Mapping[str, Connect], arg: Callable[[str], str]) -> dict[str, list[float]]:
    """Return each way's milliseconds from a key to its echo, in rounds; the ways take turns."""
    terminals = {name: connect(arg(name)) for name, connect in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for terminal in terminals.values():
        terminal.begin()
        terminal.wait_for(b"$")
        keys(terminal)
    for _ in range(ROUNDS):
        for name, terminal in terminals.items():
            times[name].append(keys(terminal))
    for terminal in terminals.values():
        terminal.close()
    return times


def keys(terminal: Terminal) -> float:
    """Type letters and rub them out; return the median milliseconds to an echo."""
    times = []
    for key in (b"x", b"\x7f") * (KEYS // 2):
        start = time.perf_counter()
        terminal.type(key)
        terminal.output()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def _echo_results(what: str, times: Mapping[str, list[float]], *, most: float) -> Iterator[Result]:
    for name, values in times.items():
        if name != "direct":
            yield compared(
                f"key to echo in {what}, {name}", "ms", values, "direct", times["direct"],
                most=most if name == "ours" else None,
            )  # fmt: skip


def _bulk_results(ways: Mapping[str, Connect], pids: Mapping[str, int]) -> Iterator[Result]:
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    cost: dict[str, list[float]] = {name: [] for name in pids}
    for _ in range(BULK_ROUNDS):
        for name, connect in ways.items():
            before = cpu_seconds(pids[name]) if name in pids else 0.0
            terminal = connect("bulk")
            terminal.begin()
            terminal.output()
            start = time.perf_counter()
            size = terminal.drain(BULK_BYTES - (1 << 20))
            speeds[name].append(size / (time.perf_counter() - start) / 1e6)
            terminal.close()
            if name in pids:
                cost[name].append((cpu_seconds(pids[name]) - before) / size * 1e9)
    for name in pids:
        yield compared(
            f"bulk output, {name}", "MB/s", speeds[name], "direct", speeds["direct"],
            least=0.9 if name == "ours" else None,
        )  # fmt: skip
    if "nginx" in cost:
        yield compared(
            "processor time of bulk", "s/GB", cost["ours"], "nginx", cost["nginx"], most=1.5
        )
    else:
        yield bounded("processor time of bulk", statistics.median(cost["ours"]), "s/GB")


def _idle_results(connect: Connect, pid: int) -> Iterator[Result]:
    def crowd(size: int) -> list[Terminal]:
        terminals = [connect("idle") for _ in range(size)]
        for terminal in terminals:
            terminal.begin()
        return terminals

    for terminal in crowd(50):  # what the first ones allocate is kept for the next
        terminal.close()
    before = resident_bytes(pid)
    terminals = crowd(IDLE)
    after = resident_bytes(pid)
    for terminal in terminals:
        terminal.close()
    yield bounded(
        f"resident per idle terminal of {IDLE}", (after - before) / IDLE / 1024, "KiB", most=8
    )
    yield bounded(f"resident with {IDLE} idle terminals, without the product", after / 1e6, "MB")
