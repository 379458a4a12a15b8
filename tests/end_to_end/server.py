"""The real server as a process of its own, to be killed, starved and started again."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.end_to_end.waiting import until

PROJECT = Path(__file__).resolve().parents[2]
LIVE: list["Server"] = []
"""Servers that have not been closed: their logs are shown when a test fails."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports(count: int) -> range:
    """Return that many ports in a row that nobody listens on."""
    while True:
        first = free_port()
        try:
            for port in range(first, first + count):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return range(first, first + count)


class Server:
    """``python app.py`` on a port of its own.

    ``root`` holds its data directory, unless ``data_dir`` says otherwise, and its log.
    ``settings`` are the server's, as in ``idle_seconds=3``.
    """

    def __init__(
        self, root: Path, instance: str, *, data_dir: Path | None = None, **settings: object
    ) -> None:
        self.root = root
        self.instance = instance
        self.data_dir = data_dir or root / "data"
        self.port = free_port()
        self.log = root / f"server-{self.port}.log"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        LIVE.append(self)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """Return the environment of the server and of its tools."""
        settings = {
            "data_dir": self.data_dir,
            "instance": self.instance,
            "listen": self.host,
            "rate_limits": "off",
        } | self._settings
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | {f"ROOTBLOOD_{key.upper()}": str(value) for key, value in settings.items()}

    def start(self) -> "Server":
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            # setpriv: a killed test run must not leave its server behind.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "app.py"],
                cwd=PROJECT, env=self.environment(), stdout=log, stderr=log,
            )  # fmt: skip
        until(self._answers, "the server answers")
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server did not start:\n{self.log.read_text()}"
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def kill(self) -> None:
        """End it without any warning, as a crash or the kernel's OOM killer does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(30)

    def close(self) -> None:
        """End it if it still runs, and forget it; closing twice is allowed."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        if self in LIVE:
            LIVE.remove(self)

    def get(self, path: str) -> tuple[int, Any]:
        """Ask as a stranger; return the status and the JSON."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")

    def resident_bytes(self) -> int:
        """Return the memory of the process that is really in memory: proc_pid_status(5)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the database."""
        path = f"file:{self.data_dir.absolute()}/rootblood.db?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=10)) as database:
            return list(database.execute(query))

    def holds(self, local_port: int) -> bool:
        """Tell whether the server still has the connection that comes from ``local_port``.

        In proc_pid_net(5)'s table of TCP connections, its own end of it is established (01).
        """
        mine, theirs = f":{self.port:04X}", f":{local_port:04X}"
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            local, remote, state = line.split()[1:4]
            if local.endswith(mine) and remote.endswith(theirs) and state == "01":
                return True
        return False
