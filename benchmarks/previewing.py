"""Viewers of previews, and the server in a workspace that they look at."""

import base64
import os
import select
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import docker, wait_until

PORT = 8000
APP = Path(__file__).with_name("preview_app.js")
TIMEOUT_SECONDS = 60.0
_WASTE = memoryview(bytearray(1 << 20))


def serve_in(container: str) -> str:
    """Run the server in a workspace's container; return the container's address."""
    program = ["node", "-e", APP.read_text(), "--", str(PORT)]
    docker("exec", "-d", container, *program)
    (address,) = docker(
        "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container
    )
    server = Target(PORT, address=address)
    wait_until(server.answers, "the workspace's server")
    return address


@dataclass(frozen=True, slots=True)
class Target:
    """A way to the server: a port of this machine, and what has to be said there."""

    port: int
    host: str = "localhost"
    fields: tuple[str, ...] = ()
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

    def request(self, path: str = "/", *more: str) -> bytes:
        """Return a request's head."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.host}", "Accept: */*", *self.fields, *more]
        return "\r\n".join([*lines, "", ""]).encode()


def requests_per_second(target: Target, clients: int, seconds: float) -> float:
    """Ask again and again on kept connections, ``clients`` at a time."""
    request = target.request()
    poll = select.epoll()
    socks = [target.connect() for _ in range(clients)]
    by_number = {sock.fileno(): sock for sock in socks}
    try:
        for sock in socks:
            poll.register(sock, select.EPOLLIN)
            sock.sendall(request)
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
                sock.sendall(request)
        return done / (time.perf_counter() - start)
    finally:
        poll.close()
        for sock in socks:
            sock.close()


class Echo:
    """A WebSocket whose other end sends back what it gets."""

    def __init__(self, target: Target) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock = target.connect()
        self.sock.sendall(
            target.request(
                "/ws", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
                "Sec-WebSocket-Version: 13",
            )
        )  # fmt: skip
        data = b""
        while b"\r\n\r\n" not in data:
            received = self.sock.recv(65536)
            if not received:
                raise ConnectionError("hung up")
            data += received
        if not data.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(data[:500].decode(errors="replace"))

    def say(self, text: bytes = b"hello") -> float:
        """Send a message; return the milliseconds until it is back."""
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


def open_sockets(target: Target, count: int) -> None:
    """Open WebSockets, one after the other, each for one message."""
    for _ in range(count):
        echo = Echo(target)
        echo.say()
        echo.close()


def download(target: Target, size: int) -> float:
    """Return the bytes per second of a download."""
    with target.connect() as sock:
        start, count = time.perf_counter(), 0
        sock.sendall(target.request(f"/{size}", "Connection: close"))
        while count < size:
            received = sock.recv_into(_WASTE)
            if not received:
                raise ConnectionError("the download was cut off")
            count += received
        return count / (time.perf_counter() - start)
