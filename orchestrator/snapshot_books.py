"""Keep rows, repository and allowance of a home's snapshots together, whatever is killed when.

The flag ``snapshots_stale`` is set before the repository is touched and cleared together with the
rows. Who finds it set ends what is still at work, and takes the repository's word for everything.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from models import Home as HomeRow
from models import Reason, Snapshot, User, db, end_reading, writing
from orchestrator import homes, snapshot_container, snapshot_room
from orchestrator.errors import AllowanceReached, HomeBusy, NoSpace, RootBloodError
from orchestrator.keys import Proof
from orchestrator.leases import writing_lease
from orchestrator.logs import log
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.snapshot_room import Room
from orchestrator.storage import restic
from orchestrator.storage.restic import Kept

LOG = log(__name__)
LONG_SECONDS = 7200.0
DANGEROUS_KEPT = 5
"""Snapshots from before a restore: older ones are forgotten."""

Fill = Callable[[Snapshot], object]


@dataclass(frozen=True, slots=True)
class Measure:
    """What the repository is found to hold."""

    kept: list[Kept]
    nbytes: int


@contextmanager
def changing(
    platform: Platform, user: User, proof: Proof | None, *, patience: float
) -> Iterator[Room]:
    """Enter the room alone, with everything mended that a killed predecessor left.

    The body ends with :func:`settle`. Raises: HomeBusy, HomeLocked, EngineError.
    """
    user_id = user.id
    with platform.leases.alone(writing_lease(home_of(user)), patience=patience):
        if stale := _is_stale(user_id):
            snapshot_container.remove(platform, user.userhash)
        with snapshot_room.entered(platform, user, proof) as room:
            if stale or not _known(user_id):
                room.prepare()
            if stale:
                room.sweep()
                settle(room)
            _set_stale(user_id)
            yield room


def _is_stale(user_id: int) -> bool:
    row = db.session.get(HomeRow, user_id, populate_existing=True)
    end_reading()
    return row is not None and row.snapshots_stale


def _set_stale(user_id: int) -> None:
    with writing():
        db.session.execute(
            update(HomeRow).where(HomeRow.user_id == user_id).values(snapshots_stale=True)
        )


def measure(room: Room) -> Measure:
    """Look what is there."""
    return Measure(restic.parse_snapshots(room.run(restic.snapshots())), room.size())


def measure_with(room: Room, new: Kept, nbytes: int) -> Measure:
    """As :func:`measure`, without asking: ``new`` is all that the rows lack."""
    return Measure([*_known(room.user.id), new], nbytes)


def _known(user_id: int) -> list[Kept]:
    rows = db.session.scalars(
        select(Snapshot).where(Snapshot.user_id == user_id).order_by(Snapshot.taken_at)
    )
    kept = [Kept(row.restic_id, row.taken_at, (row.reason.value,)) for row in rows]
    end_reading()
    return kept


def settle(room: Room, *, fill: Fill | None = None, found: Measure | None = None) -> None:
    """Make the rows those of the repository and count its bytes.

    ``fill`` completes the rows of snapshots that have none yet.
    Raises: AllowanceReached, changing nothing, where the files leave too little space.
    """
    found = found or measure(room)
    reserve(room, found.nbytes)
    with writing():
        rows = {
            row.restic_id: row
            for row in db.session.scalars(select(Snapshot).where(Snapshot.user_id == room.user.id))
        }
        kept = {one.id for one in found.kept}
        gone = [row.id for id, row in rows.items() if id not in kept]
        db.session.execute(delete(Snapshot).where(Snapshot.id.in_(gone)))
        for one in found.kept:
            if one.id not in rows:
                row = _row(room.user.id, one)
                if fill is not None:
                    fill(row)
                db.session.add(row)
        _count(room.user.id, found.nbytes)
    room.platform.feed.publish(room.user.id)


def _row(user_id: int, kept: Kept) -> Snapshot:
    reasons = [Reason(tag) for tag in kept.tags if tag in set(Reason)]
    return Snapshot(
        user_id=user_id,
        restic_id=kept.id,
        reason=reasons[0] if reasons else Reason.MANUAL,
        note="",
        taken_at=kept.taken_at,
        files=0,
        total_bytes=0,
        added_bytes=0,
        consistent=False,
    )


def _count(user_id: int, nbytes: int) -> None:
    """Write down what snapshots take; files were seen to fit beside it."""
    row = db.session.get(HomeRow, user_id, populate_existing=True)
    if row is None:
        return
    row.snapshots_stale = False
    row.snapshots_bytes = nbytes
    if row.capped:
        others = row.reserved_bytes
        row.allowance_bytes = max(row.allowance_bytes, others)
        row.files_bytes = min(row.files_bytes, row.allowance_bytes - others)


def reserve(room: Room, nbytes: int) -> None:
    """Keep space for snapshots from the files. Raises: AllowanceReached."""
    room.platform.storage.reserve(room.home.name, nbytes + _others(room))


def _others(room: Room) -> int:
    """Return what neither files nor snapshots take of the allowance."""
    row = db.session.get(HomeRow, room.user.id, populate_existing=True)
    others = row.reserved_bytes - row.snapshots_bytes if row else 0
    end_reading()
    return others


def require_space(platform: Platform, nbytes: int = 0) -> None:
    """Refuse to take ``nbytes`` of the server's disk out of its reserve. Raises: NoSpace."""
    if homes.host_free_bytes(platform) - nbytes < platform.settings.reserve_bytes:
        raise NoSpace("The server's disk has less left than its reserve")


def shortage(room: Room, nbytes: int) -> int | None:
    """Return how many bytes the files have to give for snapshots of ``nbytes``, if it is known."""
    storage, name = room.platform.storage, room.home.name
    capacity, used = storage.capacity(name), storage.usage(name)
    if capacity is None or used is None:
        return None
    return max(1, used + nbytes + _others(room) - capacity)


def forget(room: Room, ids: list[str]) -> None:
    """Forget snapshots and give their space back. Raises: HomeBusy while they are read."""
    with snapshot_room.pruning(room):
        room.run(restic.forget(ids), restic.prune(), seconds=LONG_SECONDS)


def take_back(room: Room) -> None:
    """Delete what a snapshot that came to nothing wrote; the next change does what fails here."""
    try:
        # Readers may stay: at worst one fails that reads what was forgotten, and a download that
        # is kept slow must not keep what nothing counts.
        room.sweep()
        settle(room)
    except RootBloodError as error:
        LOG.warning("snapshots.not-taken-back", home=room.home.name, why=error.message)


def make_fit(room: Room, newest: str, found: Measure) -> Measure:
    """Give up scheduled snapshots, oldest first, until the rest fits; the newest goes last of all.

    Raises: AllowanceReached, with the newest one gone, where even that is not enough.
    """
    step = 1
    while True:
        try:
            reserve(room, found.nbytes)
            return found
        except AllowanceReached as error:
            old = [
                one.id for one in found.kept if Reason.SCHEDULED in one.tags and one.id != newest
            ][:step]
            short = shortage(room, found.nbytes)
            forget(room, old or [newest])
            found, step = measure(room), step * 2
            if old:
                continue
            settle(room, found=found)
            free = f"at least {-(-short // (1 << 20))} MiB" if short else "some files"
            raise AllowanceReached(
                "The snapshot does not fit into your allowance beside your files",
                hint=f"Delete {free} or older snapshots, then try again.",
            ) from error


def thin(room: Room) -> None:
    """Forget what is older than the settings keep, and too many safety snapshots."""
    settings = room.platform.settings
    rows = db.session.scalars(
        select(Snapshot)
        .where(Snapshot.user_id == room.user.id)
        .order_by(Snapshot.taken_at.desc(), Snapshot.id.desc())
    ).all()
    dangerous = [row.restic_id for row in rows if row.reason is Reason.BEFORE_RESTORE]
    end_reading()
    if not dangerous[DANGEROUS_KEPT:] and (not rows or rows[0].reason is not Reason.SCHEDULED):
        return
    argvs = [
        restic.forget_by_age(
            Reason.SCHEDULED.value,
            settings.snapshot_keep_hours,
            settings.snapshot_keep_days,
            settings.snapshot_keep_weeks,
        )
    ]
    if dangerous[DANGEROUS_KEPT:]:
        argvs.append(restic.forget(dangerous[DANGEROUS_KEPT:]))
    left = restic.parse_snapshots(room.run(*argvs, restic.snapshots()))
    if len(left) < len(rows):
        try:
            with snapshot_room.pruning(room):
                room.run(restic.prune(), seconds=LONG_SECONDS)
        except HomeBusy:  # being downloaded: the space is given back another time
            LOG.info("snapshots.not-pruned", home=room.home.name)
        settle(room)
