"""The live connections of people to workspaces that this process holds.

Each has an ``ActiveSession`` row. Deleting the row, by whoever and from whichever process, hangs
up: logout, suspension, stop and deletion all come down to that. Input is noted in memory and
written at most once a minute.
"""

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from models import ActiveSession, Kind, Workspace, db, utcnow, writing
from orchestrator.errors import Conflict

TOUCH_SECONDS = 60.0
SETTLING = timedelta(seconds=3)


class Hangable(Protocol):
    """What carries a connection's bytes."""

    def close(self) -> None: ...


@dataclass(slots=True)
class Connection:
    """One live connection; ``last_input`` moves with every key."""

    id: int
    user_id: int
    """Whose pages show it: of a preview's viewer the workspace's owner, else who is connected."""
    workspace_id: int
    kind: Kind
    opened: datetime
    carrier: Hangable | None = None
    last_input: datetime | None = None
    written: datetime | None = None

    def on_input(self) -> None:
        """Note that a person typed.

        Not in the first moments: there a terminal answers tmux's questions on its own, and a tab
        that merely reconnects must not count as a person.
        """
        now = utcnow()
        if abs(now - self.opened) >= SETTLING:
            self.last_input = now


class Connections:
    """Registry of this process; ``server`` names it in the rows."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.looked = 0
        """How often it was looked for revoked ones: what was allowed before may not be since."""
        self._guard = threading.Lock()
        self._live: dict[int, Connection] = {}
        self._ended: deque[Connection] = deque()
        self._noted: dict[int, tuple[datetime, datetime]] = {}
        """Input without a connection, such as a file that was saved: the first not written down
        yet and the last, by workspace."""

    def open(
        self,
        now: datetime,
        *,
        user_id: int,
        workspace_id: int,
        kind: Kind,
        address: str,
        login_id: int | None,
        token_id: int | None,
    ) -> Connection:
        """Write the row of a new connection and register it.

        Raises: Conflict when the login, the token or the workspace has ended meanwhile.
        """
        row = ActiveSession(
            user_id=user_id,
            workspace_id=workspace_id,
            login_id=login_id,
            token_id=token_id,
            kind=kind,
            address=address,
            server=self.server,
            opened_at=now,
            last_seen_at=now,
        )
        return self._register(row, user_id)

    def open_preview(self, row: ActiveSession, owner_id: int) -> Connection:
        """Write the row of a preview's viewer and register it; pages of ``owner_id`` show it.

        Raises: Conflict when the pass, the token or the workspace has ended meanwhile.
        """
        row.kind, row.server = Kind.PREVIEW, self.server
        return self._register(row, owner_id)

    def _register(self, row: ActiveSession, user_id: int) -> Connection:
        try:
            with writing():
                db.session.add(row)
        except IntegrityError as error:
            raise Conflict("Your sign-in or the workspace has just ended") from error
        now = row.opened_at
        connection = Connection(
            row.id, user_id, row.workspace_id, row.kind, opened=now, written=now
        )
        with self._guard:
            self._live[row.id] = connection
        return connection

    def ended(self, connection: Connection) -> None:
        """Note that a connection has ended; never blocks, so the event loop itself may call it."""
        self._live.pop(connection.id, None)
        self._ended.append(connection)

    def bury(self) -> set[int]:
        """Delete the rows of ended connections, keeping their last input; return their users."""
        ended = [self._ended.popleft() for _ in range(len(self._ended))]
        if ended:
            with writing():
                for connection in ended:
                    self._write_input(connection.workspace_id, connection.last_input)
                ids = [connection.id for connection in ended]
                db.session.execute(delete(ActiveSession).where(ActiveSession.id.in_(ids)))
        return {connection.user_id for connection in ended}

    def hang_up_revoked(self) -> int:
        """Close every connection whose row is gone; return how many.

        One that is still being put together stays listed, so that the next call closes it.
        """
        self.looked += 1
        with self._guard:
            live = dict(self._live)
        if not live:
            return 0
        mine = select(ActiveSession.id).where(ActiveSession.server == self.server)
        rows = set(db.session.scalars(mine))
        db.session.rollback()
        gone = [(c.id, c.carrier) for id, c in live.items() if id not in rows and c.carrier]
        for id, carrier in gone:
            with self._guard:
                self._live.pop(id, None)
            carrier.close()
        return len(gone)

    def touch(self, now: datetime) -> None:
        """Write what is due: heartbeats and input, each row at most once a minute."""
        with self._guard:
            live = list(self._live.values())
        due = timedelta(seconds=TOUCH_SECONDS)
        # abs(): after the clock was set back, "written in the future" must not silence us.
        beat = [c for c in live if c.written is None or abs(now - c.written) >= due]
        noted = {id: times for id, times in list(self._noted.items()) if abs(now - times[0]) >= due}
        if not beat and not noted:
            return
        with writing():
            for connection in beat:
                db.session.execute(
                    update(ActiveSession)
                    .where(ActiveSession.id == connection.id)
                    .values(last_seen_at=now, last_input_at=connection.last_input)
                )
                self._write_input(connection.workspace_id, connection.last_input)
            for workspace_id, (_, last) in noted.items():
                self._write_input(workspace_id, last)
        for connection in beat:
            connection.written = now
        for workspace_id, (_, last) in noted.items():
            if self._noted[workspace_id][1] == last:
                del self._noted[workspace_id]  # the row has it

    def note_input(self, workspace_id: int, now: datetime) -> None:
        """Note that a person works in a workspace otherwise than by a connection."""
        first, _ = self._noted.get(workspace_id, (now, now))
        self._noted[workspace_id] = (first, now)

    @staticmethod
    def _write_input(workspace_id: int, at: datetime | None) -> None:
        if at is None:
            return
        earlier = or_(Workspace.last_input_at.is_(None), Workspace.last_input_at < at)
        db.session.execute(
            update(Workspace).where(Workspace.id == workspace_id, earlier).values(last_input_at=at)
        )

    def last_input(self, workspace_id: int) -> datetime | None:
        """Return when somebody last typed into the workspace through this process."""
        with self._guard:
            times = [
                c.last_input
                for c in list(self._live.values())  # ended() takes no lock
                if c.workspace_id == workspace_id and c.last_input is not None
            ]
        if workspace_id in self._noted:
            times.append(self._noted[workspace_id][1])
        return max(times, default=None)

    def count(self, workspace_id: int, kind: Kind) -> int:
        """Return how many connections of that kind to the workspace this process holds."""
        with self._guard:
            live = list(self._live.values())  # ended() takes no lock
        return sum((c.workspace_id, c.kind) == (workspace_id, kind) for c in live)

    def free_leftovers(self) -> None:
        """Delete the rows of a crashed process of the same name."""
        with writing():
            db.session.execute(delete(ActiveSession).where(ActiveSession.server == self.server))

    def close_all(self) -> None:
        """Hang up everything: the server is stopping."""
        with self._guard:
            live, self._live = list(self._live.values()), {}
        for connection in live:
            if connection.carrier is not None:
                connection.carrier.close()
