"""Bring files back from a snapshot: one, a folder, or the home as it was."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from models import Reason, Snapshot, User
from orchestrator import homes, snapshot_books, snapshot_container, snapshot_room, snapshots
from orchestrator.engines import Phase
from orchestrator.errors import AllowanceReached, Conflict, StorageError
from orchestrator.jobs import Job, JobKind
from orchestrator.keys import Proof
from orchestrator.leases import writing_lease
from orchestrator.names import parse_home_path, show_home_path
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.snapshot_books import LONG_SECONDS
from orchestrator.snapshot_container import Use
from orchestrator.snapshot_room import Room
from orchestrator.snapshots import Wish
from orchestrator.storage import restic

_RESTORED_PARTLY = "Restored, but for attributes that only an administrator could set"


def start_restoring(
    platform: Platform,
    user: User,
    snapshot_id: int,
    path: str | None,
    *,
    safety: bool,
    proof: Proof | None,
) -> Job:
    """Begin to restore ``path``, or the whole home where it is None.

    With ``safety`` a snapshot is taken first. A file or folder is put in its old place, and what
    is beside it stays; the whole home becomes what it was, for which no workspace may run.
    Raises: BadInput, NotFound, Conflict, HomeBusy.
    """
    wanted = parse_home_path(path) if path is not None else None
    row, user_id = snapshots.find(user, snapshot_id), user.id
    if wanted is None:
        _refuse_while_running(platform, user)

    def work(job: Job) -> None:
        job.snapshot_id = snapshot_id
        owner = snapshots.present_user(user_id)
        lease = writing_lease(home_of(owner))
        patience = snapshots.PATIENCE_SECONDS
        if safety:
            with _opened(platform, owner, proof) as room:
                _take_safety(room, job)
        with platform.leases.alone(lease, patience=patience):
            if wanted is None:
                _restore_all(platform, owner, row, job, proof)
            else:
                _restore_path(platform, owner, row.restic_id, wanted, job, proof)
        job.snapshot_id = snapshot_id
        platform.feed.publish(user_id)

    return platform.jobs.start(user_id, JobKind.RESTORE, work, tell=platform.feed.publish)


@contextmanager
def _opened(platform: Platform, user: User, proof: Proof | None) -> Iterator[Room]:
    with ExitStack() as stack:
        changing = snapshot_books.changing(
            platform, user, proof, patience=snapshots.PATIENCE_SECONDS
        )
        try:
            room = stack.enter_context(changing)
        except StorageError as error:
            raise StorageError(
                f"Your home cannot be opened for the snapshot that is taken before a restore: "
                f"{error.message}",
                hint='Restore the whole home without it: "safety": false.',
            ) from error
        yield room


def _take_safety(room: Room, job: Job) -> None:
    try:
        snapshots.take(room, job, Wish(Reason.BEFORE_RESTORE))
        snapshot_books.thin(room)
    except AllowanceReached as error:
        raise AllowanceReached(
            "There is no space for the snapshot that is taken before a restore",
            hint='Delete something first, or restore without it: "safety": false.',
        ) from error
    except Conflict as error:
        if error.message != restic.NOTHING:
            raise
        snapshot_books.settle(room)  # nothing can be lost


def _restore_path(
    platform: Platform, user: User, id: str, path: str, job: Job, proof: Proof | None
) -> None:
    job.progress(f"Restoring {show_home_path(path)}")
    argv, dump = list(restic.restore(id, path)), list(restic.dump(id, path))
    with snapshot_room.reading(platform, user, proof, files=True) as room:
        try:
            told = list(
                room.ask("place", seconds=LONG_SECONDS, ok=(0, restic.INCOMPLETE),
                         snapshot=id, path=path, argv=argv, dump=dump)
            )  # fmt: skip
        except AllowanceReached as error:
            raise AllowanceReached(
                "There is no space in your home for what would come back",
                hint="Delete something first, or download it from the snapshot.",
            ) from error
    job.progress(_RESTORED_PARTLY if told else "Restored")


def _restore_all(
    platform: Platform, user: User, row: Snapshot, job: Job, proof: Proof | None
) -> None:
    """Build the home anew beside the old one, then put it in that one's place in one step."""
    storage, name = platform.storage, home_of(user)
    with _discarding(platform, name):
        with snapshot_room.reading(platform, user, proof) as room:
            job.progress("Restoring your home")
            # A killed server may have left one.
            snapshot_container.remove(platform, user.userhash, [Use.RESTORE])
            snapshot_books.require_space(platform, row.total_bytes)
            storage.stage(room.home, room.key)
            with snapshot_room.staged(room) as beside:
                told = _rebuild(beside, row.restic_id)
            home, key = room.home, room.key
        snapshot_container.remove(platform, user.userhash)
    with platform.leases.alone(name, patience=homes.PATIENCE_SECONDS):
        with _discarding(platform, name):
            _refuse_while_running(platform, user)
        # What fails in here is finished by the next unlock, from what is staged.
        storage.adopt(home, key)
    job.progress(_RESTORED_PARTLY if told else "Your home is what it was")


@contextmanager
def _discarding(platform: Platform, name: str) -> Iterator[None]:
    """Throw away what was staged if the body fails."""
    try:
        yield
    except BaseException:
        platform.storage.discard(name)
        raise


def _rebuild(room: Room, id: str) -> list[Any]:
    argv = [*restic.restore(id)]
    try:
        return list(
            room.ask("rebuild", seconds=LONG_SECONDS, ok=(0, restic.INCOMPLETE),
                     snapshot=id, argv=argv)
        )  # fmt: skip
    except AllowanceReached as error:
        raise AllowanceReached(
            "Your home as it was does not fit into what your snapshots leave of your allowance",
            hint="Nothing was changed. Delete snapshots, or restore single files and folders.",
        ) from error


def _refuse_while_running(platform: Platform, user: User) -> None:
    prefix = f"rb-{user.userhash}-"
    alive = (Phase.RUNNING, Phase.PAUSED)
    if any(s.phase in alive and s.name.startswith(prefix) for s in platform.engine.census()):
        raise Conflict(
            "The whole home cannot be replaced while a workspace runs",
            hint="Stop your workspaces first, or restore single files and folders.",
        )
