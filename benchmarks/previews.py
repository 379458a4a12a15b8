"""Port previews against configurable-http-proxy, JupyterHub's, and against nginx.

All stand in front of the same server in the same workspace, which does next to nothing, so that
what is measured is the way there. Ours asks at every request besides whether the viewer may.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from benchmarks.previewing import (
    PORT,
    Echo,
    Target,
    download,
    open_sockets,
    requests_per_second,
    serve_in,
)
from benchmarks.processes import (
    configurable_http_proxy,
    docker,
    nginx,
    resident_bytes,
    wait_until,
)
from benchmarks.results import Result, bounded, compared
from benchmarks.server import Server, User
from benchmarks.terminal import keys

ROUNDS = 7
CLIENTS = 10
SECONDS = 2.0
OPENINGS = 40
"""By each client. Every connection keeps a port of this machine for a minute: tcp(7), TIME_WAIT."""
ECHO_ROUNDS = 9
ECHOES = 100
DOWNLOAD_ROUNDS = 3
DOWNLOAD_BYTES = 1 << 30
IDLE, SOCKETS, REQUESTS = 500, 200, 10_000


def run() -> list[Result]:
    """Measure everything about previews."""
    with Server() as server, tempfile.TemporaryDirectory(prefix="rbbench") as name:
        person = server.user("viewer")
        person.open_session()
        (container,) = docker(
            "ps", "--format", "{{.Names}}", "--filter", f"network={server.instance}"
        )
        address = serve_in(container)
        host = f"{PORT}--main--{person.name}.localhost:{server.port}"
        ours = Target(server.port, host, (f"Authorization: Bearer {person.token}",))
        ways = {"ours": ours, "direct": Target(PORT, address=address)}
        with ExitStack() as proxies:
            upstream = f"{address}:{PORT}"
            for other, started in (
                ("chp", proxies.enter_context(configurable_http_proxy(upstream))),
                ("nginx", proxies.enter_context(nginx(Path(name), upstream))),
            ):
                if started is not None:
                    ways[other] = Target(started[0])
            return [
                *_rates(ways),
                *_echoes(ways),
                *_downloads(ways, server.pid),
                *_crowd(ours, person, server.pid),
            ]


def _rates(ways: Mapping[str, Target]) -> Iterator[Result]:
    small: dict[str, list[float]] = {name: [] for name in ways}
    opened: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, target in ways.items():
            small[name].append(requests_per_second(target, CLIENTS, SECONDS))
        for name, target in ways.items():
            opened[name].append(_openings_per_second(target))
    for what, values in (("small requests", small), ("WebSocket open + message", opened)):
        for name in ways.keys() - {"ours"}:
            yield compared(
                f"{what}, {CLIENTS} clients", "1/s", values["ours"], name, values[name],
                least=1.0 if name == "chp" else None,
            )  # fmt: skip


def _openings_per_second(target: Target) -> float:
    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(open_sockets, [target] * CLIENTS, [OPENINGS] * CLIENTS))
    return CLIENTS * OPENINGS / (time.perf_counter() - start)


def _echoes(ways: Mapping[str, Target]) -> Iterator[Result]:
    sockets = {name: Echo(target) for name, target in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ECHO_ROUNDS):
        for name, sock in sockets.items():
            times[name].append(statistics.median(sock.say() for _ in range(ECHOES)))
    for name, sock in sockets.items():
        sock.close()
        if name != "ours":
            yield compared(
                "WebSocket echo", "ms", times["ours"], name, times[name],
                most=1.25 if name == "nginx" else None,
            )  # fmt: skip


def _downloads(ways: Mapping[str, Target], pid: int) -> Iterator[Result]:
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    download(ways["ours"], DOWNLOAD_BYTES // 16)  # what the first one allocates is kept
    grown = 0
    for _ in range(DOWNLOAD_ROUNDS):
        for name, target in ways.items():
            before = resident_bytes(pid)
            speeds[name].append(download(target, DOWNLOAD_BYTES) / 1e6)
            if name == "ours":
                grown = max(grown, resident_bytes(pid) - before)
    for name in ways.keys() - {"ours"}:
        yield compared(
            "download of 1 GiB", "MB/s", speeds["ours"], name, speeds[name],
            least=0.5 if name == "nginx" else None,
        )  # fmt: skip
    yield bounded("memory grown by a download", grown / 1e6, "MB", most=8)


def _crowd(target: Target, person: User, pid: int) -> Iterator[Result]:
    """Hold many connections and sockets, ask beside them, and look at what stays behind."""
    terminal = person.terminal(session="beside")
    terminal.begin()
    terminal.wait_for(b"$")
    alone: list[float] = []
    beside: list[float] = []

    def crowd() -> None:
        alone.extend(keys(terminal) for _ in range(ECHO_ROUNDS))
        idle = [target.connect() for _ in range(IDLE)]
        for sock in idle:
            sock.sendall(target.request())
            sock.recv(65536)
        sockets = [Echo(target) for _ in range(SOCKETS)]
        asked = 0.0
        while asked < REQUESTS:
            asked += requests_per_second(target, CLIENTS, 1.0)
        beside.extend(keys(terminal) for _ in range(ECHO_ROUNDS))
        for sock in idle:
            sock.close()
        for one in sockets:
            one.close()
        wait_until(lambda: _files(pid) <= files, "the descriptors to be closed")

    files = _files(pid) + 2 * CLIENTS  # with connections into the workspace that are kept
    crowd()  # what the first ones allocate is kept for the next
    files, memory = _files(pid), resident_bytes(pid)
    crowd()
    terminal.close()
    yield bounded(
        f"memory grown by {REQUESTS} requests", (resident_bytes(pid) - memory) / 1e6, "MB", most=8
    )
    yield bounded("descriptors left behind", _files(pid) - files, "", most=0)
    yield compared("key to echo beside them", "ms", beside, "alone", alone, most=1.5)


def _files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
