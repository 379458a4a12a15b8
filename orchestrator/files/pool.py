"""The sftp-servers that run: a few for each place, so that a long download holds nobody up."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from orchestrator.engines import Engine, Process
from orchestrator.errors import EngineError
from orchestrator.files.sftp import Client, Refused
from orchestrator.files.sftp_wire import Lost
from orchestrator.logs import log

LOG = log(__name__)
T = TypeVar("T")
CLIENTS_MAX = 3
IDLE_SECONDS = 60.0
DUE_MAX = 8


class Pool:
    """The servers of one container."""

    def __init__(self, engine: Engine, container: str) -> None:
        self.container = container
        self.used = time.monotonic()
        """When somebody last asked for something."""
        self.saving = threading.Lock()
        """Held between a look at a file and its replacement."""
        self._engine = engine
        self._clients: list[Client] = []
        self._growing = threading.Lock()
        self._due = threading.BoundedSemaphore(DUE_MAX)

    @property
    def live(self) -> bool:
        """Whether there is a server that has not failed yet."""
        return any(not client.lost for client in self._clients)

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer, or has something open."""
        return any(client.waiting or client.handles for client in self._clients if not client.lost)

    def spawn(self, argv: Sequence[str]) -> Process:
        """Start a program beside the servers. Raises: WorkspaceStopped."""
        return self._engine.spawn(self.container, argv)

    def do(self, work: Callable[[Client], T]) -> T:
        """Return ``work(client)``; again where the client was lost while it lay idle.

        Raises: WorkspaceStopped, Lost.
        """
        for _ in range(CLIENTS_MAX + 1):  # all of them may have been lost
            client, fresh = self._pick()
            try:
                return work(client)
            except Lost:
                client.close()
                if fresh:
                    raise
        raise Lost

    def _pick(self) -> tuple[Client, bool]:
        """Return the client with the least to do and whether it has just been made."""
        self.used = time.monotonic()
        clients = [client for client in self._clients if not client.lost]
        best = min(clients, key=lambda client: client.waiting, default=None)
        if best is None or (best.waiting and len(clients) < CLIENTS_MAX):
            with self._growing:
                # Whoever waited here finds what the one before it made.
                clients = [client for client in self._clients if not client.lost]
                idle = [client for client in clients if not client.waiting]
                if not idle and len(clients) < CLIENTS_MAX:
                    return self._grow(), True
            best = idle[0] if idle else min(clients, key=lambda client: client.waiting)
        return best, False

    def _grow(self) -> Client:
        client = Client(self.spawn)
        self._clients = [one for one in self._clients if not one.lost] + [client]
        return client

    def later(self, work: Callable[[], object]) -> None:
        """Do ``work`` beside what the caller goes on with; where much is due already, at once.

        What goes wrong is logged.
        """

        def tried() -> None:
            try:
                work()
            except (EngineError, Refused) as error:
                LOG.warning("files.not-synced", container=self.container, why=str(error))

        def released() -> None:
            try:
                tried()
            finally:
                self._due.release()

        if self._due.acquire(blocking=False):
            threading.Thread(target=released, daemon=True).start()
        else:
            tried()

    def close(self) -> None:
        """End all servers; whoever still uses one gets Lost."""
        clients, self._clients = self._clients, []
        for client in clients:
            client.close()


class Pools:
    """The pools of this process, by the names of their containers."""

    def __init__(self) -> None:
        self._pools: dict[str, Pool] = {}

    def of(self, engine: Engine, container: str) -> Pool:
        """Return the container's pool, which may have no client yet."""
        make = partial(Pool, engine, container)
        return self._pools.get(container) or self._pools.setdefault(container, make())

    def live(self, container: str) -> bool:
        """Return whether a server of the container's was still there when last used."""
        pool = self._pools.get(container)
        return pool is not None and pool.live

    def used(self, container: str) -> float:
        """Return when the container's pool was last used, by the monotonic clock."""
        pool = self._pools.get(container)
        return pool.used if pool else 0.0

    def drop(self, container: str) -> None:
        """Close the pool of a container that has ended or is to end."""
        if pool := self._pools.pop(container, None):
            pool.close()

    def close_idle(self, clock: float) -> None:
        """Close what nobody used for a while."""
        for container, pool in list(self._pools.items()):
            if clock - pool.used >= IDLE_SECONDS and not pool.busy:
                self.drop(container)
