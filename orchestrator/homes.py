"""Open a home for whatever needs it, and lock it when nothing does.

Whoever needs files holds the home's lease shared for as long (:func:`in_use`); a running workspace
needs no lease, for its container shows in the engine's census. Locking takes the lease alone and
then looks at the census, so nothing is locked under anybody's hands.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta

from sqlalchemy import select, update

from models import Home as HomeRow
from models import Remains, User, db, end_reading, writing
from orchestrator import keys
from orchestrator.collector import HELPER_PREFIX
from orchestrator.engines import Phase
from orchestrator.errors import (
    Conflict,
    EngineUnreachable,
    HomeLocked,
    RootBloodError,
    StorageError,
)
from orchestrator.keys import Proof
from orchestrator.leases import writing_lease
from orchestrator.logs import log
from orchestrator.platform import Platform
from orchestrator.policy import HOME_PREFIX, allowance_of, home_of
from orchestrator.storage import Feature, Home, Kind

LOG = log(__name__)
PATIENCE_SECONDS = 30.0
_BRIEF_SECONDS = 5.0
_ALIVE = (Phase.RUNNING, Phase.PAUSED)


def wanted(platform: Platform, user: User) -> Home:
    """Return the user's home as its storage is to keep it, and end the reading."""
    row = db.session.get(HomeRow, user.id, populate_existing=True)
    home = Home(
        name=home_of(user),
        owner=(user.uid, user.uid),
        capacity_bytes=allowance_of(platform.settings, user).disk_bytes,
        reserved_bytes=row.snapshots_bytes + row.images_bytes if row else 0,
        known=row is not None,
    )
    end_reading()
    return home


@contextmanager
def in_use(platform: Platform, user: User, proof: Proof | None) -> Iterator[Home]:
    """Hold the user's home unlocked; it is made on first use.

    Raises: HomeLocked where it takes a key that nobody brought; HomeBusy while it is being
    replaced.
    """
    home = wanted(platform, user)
    with platform.leases.shared(home.name, patience=PATIENCE_SECONDS):
        _unlock(platform, user, home, proof)
        yield home


def key_for(platform: Platform, user: User, proof: Proof | None) -> bytes | None:
    """Return the home's key: as kept while it is unlocked, or from what the caller brought."""
    return platform.keyring.get(home_of(user)) or keys.key_of(user, proof)


def _unlock(platform: Platform, user: User, home: Home, proof: Proof | None) -> None:
    storage = platform.storage
    is_open = storage.is_unlocked(home.name)
    kept = platform.keyring.get(home.name)
    key = kept or keys.key_of(user, proof)
    if not is_open:
        _check_place(platform, user)
        if key is None and Feature.ENCRYPTED in storage.features:
            raise HomeLocked
        storage.unlock(home, key or b"")
        LOG.info("home.unlocked", home=home.name)
    if key is not None and kept is None:  # also of one that a crash left open without it
        platform.keyring.put(home.name, key)
    if not is_open or not home.known:
        _write_down(platform, user, home)


def _check_place(platform: Platform, user: User) -> None:
    """Refuse to make a second, empty home where the first one is out of sight."""
    row = db.session.get(HomeRow, user.id)
    end_reading()
    here = platform.storage
    if row is None or here.is_place(row.place):
        return
    if row.storage == Kind.PLAIN and here.kind is Kind.VAULT:
        return  # a vault takes over the volume it finds
    raise StorageError(
        f"Your home is kept as '{row.storage}' at {row.place}, which is not where this server "
        f"keeps homes ('{here.kind}' at {here.place})",
        hint="An administrator has to start the server with the data directory and "
        "ROOTBLOOD_STORAGE that it had, or move the homes.",
    )


def _write_down(platform: Platform, user: User, home: Home) -> None:
    storage = platform.storage
    files, capacity = _measured(platform, home.name, home.capacity_bytes)
    with writing():
        row = db.session.get(HomeRow, user.id)
        if row is None:
            row = HomeRow(user_id=user.id, snapshots_bytes=0, images_bytes=0)
            db.session.add(row)
        row.storage, row.place = storage.kind.value, storage.place
        row.capped = Feature.CAPPED in storage.features
        _fill_in(row, files, capacity)


def _measured(platform: Platform, name: str, set_bytes: int) -> tuple[int | None, int]:
    """Return what files take and what is in force, which is what was set but for rounding."""
    capacity = platform.storage.capacity(name)
    if capacity is None or abs(capacity - set_bytes) <= set_bytes // 50:
        capacity = set_bytes
    return platform.storage.usage(name), capacity


def _fill_in(row: HomeRow, files: int | None, capacity: int) -> None:
    """Write down what is in force, which is never less than what is there already."""
    files = row.files_bytes if files is None else files
    others = row.snapshots_bytes + row.images_bytes
    if row.capped and files + others > capacity >= others:
        files = capacity - others  # a file system rounds
    row.files_bytes = files or 0
    row.allowance_bytes = max(capacity, row.files_bytes + others) if row.capped else capacity


def unlock(platform: Platform, user: User, now: datetime, proof: Proof | None) -> None:
    """Open the home and keep it open for a while. Raises: HomeLocked."""
    with in_use(platform, user, proof):
        until = now + timedelta(seconds=platform.settings.unlock_seconds)
        _keep_until(user, until)
    platform.feed.publish(user.id)


def _keep_until(user: User, until: datetime | None) -> None:
    with writing():
        db.session.execute(
            update(HomeRow).where(HomeRow.user_id == user.id).values(unlocked_until=until)
        )


def lock(platform: Platform, user: User, *, force: bool = False) -> None:
    """Lock the home at once; with ``force`` what works on its files is ended.

    Raises: Conflict while a workspace runs; HomeBusy while it is in use.
    """
    name = home_of(user)
    _keep_until(user, None)
    if force:
        _remove_helpers(platform, user.userhash)
    patience = PATIENCE_SECONDS if force else _BRIEF_SECONDS
    with ExitStack() as stack:
        if not force:  # a restore has moments in which it does not use the home
            stack.enter_context(platform.leases.alone(writing_lease(name), patience=patience))
        stack.enter_context(platform.leases.alone(name, patience=patience))
        _remove_helpers(platform, user.userhash)  # which nobody uses, but stay for a while
        if _runs(platform, user.userhash):
            raise Conflict(
                "Your home cannot be locked while a workspace runs", hint="Stop it first."
            )
        _lock(platform, name)
    platform.feed.publish(user.id)


def lock_unused(platform: Platform, user_id: int, userhash: str, now: datetime) -> bool:
    """Lock the home unless something uses it or its owner asked to keep it open."""
    name = f"{HOME_PREFIX}{userhash}"
    encrypted = Feature.ENCRYPTED in platform.storage.features
    is_open = encrypted and platform.storage.is_unlocked(name)
    if not is_open and platform.keyring.get(name) is None:
        return False
    row = db.session.get(HomeRow, user_id, populate_existing=True)
    kept = row is not None and row.unlocked_until is not None and row.unlocked_until > now
    end_reading()
    if kept:
        return False
    try:
        with platform.leases.alone(name):
            if _runs(platform, userhash):
                return False
            _try_to_measure(platform, user_id, name)
            _lock(platform, name)
    except Conflict:
        return False
    except RootBloodError as error:  # the next sweep tries again
        LOG.warning("home.not-locked", home=name, why=error.message)
        return False
    platform.feed.publish(user_id)
    return True


def _lock(platform: Platform, name: str) -> None:
    platform.storage.lock(name)
    platform.keyring.drop(name)
    LOG.info("home.locked", home=name)


def _runs(platform: Platform, userhash: str) -> bool:
    prefixes = (f"rb-{userhash}-", f"{HELPER_PREFIX}{userhash}-")
    return any(name.startswith(prefixes) for name in _alive(platform))


def _alive(platform: Platform) -> list[str]:
    """Return the names of the containers that run: ``rb-<userhash>-...`` and helpers'."""
    return [status.name for status in platform.engine.census() if status.phase in _ALIVE]


def _remove_helpers(platform: Platform, userhash: str) -> None:
    """Remove the short-lived containers that keep the home open, such as a snapshot's."""
    prefix = f"{HELPER_PREFIX}{userhash}-"
    for status in list(platform.engine.census()):
        if status.name.startswith(prefix):
            platform.engine.remove(status.name)


def fit(platform: Platform, user: User) -> None:
    """Let an open home grow to a new allowance at once; a locked one does at its next start."""
    home = wanted(platform, user)
    key = platform.keyring.get(home.name)
    if platform.storage.is_unlocked(home.name) and key is not None:
        with platform.leases.shared(home.name, patience=PATIENCE_SECONDS):
            platform.storage.unlock(home, key)
            _write_down(platform, user, home)


def tend(platform: Platform, now: datetime) -> None:
    """Measure what is open, lock what nothing uses, delete what is due: the collector's part."""
    opened = platform.storage.unlocked()
    rows = db.session.execute(select(User.id, User.userhash)).all()
    end_reading()
    used = {name.split("-")[1] for name in _alive(platform)}
    for user_id, userhash in rows:
        name = f"{HOME_PREFIX}{userhash}"
        if name in opened:
            _try_to_measure(platform, user_id, name)
        # Of one that could not be locked wholly only the key is left here.
        elif platform.keyring.get(name) is None:
            continue
        if userhash not in used:
            lock_unused(platform, user_id, userhash, now)
    bury(platform, now)


def _try_to_measure(platform: Platform, user_id: int, name: str) -> None:
    try:
        _measure(platform, user_id, name)
    except RootBloodError as error:
        LOG.warning("home.not-measured", home=name, why=error.message)
    except Exception:  # one home must not keep all others from being tended
        db.session.rollback()
        LOG.exception("home.not-measured", home=name)


def _measure(platform: Platform, user_id: int, name: str) -> None:
    row = db.session.get(HomeRow, user_id, populate_existing=True)
    user = db.session.get(User, user_id)
    if row is None or user is None:
        end_reading()
        return
    before = (row.files_bytes, row.allowance_bytes)
    allowed = allowance_of(platform.settings, user).disk_bytes
    end_reading()
    files, capacity = _measured(platform, name, allowed)
    if files is not None and (files, capacity) != before:  # else it was locked meanwhile
        with writing():
            db.session.refresh(row)
            _fill_in(row, files, capacity)


def brake(platform: Platform) -> None:
    """Stop every home from growing while the host's disk is nearly full, and let go afterwards."""
    free, reserve = host_free_bytes(platform), platform.settings.reserve_bytes
    engaged = platform.brake.on
    platform.brake.on = free < reserve // 2 or (engaged and free < reserve)
    # Each time: one may have been opened since, or braked by a server that was killed.
    for name in platform.storage.unlocked() if Feature.CAPPED in platform.storage.features else ():
        with suppress(RootBloodError):
            platform.storage.brake(name, platform.brake.on)
    if engaged != platform.brake.on:
        LOG.warning("disk.brake", on=platform.brake.on, free_bytes=free)


def host_free_bytes(platform: Platform) -> int:
    """Return what is left on the disk that holds the data directory."""
    return shutil.disk_usage(platform.settings.data_dir).free


def bury(platform: Platform, now: datetime) -> None:
    """Delete the files of accounts that were deleted long enough ago."""
    due, here = select(Remains).where(Remains.delete_after <= now), platform.storage
    for row in db.session.scalars(due).all():
        end_reading()
        if row.place is not None and not here.is_place(row.place):
            LOG.warning("home.not-destroyed", home=row.home, why=f"It is kept at {row.place}")
            continue
        try:
            here.destroy(row.home)
        except RootBloodError as error:
            LOG.warning("home.not-destroyed", home=row.home, why=error.message)
            continue
        with writing():
            db.session.delete(db.session.merge(row))
        LOG.info("home.destroyed", home=row.home)


def recover(platform: Platform) -> None:
    """Mend what a crash left: called once when a server starts.

    Where an engine keeps the homes and does not answer yet, what is open is found later.
    """
    try:
        platform.storage.reconcile()
        opened = platform.storage.unlocked()
    except EngineUnreachable as error:
        LOG.warning("homes.not-looked-at", why=error.message)
        return
    for user in db.session.scalars(select(User)).all():
        if home_of(user) not in opened:
            platform.keyring.drop(home_of(user))
    end_reading()
