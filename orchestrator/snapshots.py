"""Take snapshots of homes, list them and delete them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from models import Home as HomeRow
from models import Reason, Snapshot, User, db, end_reading
from orchestrator import access, homes, snapshot_books
from orchestrator.engines import Phase
from orchestrator.errors import NoSpace, NotFound, SnapshotError
from orchestrator.jobs import Job, JobKind
from orchestrator.keys import Proof
from orchestrator.names import parse_title
from orchestrator.platform import Platform
from orchestrator.snapshot_books import LONG_SECONDS
from orchestrator.snapshot_room import Room
from orchestrator.storage import restic
from orchestrator.storage.restic import Taken

PATIENCE_SECONDS = 10.0
NOTE_MAX = 80
_FROZEN_SECONDS = 55.0
"""A little less than a storage holds writes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Why a snapshot is taken, and what its owner says of it."""

    reason: Reason
    note: str = ""


def of_user(user: User) -> list[Snapshot]:
    """Return the user's snapshots, newest first."""
    query = (
        select(Snapshot)
        .where(Snapshot.user_id == user.id)
        .order_by(Snapshot.taken_at.desc(), Snapshot.id.desc())
    )
    rows = list(db.session.scalars(query))
    end_reading()
    return rows


def find(user: User, snapshot_id: int) -> Snapshot:
    """Return one of the user's snapshots. Raises: NotFound."""
    access.require_active(user)
    query = select(Snapshot).where(Snapshot.user_id == user.id, Snapshot.id == snapshot_id)
    row = db.session.scalar(query)
    end_reading()
    if row is None:
        raise NotFound("You have no such snapshot", hint="It may have been deleted.")
    return row


def present_user(user_id: int) -> User:
    """Return the user as they are, in a job's own session. Raises: NotFound, Forbidden."""
    user = db.session.get(User, user_id, populate_existing=True)
    end_reading()
    if user is None:
        raise NotFound("That account is gone")
    access.require_active(user)
    return user


def start_taking(platform: Platform, user: User, note: str, proof: Proof | None) -> Job:
    """Begin a snapshot by hand. Raises: BadInput, HomeBusy."""
    wish = Wish(Reason.MANUAL, parse_title(note, field="note", longest=NOTE_MAX) if note else "")
    user_id = user.id

    def work(job: Job) -> None:
        owner = present_user(user_id)
        with snapshot_books.changing(platform, owner, proof, patience=PATIENCE_SECONDS) as room:
            take(room, job, wish)
            snapshot_books.thin(room)

    return platform.jobs.start(user_id, JobKind.SNAPSHOT, work, tell=platform.feed.publish)


def start_deleting(platform: Platform, user: User, snapshot_id: int, proof: Proof | None) -> Job:
    """Begin to delete a snapshot. Raises: NotFound, HomeBusy."""
    row, user_id = find(user, snapshot_id), user.id

    def work(job: Job) -> None:
        job.snapshot_id = snapshot_id
        job.progress("Deleting the snapshot")
        owner = present_user(user_id)
        with snapshot_books.changing(platform, owner, proof, patience=PATIENCE_SECONDS) as room:
            snapshot_books.forget(room, [row.restic_id])
            snapshot_books.settle(room)
        job.progress("The snapshot was deleted")

    return platform.jobs.start(user_id, JobKind.DELETE, work, tell=platform.feed.publish)


def take(room: Room, job: Job, wish: Wish) -> Snapshot:
    """Take a snapshot and write it down; ``job`` gets the progress.

    While a workspace runs, most is read while it goes on; then every write is held for the moment
    that it takes to look for what changed meanwhile.
    Raises: NoSpace, AllowanceReached, EngineError.
    """
    platform = room.platform
    if homes.host_free_bytes(platform) < platform.settings.reserve_bytes:
        raise NoSpace("The server's disk has less left than its reserve")
    job.progress("Looking at your files")
    large = _count_large(room)
    parent = ""
    if in_motion := _runs(room):
        parent = _backup(room, job, restic.WARM).id
    with _held(room, in_motion) as holding:
        taken = _backup(room, job, wish.reason.value, parent)
        consistent = holding()
    consistent = consistent and (in_motion or not _runs(room))
    job.progress("Counting what it added")
    found = snapshot_books.measure(room, parent)
    newest = next(one.id for one in found.kept if one.id.startswith(taken.id))
    found = snapshot_books.make_fit(room, newest, found)
    before = _bytes_before(room)
    ids: list[str] = []

    def fill(row: Snapshot) -> None:
        if row.restic_id.startswith(taken.id):
            row.note, row.reason, row.consistent = wish.note, wish.reason, consistent
            row.files, row.total_bytes = taken.files, taken.total_bytes
            row.added_bytes = max(0, found.nbytes - before)
            ids.append(row.restic_id)

    snapshot_books.settle(room, fill=fill, found=found)
    row = db.session.scalar(select(Snapshot).where(Snapshot.restic_id == ids[0]))
    end_reading()
    assert row is not None
    job.snapshot_id = row.id
    job.progress(_text(taken, large))
    return row


def _text(taken: "_Taken", large: int) -> str:
    text = f"{taken.files} files were kept"
    if large:
        text += f"; {large} larger than your allowance were left out"
    if taken.incomplete:
        text += "; some could not be read"
    return text


@dataclass(frozen=True, slots=True)
class _Taken(Taken):
    incomplete: bool = False


def _backup(room: Room, job: Job, tag: str, parent: str = "") -> _Taken:
    argv = restic.backup(tag, largest_bytes=room.home.capacity_bytes, parent=parent)
    summary: dict[str, Any] | None = None
    incomplete = False
    events = room.ask("run", seconds=LONG_SECONDS, ok=(0, restic.INCOMPLETE), argvs=[list(argv)])
    for event in events:
        match event:
            case {"message_type": "summary"}:
                summary = event
            case {"message_type": "status"}:
                total = event.get("total_bytes")
                job.progress("Reading your files", event.get("bytes_done", 0), total)
            case {"ended": _}:
                incomplete = True
    if summary is None:
        raise SnapshotError("restic did not say what it took")
    taken = restic.parse_summary(summary)
    return _Taken(taken.id, taken.files, taken.total_bytes, incomplete)


def _bytes_before(room: Room) -> int:
    row = db.session.get(HomeRow, room.user.id, populate_existing=True)
    end_reading()
    return row.snapshots_bytes if row else 0


def _runs(room: Room) -> bool:
    """Tell whether a workspace of the user's could write."""
    prefix = f"rb-{room.user.userhash}-"
    return any(
        status.phase is Phase.RUNNING and status.name.startswith(prefix)
        for status in room.platform.engine.census()
    )


@contextmanager
def _held(room: Room, in_motion: bool) -> Iterator[Any]:
    """Hold writes if anything could write; yields what tells whether they are still held."""
    if not in_motion:
        yield lambda: True
        return
    with room.platform.storage.frozen(room.home.name) as frozen:
        began = time.monotonic()
        yield lambda: frozen and time.monotonic() - began < _FROZEN_SECONDS


def _count_large(room: Room) -> int:
    """Count files that say they are larger than the home may be: they are sparse."""
    done = room.platform.engine.exec(
        room.container,
        ("find", room.directory, "-xdev", "-type", "f",
         "-size", f"+{room.home.capacity_bytes}c", "-printf", "."),
        timeout=LONG_SECONDS,
    )  # fmt: skip
    return len(done.stdout)
