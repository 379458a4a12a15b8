"""Connections into a container, by the shortest way there is.

In this order: the unix socket in the run directory that the spec maps the port to; the container's
loopback, from inside its network namespace; its address on the bridge.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from socket import create_connection, socket
from typing import Any

from orchestrator.engines import Phase, Status, netns
from orchestrator.engines.docker_spec import (
    OWNER_LABEL,
    SOCKETS_LABEL,
    sockets_of,
    status_of,
)
from orchestrator.engines.run_dirs import RunDirs, UnsafeSocketError
from orchestrator.errors import DialFailed, StartFailed, WorkspaceStopped

_FIRST_WAIT, _LONGEST_WAIT = 0.002, 0.02
_LOOK_SECONDS = 0.1  # how often to ask the engine whether a silent container still runs


@dataclass(frozen=True, slots=True)
class Door:
    """What it takes to reach into one running container."""

    name: str
    id: str
    pid: int
    owner: int
    address: str
    sockets: Mapping[int, str]


class Dialer:
    """Remembers how to reach each container until that fails.

    ``find`` inspects by name (None when absent), ``logs`` returns the last lines of a name.
    """

    def __init__(
        self,
        run_dirs: RunDirs,
        find: Callable[[str], Mapping[str, Any] | None],
        logs: Callable[[str], str],
    ) -> None:
        self._run_dirs = run_dirs
        self._find = find
        self._logs = logs
        self._doors: dict[str, Door] = {}

    def forget(self, name: str) -> None:
        """Look again before the next connection to ``name``."""
        self._doors.pop(name, None)

    def door(self, name: str) -> Door | None:
        """Return the way into a container, None unless it runs."""
        try:
            return self._doors.get(name) or self._look(name)
        except (StartFailed, WorkspaceStopped):
            return None

    def dial(self, name: str, port: int, *, timeout: float) -> socket:
        """Connect to ``port`` of ``name``, waiting for a program that is about to listen.

        Raises: DialFailed, StartFailed, WorkspaceStopped.
        """
        deadline = time.monotonic() + timeout
        door, is_new = self._doors.get(name), False
        wait, look_at = _FIRST_WAIT, 0.0
        reason = "the workspace is still starting"
        while True:
            if door is None:
                door, is_new = self._look(name), True
                look_at = time.monotonic() + _LOOK_SECONDS
            if door:
                try:
                    left = max(0.001, deadline - time.monotonic())
                    return self._connect(door, port, left, is_new=is_new)
                except UnsafeSocketError as error:
                    self.forget(name)
                    raise DialFailed(f"Port {port} of {name}: {error.strerror}") from error
                except OSError as error:
                    reason = error.strerror or str(error)
                    if isinstance(error, ConnectionRefusedError):  # by a container that is there
                        look_at = look_at or time.monotonic() + _LOOK_SECONDS
                    elif isinstance(error, netns.NotHereError) and not is_new:
                        door = None
                        continue
            now = time.monotonic()
            if now >= deadline:
                raise DialFailed(f"Nothing answers on port {port} of {name}: {reason}")
            if now >= look_at:
                door = None  # is it still there?
                continue
            time.sleep(min(wait, deadline - now))
            wait = min(wait * 2, _LONGEST_WAIT)

    def _look(self, name: str) -> Door | None:
        """Return the way into a running container, None while it is being started."""
        self.forget(name)
        info = self._find(name)
        status = status_of(name, info) if info else Status(name, Phase.ABSENT)
        if info is None or status.phase in (Phase.ABSENT, Phase.STOPPED, Phase.PAUSED):
            raise WorkspaceStopped(f"{name} is {status.phase}, not running")
        if status.phase is Phase.FAILED:
            raise StartFailed(f"{name} ended: {status.reason}", log=self._logs(name))
        if status.phase is Phase.PENDING:
            return None
        labels = info["Config"]["Labels"]
        networks = info["NetworkSettings"]["Networks"].values()
        door = Door(
            name=name,
            id=info["Id"],
            pid=info["State"]["Pid"],
            owner=int(labels.get(OWNER_LABEL, "-1")),
            address=next((network["IPAddress"] for network in networks), ""),
            sockets=sockets_of(labels.get(SOCKETS_LABEL, "")),
        )
        self._doors[name] = door
        return door

    def _connect(self, door: Door, port: int, timeout: float, *, is_new: bool) -> socket:
        """Connect through a door; by its address only where it ``is_new``.

        Of a container that has ended another one, of somebody else, may have the address by now.
        """
        file = door.sockets.get(port)
        if file:
            return self._run_dirs.connect(door.name, file, door.owner)
        try:
            return netns.connect(door.pid, door.id, port, address=door.address, timeout=timeout)
        except netns.NotHereError:
            if not door.address or not is_new:
                raise
        connection = create_connection((door.address, port), timeout)
        connection.settimeout(None)
        return connection
