"""The product as a benchmark meets it: a server of its own, its users, and nothing left behind."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Self

from benchmarks.client import Terminal
from benchmarks.mounts import detach_below
from benchmarks.processes import ROOT, docker, free_port, wait_until
from orchestrator.commons import space
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_network import bridge_name
from orchestrator.engines.docker_spec import INSTANCE_LABEL
from orchestrator.engines.egress import Egress
from orchestrator.platform import RUN_ROOT, git_root

ENGINE_URL = "unix:///var/run/docker.sock"
PASSWORD = "correct horse battery staple"
PREFIX = "bench-"
READY_SECONDS = 60.0
KEPT_SECONDS = 30.0
_numbers = count()


class Server:
    """``python app.py`` with its own data, port and instance; a context manager."""

    def __init__(self, **settings: str) -> None:
        sweep_the_killed()
        self.instance = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
        self.port = free_port()
        self._directory = tempfile.TemporaryDirectory(prefix="rbbench")
        self.data_dir = Path(self._directory.name)
        self._log = (self.data_dir / "server.log").open("w")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ROOTBLOOD_")} | {
            "ROOTBLOOD_DATA_DIR": str(self.data_dir),
            "ROOTBLOOD_INSTANCE": self.instance,
            "ROOTBLOOD_LISTEN": f"127.0.0.1:{self.port}",
            "ROOTBLOOD_RATE_LIMITS": "off",
            "ROOTBLOOD_RESERVE_BYTES": "0",
        }
        self._process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment | settings,
            stdout=self._log, stderr=self._log,
        )  # fmt: skip

    def __enter__(self) -> Self:
        try:
            wait_until(self._is_ready, "the server", READY_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
        self._log.close()
        sweep(self.instance, self.run_dirs())
        self._directory.cleanup()

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def log(self) -> str:
        """Return what the server wrote."""
        return (self.data_dir / "server.log").read_text()

    def user(self, name: str) -> "User":
        """Register an account and sign it in with a token."""
        person = User(self, name, "")
        credentials = {"username": name, "password": PASSWORD}
        person.call("POST", "/api/v1/users", credentials)
        person.token = person.call("POST", "/api/v1/tokens", credentials)["token"]
        return person

    def run_dirs(self) -> Path:
        """Return where the workspaces' sockets are."""
        root = RUN_ROOT / self.instance
        return root if os.geteuid() == 0 else self.data_dir / "run"

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the server did not start: {self.log()}")
        return "RootBlood serves" in self.log()


def sweep(instance: str, run_dirs: Path) -> None:
    """Remove all that a server of this instance made on the machine."""
    engine = DockerEngine(ENGINE_URL, instance=instance, run_root=run_dirs, enforce_egress=False)
    for status in list(engine.census()):
        engine.remove(status.name)
    engine.close()
    homes = run_dirs.with_name(f"{run_dirs.name}.homes")
    detach_below(homes)
    with suppress(OSError):  # a directory that is still mounted stays
        for directory in homes.iterdir():
            directory.rmdir()
        homes.rmdir()
        (run_dirs / ".lock").unlink()
        run_dirs.rmdir()
    space.sweep(git_root(instance))
    for mounted in (RUN_ROOT / f"{instance}.git").glob("*"):
        subprocess.run(["umount", "-l", str(mounted)], check=False, capture_output=True)
        with suppress(OSError):
            mounted.rmdir()
            mounted.parent.rmdir()
    for volume in docker("volume", "ls", "-q", "--filter", f"label={INSTANCE_LABEL}={instance}"):
        docker("volume", "rm", volume)
    for network in docker("network", "ls", "-q", "--filter", f"name=^{instance}$"):
        docker("network", "rm", network)
    if os.geteuid() == 0:
        Egress(instance, bridge_name(instance), ()).remove()


def sweep_the_killed() -> None:
    """Remove what benchmarks left behind that were killed before they could."""
    for instance in docker("network", "ls", "--format", "{{.Name}}", "--filter", f"name=^{PREFIX}"):
        if not Path(f"/proc/{instance.removeprefix(PREFIX).split('-')[0]}").exists():
            sweep(instance, RUN_ROOT / instance)


class User:
    """Somebody with a token, on one connection that is kept. Not for use by several threads."""

    def __init__(self, server: Server, name: str, token: str) -> None:
        self.server = server
        self.name = name
        self.token = token
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self._used = time.monotonic()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return the answer's JSON. Raises: RuntimeError."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if time.monotonic() - self._used > KEPT_SECONDS:
            self._connection.close()  # the server hangs up on who says nothing for so long
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, headers)
        response = self._connection.getresponse()
        text = response.read()
        self._used = time.monotonic()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode()[:500]}")
        return json.loads(text) if text else None

    def open_session(self) -> str:
        """Have the default workspace running; return its name."""
        return str(self.call("POST", "/session")["workspace"])

    def terminal(self, workspace: str = "main", session: str = "main") -> Terminal:
        """Open a terminal."""
        return Terminal.over_tcp(
            self.server.port,
            f"/api/v1/workspaces/{workspace}/terminal?session={session}",
            {"Host": f"127.0.0.1:{self.server.port}", "Authorization": f"Bearer {self.token}"},
        )

    def close(self) -> None:
        """Close the kept connection."""
        self._connection.close()
