"""One process at a time changes a workspace, and a crashed one never blocks it for long.

A claim is a lease in the row, taken with a single conditional UPDATE, so it holds between
servers that share a database. Inside one process a lock per workspace lets callers queue without
asking the database again and again.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import or_, update

from models import Workspace, db, end_reading, rows_changed, utcnow, writing
from orchestrator.errors import Busy, NotFound

_POLL_SECONDS = 0.1


class Claims:
    """Claims of one server process, named so that its next start can free what it left."""

    def __init__(self, server: str, lease_seconds: float) -> None:
        self.server = server
        self._lease = timedelta(seconds=lease_seconds)
        self._guard = threading.Lock()
        self._locks: dict[int, tuple[threading.Lock, int]] = {}

    @contextmanager
    def claim(self, workspace_id: int, *, patience: float) -> Iterator[Workspace]:
        """Hold the workspace and yield its fresh row; wait up to ``patience`` seconds for it.

        No transaction is open while it waits, nor when it yields.
        Raises: Busy, NotFound when it is gone by then.
        """
        end_reading()
        deadline = time.monotonic() + patience
        with self._queue(workspace_id, patience):
            while not self._take(workspace_id):
                if db.session.get(Workspace, workspace_id, populate_existing=True) is None:
                    raise NotFound("The workspace is gone")
                db.session.rollback()
                if time.monotonic() >= deadline:
                    raise Busy
                time.sleep(_POLL_SECONDS)
            try:
                row = db.session.get(Workspace, workspace_id, populate_existing=True)
                if row is None:
                    raise NotFound("The workspace is gone")
                end_reading()
                yield row
            finally:
                self._release(workspace_id)

    def renew(self, workspace_id: int) -> None:
        """Extend a claim that is held to its full length again. Raises: Busy when it was lost."""
        with writing():
            held = rows_changed(
                update(Workspace)
                .where(Workspace.id == workspace_id, Workspace.claimed_by == self.server)
                .values(claimed_until=utcnow() + self._lease)
            )
        if not held:
            raise Busy

    def free_leftovers(self) -> None:
        """Free what a crashed process of the same name still claims."""
        with writing():
            db.session.execute(
                update(Workspace)
                .where(Workspace.claimed_by == self.server)
                .values(claimed_until=None, claimed_by=None)
            )

    def _take(self, workspace_id: int) -> bool:
        now = utcnow()
        with writing():
            return bool(
                rows_changed(
                    update(Workspace)
                    .where(
                        Workspace.id == workspace_id,
                        or_(Workspace.claimed_until.is_(None), Workspace.claimed_until < now),
                    )
                    .values(claimed_until=now + self._lease, claimed_by=self.server)
                )
            )

    def _release(self, workspace_id: int) -> None:
        with writing():
            rows_changed(
                update(Workspace)
                .where(Workspace.id == workspace_id, Workspace.claimed_by == self.server)
                .values(claimed_until=None, claimed_by=None)
            )

    @contextmanager
    def _queue(self, workspace_id: int, patience: float) -> Iterator[None]:
        with self._guard:
            lock, users = self._locks.get(workspace_id, (threading.Lock(), 0))
            self._locks[workspace_id] = (lock, users + 1)
        try:
            if not lock.acquire(timeout=max(patience, 0.001)):
                raise Busy
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._guard:
                lock, users = self._locks[workspace_id]
                if users > 1:
                    self._locks[workspace_id] = (lock, users - 1)
                else:
                    del self._locks[workspace_id]
