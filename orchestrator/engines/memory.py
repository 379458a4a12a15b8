"""An engine without containers, for tests and for trying the server where there is no Docker.

It keeps the whole contract of :class:`orchestrator.engines.Engine`. Ports are served by threads of
this process.
"""

import queue
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestrator.engines import Feature, Listener, Phase, Process, Result, Status, Usage
from orchestrator.engines.listening import LISTENERS_MOST
from orchestrator.engines.memory_shell import MemoryProcess, interpret
from orchestrator.errors import (
    DialFailed,
    EngineError,
    EngineUnreachable,
    ImageMissing,
    StartFailed,
    WorkspaceStopped,
)
from orchestrator.spec import Spec
from orchestrator.stream import Stream

Handler = Callable[[socket.socket], None]
"""Serves one connection and returns; the engine closes it afterwards."""

_MEMORY_BYTES = 1 << 20


def echo(connection: socket.socket) -> None:
    """Send everything back until the other side is done."""
    while chunk := connection.recv(65536):
        connection.sendall(chunk)


@dataclass(slots=True)
class _Container:
    spec: Spec
    phase: Phase = Phase.STOPPED
    exit_code: int | None = None
    started_at: datetime | None = None
    log: str = ""
    connections: list[socket.socket] = field(default_factory=list)


class MemoryEngine:
    """Runs nothing, convincingly.

    ``images`` are the known ones, None for all. ``serve`` maps ports to handlers; the ports of
    :attr:`Spec.sockets` echo unless they are in it.
    """

    features = frozenset({Feature.PAUSE, Feature.UNIX_SOCKETS})

    def __init__(
        self, *, images: Collection[str] | None = None, serve: Mapping[int, Handler] | None = None
    ) -> None:
        self._reachable = True
        self._images = images
        self._serve = dict(serve or {})
        self._containers: dict[str, _Container] = {}
        self._watchers: list[queue.SimpleQueue[Status | None]] = []
        self._lock = threading.RLock()

    @property
    def reachable(self) -> bool:
        """Whether the engine answers; every call raises EngineUnreachable while it does not."""
        return self._reachable

    @reachable.setter
    def reachable(self, value: bool) -> None:
        with self._lock:
            self._reachable = value
            for watcher in [] if value else self._watchers:
                watcher.put(None)

    def prepare(self) -> None:
        self._get("")

    def verify(self) -> None:
        self._get("")

    def images(self) -> frozenset[str]:
        self._get("")
        return frozenset(self._images or ())

    def run(self, spec: Spec) -> Status:
        with self._lock:
            found = self._get(spec.name)
            if found and found.spec.digest() != spec.digest():
                self.remove(spec.name)
                found = None
            if found is None:
                if self._images is not None and spec.image not in self._images:
                    raise ImageMissing(f"The image {spec.image} is not on this server")
                found = self._containers[spec.name] = _Container(spec)
            if found.phase is Phase.PAUSED:
                found.phase = Phase.RUNNING
                self._tell(spec.name)
            elif found.phase is not Phase.RUNNING:
                self._start(found)
            return self.inspect(spec.name)

    def _start(self, container: _Container) -> None:
        container.started_at = datetime.now(UTC)
        container.exit_code = None
        spec = container.spec
        code, out, errors = interpret([*spec.entrypoint, *spec.command] or ["sleep"], b"")
        container.log = (out + errors).decode()
        if code is None:
            container.phase = Phase.RUNNING
            self._tell(spec.name)
            return
        container.phase = Phase.FAILED if code else Phase.STOPPED
        container.exit_code = code
        self._tell(spec.name)
        raise StartFailed(f"{spec.name} ended at once: exit code {code}", log=container.log)

    def stop(self, name: str, *, grace: float = 10.0) -> None:
        with self._lock:
            container = self._get(name)
            if container is None or container.phase not in (Phase.RUNNING, Phase.PAUSED):
                return
            container.phase = Phase.STOPPED
            container.exit_code = 143  # 128 + SIGTERM
            for connection in container.connections:
                _hang_up(connection)
            container.connections.clear()
            self._tell(name)

    def pause(self, name: str) -> None:
        with self._lock:
            container = self._get(name)
            if container and container.phase is Phase.RUNNING:
                container.phase = Phase.PAUSED
                self._tell(name)

    def remove(self, name: str) -> None:
        with self._lock:
            self.stop(name)
            if self._containers.pop(name, None):
                self._tell(name)

    def inspect(self, name: str) -> Status:
        with self._lock:
            container = self._get(name)
            if container is None:
                return Status(name, Phase.ABSENT)
            failed = container.phase is Phase.FAILED
            return Status(
                name=name,
                phase=container.phase,
                reason=f"exit code {container.exit_code}" if failed else "",
                digest=container.spec.digest(),
                started_at=container.started_at,
                exit_code=container.exit_code,
            )

    def census(self) -> Iterator[Status]:
        with self._lock:
            self._get("")
            return iter([self.inspect(name) for name in self._containers])

    def watch(self) -> Iterator[Status]:
        changes: queue.SimpleQueue[Status | None] = queue.SimpleQueue()
        with self._lock:
            self._get("")
            self._watchers.append(changes)
        return self._follow(changes)

    def _follow(self, changes: "queue.SimpleQueue[Status | None]") -> Iterator[Status]:
        try:
            while status := changes.get():
                yield status
        finally:
            with self._lock:
                self._watchers.remove(changes)
        raise EngineUnreachable

    def _tell(self, name: str) -> None:
        for watcher in self._watchers:
            watcher.put(self.inspect(name))

    def fail(self, name: str, exit_code: int = 1) -> None:
        """Let the container end by itself, as a crash would."""
        with self._lock:
            self.stop(name)
            container = self._containers[name]
            container.phase, container.exit_code = Phase.FAILED, exit_code
            self._tell(name)

    def exec(
        self, name: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Result:
        self._running(name)
        code, out, errors = interpret(argv, stdin)
        if code is None:
            raise EngineError(f"The command did not end within {timeout:g} seconds")
        return Result(code, out, errors)

    def spawn(self, name: str, argv: Sequence[str]) -> Process:
        self._running(name)
        return MemoryProcess(argv)

    def dial(self, name: str, port: int, *, timeout: float = 5.0) -> Stream:
        with self._lock:
            container = self._get(name)
            if container and container.phase is Phase.FAILED:
                raise StartFailed(f"{name} ended", log=container.log)
            container = self._running(name)
            default = echo if port in dict(container.spec.sockets) else None
            handler = self._serve.get(port, default)
            if handler is None:
                raise DialFailed(f"Nothing answers on port {port} of {name}")
            ours, theirs = socket.socketpair()
            container.connections.append(theirs)
        threading.Thread(
            target=self._handle, args=(handler, theirs, container), daemon=True
        ).start()
        return ours

    def _handle(self, handler: Handler, connection: socket.socket, container: _Container) -> None:
        try:
            with connection:
                handler(connection)
        except OSError:
            pass  # the other side went away, or the container was stopped
        finally:
            with self._lock:
                if connection in container.connections:
                    container.connections.remove(connection)

    def listeners(self, name: str) -> list[Listener]:
        with self._lock:
            container = self._get(name)
            if container is None or container.phase is not Phase.RUNNING:
                return []
            ports = sorted(self._serve.keys() - dict(container.spec.sockets).keys())
            return [Listener(port, "127.0.0.1", "memory") for port in ports[:LISTENERS_MOST]]

    def listen(self, port: int, handler: Handler | None = echo) -> None:
        """Have every container answer on ``port``, or with None no longer."""
        with self._lock:
            if handler is None:
                self._serve.pop(port, None)
            else:
                self._serve[port] = handler

    def usage(self, name: str) -> Usage | None:
        with self._lock:
            container = self._get(name)
            if container is None or container.phase not in (Phase.RUNNING, Phase.PAUSED):
                return None
            return Usage(0.0, _MEMORY_BYTES, 1, 0, 0, 0)

    def logs(self, name: str, *, lines: int = 20) -> str:
        with self._lock:
            container = self._get(name)
            return "".join(container.log.splitlines(keepends=True)[-lines:]) if container else ""

    def _get(self, name: str) -> _Container | None:
        if not self.reachable:
            raise EngineUnreachable()
        return self._containers.get(name)

    def _running(self, name: str) -> _Container:
        with self._lock:
            container = self._get(name)
            if container is None or container.phase is not Phase.RUNNING:
                raise WorkspaceStopped(f"{name} is not running")
            return container


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)  # its thread wakes and closes it
