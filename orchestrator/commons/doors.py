"""Doors: in each running workspace one unix socket by which it writes to the commons.

No network route leads from a workspace to the server. The socket lies in the workspace's run
directory, which is its owner's alone, and the listener behind it is ours: who comes through it is
the workspace's owner. A secret in a file beside it, new with every door and on no disk (the run
directory is a tmpfs), has to be shown too, so that a socket that somebody lets others reach, as by
a bridge, proves nothing.
"""

import hmac
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import select

from models import Standing, State, User, Workspace, db, end_reading
from orchestrator.engines.run_dirs import RunDirs
from orchestrator.logs import log

LOG = log(__name__)
SOCKET = "commons.sock"
SECRET = "commons.token"  # noqa: S105 - a file's name
TURN_SECONDS = 1.0
_SECRET_BYTES = 24


@dataclass(frozen=True, slots=True)
class Door:
    """One workspace's door, and whose it is."""

    container: str
    user_id: int
    secret: str

    def visitor(self, secret: str) -> User | None:
        """Return who comes in with that secret: the owner, while the account may be used."""
        if not hmac.compare_digest(self.secret.encode(), secret.encode()):
            return None
        user = db.session.get(User, self.user_id)
        return user if user is not None and user.standing is Standing.ACTIVE else None


class Server(Protocol):
    """What serves a listener until it is closed, and the connections it has taken."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Standing:
    server: Server
    identity: tuple[int, int] | None


class Doors:
    """Keeps a door in every running workspace; ``serve(listener, door)`` begins to serve one."""

    def __init__(self, run_dirs: RunDirs, serve: Callable[[socket.socket, Door], Server]) -> None:
        self._run_dirs = run_dirs
        self._serve = serve
        self._guard = threading.Lock()
        self._standing: dict[str, _Standing] = {}

    def turn(self) -> None:
        """Open the doors that are missing, close those of workspaces that run no longer."""
        running = select(Workspace, User).join(User).where(Workspace.state == State.RUNNING)
        rows = {row.container: (user.id, user.uid) for row, user in db.session.execute(running)}
        end_reading()
        with self._guard:
            for container in self._standing.keys() - rows.keys():
                self._standing.pop(container).server.close()
            for container, (user_id, uid) in rows.items():
                try:
                    self._keep(container, user_id, uid)
                except OSError as error:  # its directory is full, or has just gone
                    LOG.warning("door.not-opened", container=container, why=str(error))

    def close(self) -> None:
        """Close every door."""
        with self._guard:
            while self._standing:
                self._standing.popitem()[1].server.close()

    def _keep(self, container: str, user_id: int, uid: int) -> None:
        there = self._run_dirs.identity(container, SOCKET)
        before = self._standing.get(container)
        if before is not None and before.identity == there:
            return
        if before is None and self._answers(container, uid):
            return  # another server on this machine keeps it
        if before is not None:  # the workspace was started again, or its user removed the file
            self._standing.pop(container).server.close()
        door = Door(container, user_id, secrets.token_urlsafe(_SECRET_BYTES))
        owner = (uid, uid)
        self._run_dirs.write(container, SECRET, door.secret.encode(), owner)
        listener = self._run_dirs.listen(container, SOCKET, owner)
        identity = self._run_dirs.identity(container, SOCKET)
        self._standing[container] = _Standing(self._serve(listener, door), identity)

    def _answers(self, container: str, uid: int) -> bool:
        with suppress(OSError):
            self._run_dirs.connect(container, SOCKET, uid).close()
            return True
        return False
