"""A server of previews as a process, apps that say what a test wants, and their viewers."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.serving import answer
from tests.wire import DEADLINE_SECONDS, receive_all, receive_head, wait_for

PROGRAM = Path(__file__).with_name("program.py")
Talk = Callable[[socket.socket], object]


class App:
    """A program on a port of this machine; ``talk`` gets each connection, ``seen`` counts them."""

    def __init__(self, talk: Talk) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self.listener.getsockname()[1])
        self.connections: list[socket.socket] = []
        self._talk = talk
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.settimeout(DEADLINE_SECONDS)
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, AssertionError):
            self._talk(connection)

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE_SECONDS)
        self.listener.close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running(talk: Talk) -> Iterator[App]:
    """Run an app."""
    app = App(talk)
    try:
        yield app
    finally:
        app.close()


def saying(*answers: bytes) -> Talk:
    """Return the talk of an app that reads a head and sends an answer, for each, and goes on."""

    def talk(connection: socket.socket) -> None:
        while True:
            for said in answers:
                receive_head(connection)
                connection.sendall(said)

    return talk


def once(said: bytes) -> Talk:
    """Return the talk of an app that hangs up after an answer."""

    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(said)

    return talk


class Previews:
    """A running server of previews."""

    def __init__(self, *bounds: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", str(PROGRAM), *bounds],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().removeprefix("ready") or 0)

    def host(self, app: App | int, workspace: str = "main") -> str:
        port = app if isinstance(app, int) else app.port
        return f"{port}--{workspace}--ada.localhost:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_SECONDS)

    def request(
        self, host: str, *fields: str, target: str = "/", method: str = "GET", body: bytes = b""
    ) -> bytes:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]
        return "\r\n".join(lines).encode("latin-1") + body

    def ask(
        self, app: App | int, *fields: str, workspace: str = "main", target: str = "/",
        method: str = "GET", body: bytes = b"",
    ) -> tuple[int, list[bytes], bytes]:  # fmt: skip
        """Send one request and hang up; return status, the head's lines and all that came."""
        host = self.host(app, workspace)
        with self.connect() as sock:
            sent = ("Connection: close", *fields)
            sock.sendall(self.request(host, *sent, target=target, method=method, body=body))
            head, rest = receive_head(sock)
            with suppress(ConnectionResetError):
                rest += receive_all(sock)
        return int(head.split()[1]), head.split(b"\r\n"), rest

    def seen(self) -> Any:
        with self.connect() as sock:
            sock.sendall(b"GET /seen HTTP/1.1\r\nHost: panel\r\nConnection: close\r\n\r\n")
            return answer(sock)[1]

    def settles(self, **wanted: int) -> None:
        """Wait until what the server has open is as wanted."""
        wait_for(lambda: wanted.items() <= self.seen().items(), f"{wanted}")

    def hang_up(self) -> None:
        with self.connect() as sock:
            sock.sendall(b"POST /hang-up HTTP/1.1\r\nHost: panel\r\nContent-Length: 0\r\n\r\n")
            assert answer(sock)[0] == 200

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=DEADLINE_SECONDS)
        return self.process.returncode, errors


@contextmanager
def serving(*bounds: str) -> Iterator[Previews]:
    """Run a server of previews; fail when something in it breaks."""
    previews = Previews(*bounds)
    try:
        yield previews
    finally:
        if previews.process.poll() is None:
            code, said = previews.stop()
            assert code == 0
            assert "level=error" not in said
            assert "Traceback" not in said


def fields(lines: list[bytes]) -> dict[str, str]:
    """Return a head's fields by their lower-case names."""
    pairs = (line.decode("latin-1").split(": ", 1) for line in lines[1:])
    return {name.lower(): value for name, value in pairs}
