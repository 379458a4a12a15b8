"""Files through the API, beside a command for each in the container, and SFTP without the API."""

import http.client
import os
import statistics
import time
from collections.abc import Callable

from benchmarks.processes import docker
from benchmarks.results import Result, bounded
from benchmarks.server import ENGINE_URL, Server, User
from orchestrator.engines import Engine
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_spec import INSTANCE_LABEL
from orchestrator.files.over_sftp import SftpFiles
from orchestrator.files.pool import Pool

ROUNDS = 25
PAUSE_SECONDS = 0.2
ENTRIES = 1000
BLOCK = os.urandom(1 << 20)
LARGE_BYTES = 1 << 30
LIST_MS, CONTENT_MS = 25.0, 20.0
Work = Callable[[], object]


class Remote:
    """Somebody's files over the API, on one connection."""

    def __init__(self, user: User) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", user.server.port, timeout=120)
        self._header = {"Authorization": f"Bearer {user.token}"}
        self.etag = ""

    def ask(self, method: str, path: str, body: bytes | None = None, *, match: str = "") -> bytes:
        """Send one request. Raises: RuntimeError."""
        header = self._header | ({"If-Match": match} if match else {})
        self._connection.request(method, f"/api/v1/workspaces/main/files{path}", body, header)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]!r}")
        self.etag = response.headers.get("ETag", "")
        return answer

    def drain(self, path: str) -> None:
        """Download a file to nowhere."""
        url = f"/api/v1/workspaces/main/files/content?path={path}"
        self._connection.request("GET", url, headers=self._header)
        response = self._connection.getresponse()
        while response.read(1 << 20):
            pass

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def run() -> list[Result]:
    """Measure files; needs a Docker Engine."""
    with Server() as server:
        user = server.user("keeper")
        user.open_session()
        label = f"label={INSTANCE_LABEL}={server.instance}"
        (container,) = docker("ps", "--filter", label, "--format", "{{.Names}}")
        engine = DockerEngine(
            ENGINE_URL, instance=server.instance, run_root=server.run_dirs(), enforce_egress=False
        )
        pool, remote = Pool(engine, container), Remote(user)
        try:
            return _measured(engine, pool, remote, f"/home/{user.name}")
        finally:
            remote.close()
            pool.close()
            engine.close()
            user.close()


def _measured(engine: Engine, pool: Pool, remote: Remote, home: str) -> list[Result]:
    sftp, container = SftpFiles(pool, home), pool.container
    _command(engine, container, f"mkdir many; cd many; seq -f 'n%g' {ENTRIES} | xargs touch")
    remote.ask("PUT", "/content?path=file", BLOCK)

    def save() -> None:
        remote.ask("PUT", "/content?path=file", BLOCK, match=remote.etag)

    def read() -> None:
        opened = sftp.open(f"{home}/file")
        for _piece in opened.read(0, opened.size):
            pass

    def exec_(script: str, stdin: bytes = b"") -> Work:
        return lambda: _command(engine, container, script, stdin)

    results: list[Result] = []
    for what, most, api, raw, command in (
        (f"{ENTRIES} entries listed", LIST_MS, lambda: remote.ask("GET", "?path=many"),
         lambda: sftp.listed(f"{home}/many", most=ENTRIES), exec_("ls -l many")),
        ("1 MB read", CONTENT_MS, lambda: remote.ask("GET", "/content?path=file"),
         read, exec_("cat file")),
        ("1 MB written", CONTENT_MS, lambda: remote.ask("PUT", "/content?path=file", BLOCK),
         lambda: sftp.write(f"{home}/raw", [BLOCK]), exec_("cat > other", BLOCK)),
    ):  # fmt: skip
        taken = _side_by_side(api, raw, command)
        results += [
            bounded(f"{what}, API", taken[0], "ms", most=most),
            bounded(f"{what}, SFTP alone", taken[1], "ms"),
            bounded(f"{what}, a command", taken[2], "ms"),
        ]
    remote.ask("GET", "/content?path=file")
    results.append(bounded("1 MB saved with If-Match, API", _side_by_side(save)[0], "ms"))
    return [*results, *_downloads(engine, remote, container)]


def _downloads(engine: Engine, remote: Remote, container: str) -> list[Result]:
    _command(engine, container, f"truncate -s {LARGE_BYTES} large")

    def cat() -> None:
        process = engine.spawn(container, ("cat", f"{_home(engine, container)}/large"))
        while process.read(1 << 20):
            pass
        process.close()

    api, command = (
        LARGE_BYTES / 1e3 / milliseconds
        for milliseconds in _side_by_side(lambda: remote.drain("large"), cat, rounds=3)
    )
    return [
        bounded("1 GB downloaded, API", api, "MB/s"),
        bounded("1 GB downloaded, a command", command, "MB/s"),
    ]


def _home(engine: Engine, container: str) -> str:
    return engine.exec(container, ("sh", "-c", "echo ~")).stdout.decode().strip()


def _command(engine: Engine, container: str, script: str, stdin: bytes = b"") -> None:
    result = engine.exec(container, ("/bin/sh", "-c", f"cd; {script}"), stdin=stdin)
    if result.exit_code:
        raise RuntimeError(result.stderr.decode(errors="replace"))


def _side_by_side(*works: Work, rounds: int = ROUNDS) -> list[float]:
    """Return the median of each in milliseconds; they take turns, with a pause between them.

    What one has written is still on its way to the disk when it has returned.
    """
    taken: list[list[float]] = [[] for _ in works]
    for work in works:
        work()
    for _round in range(rounds):
        for work, times in zip(works, taken, strict=True):
            time.sleep(PAUSE_SECONDS)
            start = time.perf_counter()
            work()
            times.append((time.perf_counter() - start) * 1000)
    return [statistics.median(times) for times in taken]
