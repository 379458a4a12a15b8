"""The minimal server as a process, for tests of what lies below the product's views."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.websocket import accept_key
from tests.wire import DEADLINE_SECONDS, receive_all, receive_head, websocket_request

PROGRAM = Path(__file__).with_name("minimal_server.py")


class Serving:
    """One running minimal server."""

    def __init__(self, *bounds: str, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", str(PROGRAM), str(port), *bounds],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROGRAM.parents[1],
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().removeprefix("ready") or 0)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_SECONDS)

    def request(self, sock: socket.socket, target: str, method: str = "GET") -> tuple[int, Any]:
        """Send one request on a kept connection; return its status and JSON, if it is that."""
        sock.sendall(f"{method} {target} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
        return answer(sock)

    def get(self, target: str) -> Any:
        with self.connect() as sock:
            status, value = self.request(sock, target)
        assert status == 200
        return value

    def upgrade(
        self, upstream: Path | str, *, early: bytes = b"", **fields: str
    ) -> tuple[socket.socket, bytes, bytes]:
        """Open a WebSocket; return its socket, the answer's head and what came behind it."""
        sock = self.connect()
        request = websocket_request(f"/ws?upstream={upstream}", self.host, **fields)
        sock.sendall(request + early)
        return sock, *receive_head(sock)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End the server by a signal; return its code and what it wrote to standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=DEADLINE_SECONDS)
        return self.process.returncode, errors


def answer(sock: socket.socket) -> tuple[int, Any]:
    """Read one response with a known length; return its status and JSON."""
    head, rest = receive_head(sock)
    fields = dict(
        line.decode().lower().split(": ", 1) for line in head.split(b"\r\n")[1:] if b":" in line
    )
    size = int(fields["content-length"])
    while len(rest) < size:
        part = sock.recv(size - len(rest))
        assert part, "the body is cut off"
        rest += part
    is_json = fields.get("content-type") == "application/json"
    return int(head.split()[1]), json.loads(rest) if is_json else rest.decode()


def accept_upgrade(connection: socket.socket, *extra: bytes) -> bytes:
    """Answer a handshake as ttyd does; return the request."""
    head, rest = receive_head(connection)
    assert rest == b""
    key = next(
        line.split(b": ")[1]
        for line in head.split(b"\r\n")
        if line.startswith(b"Sec-WebSocket-Key")
    )
    lines = (
        b"HTTP/1.1 101 Switching Protocols", b"Upgrade: WebSocket", b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept_key(key.decode()).encode(),
        b"Sec-WebSocket-Protocol: tty", *extra, b"", b"",
    )  # fmt: skip
    connection.sendall(b"\r\n".join(lines))
    return head


def ended(sock: socket.socket) -> bytes:
    """Return what still comes up to the end, however it ends."""
    try:
        return receive_all(sock)
    except ConnectionResetError:
        return b""


@contextmanager
def serving(*bounds: str) -> Iterator[Serving]:
    """Run a server; fail when it complains."""
    server = Serving(*bounds)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            code, errors = server.stop()
            assert (code, errors) == (0, "")
