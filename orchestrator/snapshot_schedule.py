"""Snapshots that nobody asks for: regularly while a workspace runs."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select

from models import Reason, Snapshot, State, User, Workspace, db, end_reading
from orchestrator import snapshot_books, snapshots
from orchestrator.errors import HomeBusy
from orchestrator.jobs import Job, JobKind
from orchestrator.platform import Platform
from orchestrator.policy import HOME_PREFIX, home_of
from orchestrator.snapshot_container import Unused
from orchestrator.snapshots import Wish

AT_ONCE = 2
RETRY_SECONDS = 600.0


def next_due(platform: Platform, user: User) -> datetime | None:
    """Return when the next snapshot is due, None while none is: never, or nothing runs."""
    seconds = platform.settings.snapshot_seconds
    if not seconds:
        return None
    started = db.session.scalar(
        select(func.min(Workspace.started_at)).where(
            Workspace.user_id == user.id, Workspace.state == State.RUNNING
        )
    )
    newest = db.session.scalar(
        select(func.max(Snapshot.taken_at)).where(Snapshot.user_id == user.id)
    )
    if started is None:
        return None
    return (newest or started) + timedelta(seconds=seconds)


@dataclass
class Schedule:
    """One turn after the other; remembers what failed and what it began."""

    failed: dict[int, float] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)
    unused: Unused = field(default_factory=Unused)

    def turn(self, platform: Platform, now: datetime) -> None:
        """Begin what is due, two at once at most, and end containers that nobody uses."""
        clock = time.monotonic()
        self._tidy(platform, clock)
        self.begun &= platform.jobs.running()
        running = select(Workspace.user_id).where(Workspace.state == State.RUNNING)
        users = db.session.scalars(select(User).where(User.id.in_(running))).all()
        end_reading()
        for user in users:
            if len(self.begun) >= AT_ONCE:
                return
            if clock - self.failed.get(user.id, -RETRY_SECONDS) < RETRY_SECONDS:
                continue
            due = next_due(platform, user)
            end_reading()
            if due is None or due > now or platform.keyring.get(home_of(user)) is None:
                continue
            self._begin(platform, user)

    def _begin(self, platform: Platform, user: User) -> None:
        user_id = user.id

        def work(job: Job) -> None:
            try:
                owner = snapshots.present_user(user_id)
                # Two servers on one database: one has the lease, and the other lets it be.
                with snapshot_books.changing(platform, owner, None, patience=0.0) as room:
                    snapshots.take(room, job, Wish(Reason.SCHEDULED))
                    snapshot_books.thin(room)
            except Exception:
                self.failed[user_id] = time.monotonic()
                raise
            self.failed.pop(user_id, None)

        try:
            platform.jobs.start(user_id, JobKind.SNAPSHOT, work, tell=platform.feed.publish)
        except HomeBusy:  # its owner is at it
            return
        self.begun.add(user_id)

    def _tidy(self, platform: Platform, clock: float) -> None:
        hashes = db.session.scalars(select(User.userhash)).all()
        end_reading()
        self.unused.sweep(platform, {one: f"{HOME_PREFIX}{one}" for one in hashes}, clock)
