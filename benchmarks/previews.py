"""Port previews against configurable-http-proxy, JupyterHub's, and against nginx.

All stand in front of the same server in the same workspace, which does next to nothing, so that
what is measured is the way there, and all are asked in the same words. Ours asks at every request
besides whether the viewer may.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.previewing import (
    PORT,
    App,
    Echo,
    Target,
    app_in_workspace,
    download,
    open_sockets,
    requests_per_second,
)
from benchmarks.processes import (
    configurable_http_proxy,
    cpu_seconds,
    forget_peak,
    nginx,
    peak_bytes,
    resident_bytes,
    wait_until,
)
from benchmarks.results import Result, bounded, compared
from benchmarks.server import Server, User
from benchmarks.terminal import keys
from benchmarks.visitors import Visitor, by_pass, by_token
from orchestrator.policy import TERMINAL_PORT

ROUNDS = 9
CLIENTS = 10
SECONDS = 1.0
OPENINGS = 40
"""By each client. Every connection keeps a port of this machine for a minute: tcp(7), TIME_WAIT."""
ECHO_ROUNDS = 61
ECHOES = 100
DOWNLOAD_ROUNDS = 3
DOWNLOAD_BYTES = 1 << 30
CROWD_ROUNDS = 11
IDLE, SOCKETS, REQUESTS = 500, 200, 10_000
Times = dict[str, list[float]]


def run() -> list[Result]:
    """Measure everything about previews."""
    with ExitStack() as stack:
        server = stack.enter_context(Server())
        person = server.user("viewer")
        person.open_session()
        app = stack.enter_context(app_in_workspace(server))
        host = f"{PORT}--main--{person.name}.localhost:{server.port}"
        program, browser = by_token(person, host), by_pass(person, host)
        ways = {"ours": Target(server.port), "direct": app.target}
        pids = {"ours": server.pid}
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rbbench")))
        upstream = f"{app.target.address}:{app.target.port}"
        for other, proxy in (
            ("chp", configurable_http_proxy(upstream)), ("nginx", nginx(directory, upstream)),
        ):  # fmt: skip
            started = stack.enter_context(proxy)
            if started is not None:
                ways[other], pids[other] = Target(started[0]), started[1]
        return [
            *_rates(ways, pids, program, browser),
            *_openings(ways, browser),
            *_echoes(ways, browser, person, app),
            *_downloads(ways, browser, server.pid),
            *_Crowd(ways["ours"], browser, person, server.pid).results(),
        ]


def _rates(
    ways: Mapping[str, Target], pids: Mapping[str, int], program: Visitor, browser: Visitor
) -> Iterator[Result]:
    """Compare rates, and what each request costs, which depends less on what else is running."""
    for target in ways.values():  # JavaScript's engines get faster for a while
        requests_per_second(target, browser.requests(), CLIENTS, SECONDS)
    for what, requests in (
        ("a browser's small requests", browser.requests()),
        ("the same, each with fields of its own", browser.distinct_requests()),
        ("small requests with a token", program.requests()),
    ):
        rates: Times = {name: [] for name in ways}
        costs: Times = {name: [] for name in pids}
        for _ in range(ROUNDS):
            for name, target in ways.items():
                before = cpu_seconds(pids[name]) if name in pids else 0.0
                rate = requests_per_second(target, requests, CLIENTS, SECONDS)
                rates[name].append(rate)
                if name in pids:
                    spent = cpu_seconds(pids[name]) - before
                    costs[name].append(spent / (rate * SECONDS) * 1e6)
        yield from _beside(f"{what}, {CLIENTS} clients", "1/s", rates, least={"chp": 1.0})
        yield from _beside("processor time of each", "us", costs)


def _openings(ways: Mapping[str, Target], browser: Visitor) -> Iterator[Result]:
    handshake = browser.handshake()
    rates: Times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, target in ways.items():
            start = time.perf_counter()
            with ThreadPoolExecutor(CLIENTS) as pool:
                each = [target] * CLIENTS, [handshake] * CLIENTS, [OPENINGS] * CLIENTS
                list(pool.map(open_sockets, *each))
            rates[name].append(CLIENTS * OPENINGS / (time.perf_counter() - start))
    what = f"WebSocket open + message, {CLIENTS} clients"
    yield from _beside(what, "1/s", rates, least={"chp": 1.0})


def _echoes(
    ways: Mapping[str, Target], browser: Visitor, person: User, app: App
) -> Iterator[Result]:
    """Compare with a terminal's way to the very same program.

    That ends at a unix socket, which is faster by itself than a port. So the ends alone, as the
    server dials them, are measured besides, and taken off to compare what the ways add.
    """
    panel = by_token(person, f"localhost:{person.server.port}")
    attach = panel.handshake("/api/v1/workspaces/main/terminal", "Sec-WebSocket-Protocol: tty")
    handshake = browser.handshake()
    with ExitStack() as opened:
        opened.enter_context(app.instead_of_ttyd())
        sockets = {name: Echo(target.connect(), handshake) for name, target in ways.items()}
        sockets["terminal"] = Echo(ways["ours"].connect(), attach)
        sockets["port alone"] = Echo(app.dial(PORT), handshake)
        sockets["socket alone"] = Echo(app.dial(TERMINAL_PORT), handshake)
        times: Times = {name: [] for name in sockets}
        for sock in sockets.values():
            opened.callback(sock.close)
            sock.say()
        for _ in range(ECHO_ROUNDS):
            for name, sock in sockets.items():
                times[name].append(statistics.median(sock.say() for _ in range(ECHOES)))
    port, socket = times.pop("port alone"), times.pop("socket alone")
    yield from _beside("WebSocket echo", "ms", times, most={"terminal": 1.25})
    yield compared(
        "what the way adds to it",
        "ms",
        [way - end for way, end in zip(times["ours"], port, strict=True)],
        "terminal",
        [way - end for way, end in zip(times["terminal"], socket, strict=True)],
        most=1.1,
    )


def _downloads(ways: Mapping[str, Target], browser: Visitor, pid: int) -> Iterator[Result]:
    def get(target: Target, size: int) -> float:
        return download(target, browser.request(f"/{size}", "Connection: close"), size)

    speeds: Times = {name: [] for name in ways}
    get(ways["ours"], DOWNLOAD_BYTES // 16)  # what the first one allocates is kept
    grown = 0
    for _ in range(DOWNLOAD_ROUNDS):
        for name, target in ways.items():
            forget_peak(pid)
            before = resident_bytes(pid)
            speeds[name].append(get(target, DOWNLOAD_BYTES) / 1e6)
            if name == "ours":
                grown = max(grown, peak_bytes(pid) - before)
    yield from _beside("download of 1 GiB", "MB/s", speeds, least={"nginx": 0.5})
    yield bounded("memory grown during a download, at its peak", grown / 1e6, "MB", most=8)


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Many connections and sockets, what is asked and typed beside them, and what stays behind."""

    target: Target
    visitor: Visitor
    person: User
    pid: int

    def results(self) -> Iterator[Result]:
        """Measure with the crowd and without it in turn."""
        terminal = self.person.terminal(session="beside")
        terminal.begin()
        terminal.wait_for(b"$")
        keys(terminal)
        before = self._files() + 2 * CLIENTS  # with connections into the workspace that are kept
        with self._held():
            self._ask()  # what the first ones allocate is kept for the next
        wait_until(lambda: self._files() <= before, "the descriptors to be closed")
        files, memory = self._files(), resident_bytes(self.pid)
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(CROWD_ROUNDS):
            alone.append(keys(terminal))
            with self._held():
                beside.append(keys(terminal))
            wait_until(lambda: self._files() <= files, "the descriptors to be closed")
        with self._held():
            held = resident_bytes(self.pid) - memory
            forget_peak(self.pid)
            self._ask()
            peak = peak_bytes(self.pid) - memory
        wait_until(lambda: self._files() <= files, "the descriptors to be closed")
        terminal.close()
        crowd = f"{IDLE} idle connections and {SOCKETS} WebSockets"
        after = resident_bytes(self.pid) - memory
        yield bounded(f"memory of {crowd}", held / 1e6, "MB")
        yield bounded(f"the same, at its peak during {REQUESTS} requests", peak / 1e6, "MB")
        yield bounded("memory left behind by all of them", after / 1e6, "MB", most=8)
        yield bounded("descriptors left behind", self._files() - files, "", most=0)
        yield compared("key to echo in a terminal beside them", "ms", beside, "alone", alone,
                       most=1.5)  # fmt: skip

    @contextmanager
    def _held(self) -> Iterator[None]:
        request = self.visitor.request("/")
        idle = [self.target.connect() for _ in range(IDLE)]
        for sock in idle:
            sock.sendall(request)
            sock.recv(65536)
        sockets = [Echo(self.target.connect(), self.visitor.handshake()) for _ in range(SOCKETS)]
        try:
            yield
        finally:
            for sock in idle:
                sock.close()
            for echo in sockets:
                echo.close()

    def _ask(self) -> None:
        asked = 0.0
        while asked < REQUESTS:
            asked += requests_per_second(self.target, self.visitor.requests(), CLIENTS, 1.0)

    def _files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def _beside(
    what: str,
    unit: str,
    values: Times,
    *,
    least: Mapping[str, float] | None = None,
    most: Mapping[str, float] | None = None,
) -> Iterator[Result]:
    """Compare ours with all the others, of which some are a bar."""
    for name, others in values.items():
        if name != "ours":
            yield compared(
                what, unit, values["ours"], name, others,
                least=(least or {}).get(name), most=(most or {}).get(name),
            )  # fmt: skip
