"""Connections to a preview, what is asked on them, and the server in a workspace that answers."""

import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

from benchmarks.processes import docker, wait_until
from benchmarks.server import ENGINE_URL, Server
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_spec import RUN_DIR_TARGET
from orchestrator.stream import Stream

PORT = 8000
APP = Path(__file__).with_name("preview_app.js")
TIMEOUT_SECONDS = 60.0
_SOCKET = "echo.sock"
_WASTE = memoryview(bytearray(1 << 20))


@dataclass(frozen=True, slots=True)
class Target:
    """Where a server listens."""

    port: int
    address: str = "127.0.0.1"

    def connect(self) -> socket.socket:
        """Return a connection."""
        sock = socket.create_connection((self.address, self.port), TIMEOUT_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def answers(self) -> bool:
        """Return whether somebody listens."""
        with socket.socket() as probe:
            return probe.connect_ex((self.address, self.port)) == 0


@dataclass(frozen=True, slots=True)
class App:
    """The server in a workspace; ``target`` is where it is reached with nothing in between."""

    target: Target
    run_dir: Path
    dial: Callable[[int], Stream]
    """Connects to a port of the workspace as the product does."""

    @contextmanager
    def instead_of_ttyd(self) -> Iterator[None]:
        """Have terminals reach it, so that their way alone is measured."""
        ttyd, own, aside = (self.run_dir / name for name in ("ttyd.sock", _SOCKET, "ttyd.aside"))
        ttyd.rename(aside)
        own.rename(ttyd)
        try:
            yield
        finally:
            ttyd.rename(own)
            aside.rename(ttyd)


@contextmanager
def app_in_workspace(server: Server) -> Iterator[App]:
    """Run the server in the one workspace that runs, at a port and at a socket beside ttyd's."""
    (container,) = docker("ps", "--format", "{{.Names}}", "--filter", f"network={server.instance}")
    program = ["node", "-e", APP.read_text(), "--", str(PORT), f"{RUN_DIR_TARGET}/{_SOCKET}"]
    docker("exec", "-d", container, *program)
    (address,) = docker(
        "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container
    )
    engine = DockerEngine(
        ENGINE_URL, instance=server.instance, run_root=server.run_dirs(), enforce_egress=False
    )
    try:
        run_dir = next(server.run_dirs().glob("*/ttyd.sock")).parent
        app = App(Target(PORT, address), run_dir, partial(engine.dial, container))
        wait_until(app.target.answers, "the workspace's server")
        wait_until((run_dir / _SOCKET).is_socket, "its socket")
        yield app
    finally:
        engine.close()


def requests_per_second(
    target: Target, requests: Sequence[bytes], clients: int, seconds: float
) -> float:
    """Make the requests, again and again, on kept connections, ``clients`` at a time."""
    poll = select.epoll()
    waiting = cycle(requests)
    socks = [target.connect() for _ in range(clients)]
    by_number = {sock.fileno(): sock for sock in socks}
    try:
        for sock in socks:
            poll.register(sock, select.EPOLLIN)
            sock.sendall(next(waiting))
        done, start = 0, time.perf_counter()
        held = dict.fromkeys(by_number, b"")
        while time.perf_counter() - start < seconds:
            for number, _ in poll.poll():
                sock = by_number[number]
                data = held[number] + sock.recv(65536)
                if not data.startswith(b"HTTP/1.1 200"):
                    raise ConnectionError(data[:500].decode(errors="replace") or "hung up")
                if not data.endswith((b"hello", b"0\r\n\r\n")):
                    held[number] = data
                    continue
                held[number] = b""
                done += 1
                sock.sendall(next(waiting))
        return done / (time.perf_counter() - start)
    finally:
        poll.close()
        for sock in socks:
            sock.close()


class Echo:
    """A WebSocket whose other end sends back what it gets."""

    def __init__(self, stream: Stream, handshake: bytes) -> None:
        self.sock = stream
        self.sock.sendall(handshake)
        data = b""
        while b"\r\n\r\n" not in data:
            received = self.sock.recv(65536)
            if not received:
                raise ConnectionError("hung up")
            data += received
        if not data.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(data[:500].decode(errors="replace"))

    def say(self, text: bytes = b"0 key") -> float:
        """Send a message; return the milliseconds until it is back.

        What begins with ``0`` is somebody's input to the server where it is a terminal's.
        """
        start = time.perf_counter()
        self.sock.sendall(bytes([0x82, 0x80 | len(text)]) + bytes(4) + text)
        data = b""
        while len(data) < len(text) + 2:
            received = self.sock.recv(65536)
            if not received:
                raise ConnectionError("hung up")
            data += received
        return (time.perf_counter() - start) * 1000

    def close(self) -> None:
        """Hang up."""
        self.sock.close()


def open_sockets(target: Target, handshake: bytes, count: int) -> None:
    """Open WebSockets, one after the other, each for one message."""
    for _ in range(count):
        echo = Echo(target.connect(), handshake)
        echo.say()
        echo.close()


def download(target: Target, request: bytes, size: int) -> float:
    """Return the bytes per second of a download; ``request`` closes the connection."""
    with target.connect() as sock:
        start, count = time.perf_counter(), 0
        sock.sendall(request)
        while count < size:
            received = sock.recv_into(_WASTE)
            if not received:
                raise ConnectionError("the download was cut off")
            count += received
        return count / (time.perf_counter() - start)
