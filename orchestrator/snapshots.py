"""Take snapshots of homes, list them and delete them."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from sqlalchemy import select

from models import Home as HomeRow
from models import Reason, Snapshot, User, db, end_reading, utcnow
from orchestrator import access, snapshot_books
from orchestrator.engines import Phase
from orchestrator.errors import NotFound, RootBloodError, SnapshotError
from orchestrator.jobs import Job, JobKind
from orchestrator.keys import Proof
from orchestrator.names import parse_title
from orchestrator.platform import Platform
from orchestrator.snapshot_room import Room
from orchestrator.storage import restic
from orchestrator.storage.restic import Kept, Taken

PATIENCE_SECONDS = 10.0
NOTE_MAX = 80
BACKUP_SECONDS = 1800.0
MOST_READ = 8
"""How many times the capacity of a home may be read for a snapshot: sparse files count in full."""
SLACK_BYTES = 32 << 20
"""How much more than the capacity a repository may take for a moment: two packs of restic's."""
_NOTICED_SECONDS = 3.0
"""How long a first look at the files may hold writes."""
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

    While a workspace runs every write is held, but not for long: what takes longer is read while
    it goes on, and again while writes are held for the moment that it takes to see what changed.
    Raises: NoSpace, AllowanceReached, EngineError.
    """
    snapshot_books.require_space(room.platform)
    job.progress("Looking at your files")
    began = utcnow()
    try:
        taken = _read(room, job, wish.reason)
    except RootBloodError as error:
        if error.message != restic.NOTHING:
            snapshot_books.take_back(room)
        raise
    job.progress("Counting what it added")
    if len(taken.ids) == 1 and not taken.again:
        new = Kept(restic.checked(taken.ids[0]), began, (wish.reason.value,))
        found = snapshot_books.measure_with(room, new, taken.nbytes)
    else:
        found = snapshot_books.measure(room)
    newest = next(one.id for one in found.kept if one.id.startswith(taken.id))
    found = snapshot_books.make_fit(room, newest, found)
    before = _bytes_before(room)
    ids: list[str] = []

    def fill(row: Snapshot) -> None:
        if row.restic_id.startswith(taken.id):
            row.note, row.reason, row.consistent = wish.note, wish.reason, taken.consistent
            row.files, row.total_bytes = taken.files, taken.total_bytes
            row.added_bytes = max(0, found.nbytes - before)
            ids.append(row.restic_id)

    snapshot_books.settle(room, fill=fill, found=found)
    row = db.session.scalar(select(Snapshot).where(Snapshot.restic_id == ids[0]))
    end_reading()
    assert row is not None
    job.snapshot_id = row.id
    job.progress(_text(taken))
    return row


def _read(room: Room, job: Job, reason: Reason) -> "_Taken":
    if not _runs(room):
        taken = _backup(room, job, reason)
        return replace(taken, consistent=not _runs(room))
    taken = _backup_held(room, job, reason, _NOTICED_SECONDS)
    if taken.held_seconds <= _NOTICED_SECONDS:
        return taken
    parent = taken.id
    taken = _backup_held(room, job, reason, _FROZEN_SECONDS, parent)
    room.run(restic.forget([parent]))
    return replace(taken, again=True)


def _text(taken: "_Taken") -> str:
    text = f"{taken.files} files were kept"
    if taken.large:
        text += f"; {taken.large} larger than your allowance were left out"
    if taken.incomplete:
        text += "; some could not be read"
    return text


@dataclass(frozen=True, slots=True)
class _Taken(Taken):
    ids: list[str] = field(default_factory=list)
    """What the repository was seen to gain, where it is a directory."""
    nbytes: int = 0
    """What the repository takes then."""
    large: int = 0
    """Files that say they are larger than the home may be: they are sparse."""
    incomplete: bool = False
    consistent: bool = False
    held_seconds: float = 0.0
    again: bool = False
    """It is the second of two, of which the first was forgotten."""


def _backup(
    room: Room, job: Job, reason: Reason, parent: str = "", watch: Callable[[bool], object] = bool
) -> _Taken:
    """Run restic; ``watch`` is called now and then, with True as soon as all was read."""
    largest, before = room.home.capacity_bytes, _bytes_before(room)
    # A file that grows for as long as it is read would fill the disk, counted nowhere.
    capacity = room.platform.storage.capacity(room.home.name)
    most_kept = None if capacity is None else max(capacity, before) + SLACK_BYTES
    argv = restic.backup(reason.value, largest_bytes=largest, parent=parent)
    summary: Taken | None = None
    ids: list[str] = []
    large, nbytes, incomplete = 0, 0, False
    for event in room.ask(
        "snapshot", seconds=BACKUP_SECONDS, ok=(0, restic.INCOMPLETE), argv=list(argv),
        largest=largest, most_kept=most_kept, most_read=MOST_READ * largest,
    ):  # fmt: skip
        watch(summary is not None)
        match event:
            case {"message_type": "summary"}:
                summary = restic.parse_summary(event)
                watch(True)
            case {"message_type": "status"}:
                total = event.get("total_bytes")
                job.progress("Reading your files", event.get("bytes_done", 0), total)
            case {"ids": list(ids), "large": int(large), "nbytes": int(nbytes)}:
                pass
            case {"ended": _}:
                incomplete = True
    if summary is None:
        raise SnapshotError("restic did not say what it took")
    return _Taken(
        summary.id, summary.files, summary.total_bytes,
        ids=ids, nbytes=nbytes, large=large, incomplete=incomplete,
    )  # fmt: skip


def _backup_held(room: Room, job: Job, reason: Reason, seconds: float, parent: str = "") -> _Taken:
    """Run restic while writes are held, for ``seconds`` at most."""
    with ExitStack() as hold:
        frozen = hold.enter_context(room.platform.storage.frozen(room.home.name))
        began, ended = time.monotonic(), 0.0

        def watch(all_read: bool) -> None:
            nonlocal ended
            if not ended and (all_read or time.monotonic() - began > seconds):
                hold.close()
                ended = time.monotonic() - began

        taken = _backup(room, job, reason, parent, watch)
    return replace(taken, consistent=frozen and ended <= seconds, held_seconds=ended)


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
