"""Open a home for whatever needs it, and lock it when nothing does.

Whoever needs files holds the home's lease shared for as long (:func:`in_use`); a running workspace
needs no lease, for its container shows in the engine's census. Locking takes the lease alone and
then looks at the census, so nothing is locked under anybody's hands.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

from sqlalchemy import update

from models import Home as HomeRow
from models import User, db, end_reading, writing
from orchestrator import keys
from orchestrator.collector import HELPER_PREFIX
from orchestrator.commons import quota
from orchestrator.engines import Phase
from orchestrator.errors import (
    Conflict,
    HomeBusy,
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
_PACKS = re.compile("[0-9a-f]{8}")
"""How the names of an archive's containers end: see archives.py."""
_ALIVE = (Phase.RUNNING, Phase.PAUSED)


def wanted(platform: Platform, user: User) -> Home:
    """Return the user's home as its storage is to keep it, and end the reading."""
    row = db.session.get(HomeRow, user.id, populate_existing=True)
    home = Home(
        name=home_of(user),
        owner=(user.uid, user.uid),
        capacity_bytes=allowance_of(platform.settings, user).disk_bytes,
        reserved_bytes=row.reserved_bytes if row else quota.used(platform, user),
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
            # Nothing but what is published was there before it.
            row = HomeRow(user_id=user.id, snapshots_bytes=0, images_bytes=0,
                          published_bytes=home.reserved_bytes)  # fmt: skip
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
    others = row.reserved_bytes
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
    elif user.id in platform.archiving:
        raise HomeBusy("Your home is being downloaded", hint="Wait for its end, or cancel it.")
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


def lock_unused(
    platform: Platform, user_id: int, userhash: str, now: datetime, *, at_once: bool = False
) -> bool:
    """Lock the home unless something uses it or its owner asked to keep it open.

    With ``at_once`` the containers go in which restic worked: they only wait to be used again.
    """
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
            if at_once and not _workspace_runs(platform, userhash):
                _remove_helpers(platform, userhash, waiting_only=True)
            if _runs(platform, userhash):
                return False
            try_to_measure(platform, user_id, name)
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
    return any(name.startswith(prefixes) for name in alive(platform))


def _workspace_runs(platform: Platform, userhash: str) -> bool:
    return any(name.startswith(f"rb-{userhash}-") for name in alive(platform))


def alive(platform: Platform) -> list[str]:
    """Return the names of the containers that run: ``rb-<userhash>-...`` and helpers'."""
    return [status.name for status in platform.engine.census() if status.phase in _ALIVE]


def _remove_helpers(platform: Platform, userhash: str, *, waiting_only: bool = False) -> None:
    """Remove the short-lived containers that keep the home open.

    Those in which restic works hold the home's lease while they do; one that packs an archive holds
    none, so with ``waiting_only`` it is left alone.
    """
    prefix = f"{HELPER_PREFIX}{userhash}-"
    for status in list(platform.engine.census()):
        packs = _PACKS.fullmatch(status.name.removeprefix(prefix)) is not None
        if status.name.startswith(prefix) and not (waiting_only and packs):
            platform.engine.remove(status.name)


def fit(platform: Platform, user: User) -> None:
    """Let an open home grow to a new allowance at once; a locked one does at its next start."""
    home = wanted(platform, user)
    key = platform.keyring.get(home.name)
    if platform.storage.is_unlocked(home.name) and key is not None:
        with platform.leases.shared(home.name, patience=PATIENCE_SECONDS):
            platform.storage.unlock(home, key)
            _write_down(platform, user, home)


def try_to_measure(platform: Platform, user_id: int, name: str) -> None:
    """Write down what the open home takes; what goes wrong is logged."""
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


def host_free_bytes(platform: Platform) -> int:
    """Return what is left on the disk that holds the data directory."""
    return shutil.disk_usage(platform.settings.data_dir).free
