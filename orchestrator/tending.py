"""What the collector does for homes: measure, lock, brake, bury, and mend what a crash left."""

from contextlib import suppress
from datetime import datetime

from sqlalchemy import select

from models import Remains, User, db, end_reading, writing
from orchestrator import homes
from orchestrator.commons import settling
from orchestrator.errors import EngineUnreachable, RootBloodError
from orchestrator.logs import log
from orchestrator.platform import Platform
from orchestrator.policy import HOME_PREFIX, home_of
from orchestrator.storage import Feature

LOG = log(__name__)


def tend(platform: Platform, now: datetime) -> None:
    """Measure what is open, lock what nothing uses, delete what is due: the collector's part."""
    opened = platform.storage.unlocked()
    rows = db.session.execute(select(User.id, User.userhash)).all()
    end_reading()
    used = {name.split("-")[1] for name in homes.alive(platform)}
    for user_id, userhash in rows:
        name = f"{HOME_PREFIX}{userhash}"
        if name in opened:
            homes.try_to_measure(platform, user_id, name)
        # Of one that could not be locked wholly only the key is left here.
        elif platform.keyring.get(name) is None:
            continue
        if userhash not in used:
            homes.lock_unused(platform, user_id, userhash, now)
    settling.settle_all(platform, platform.storage.unlocked())
    bury(platform, now)


def brake(platform: Platform) -> None:
    """Stop every home from growing while the host's disk is nearly full, and let go afterwards."""
    free, reserve = homes.host_free_bytes(platform), platform.settings.reserve_bytes
    engaged = platform.brake.on
    platform.brake.on = free < reserve // 2 or (engaged and free < reserve)
    # Each time: one may have been opened since, or braked by a server that was killed.
    for name in platform.storage.unlocked() if Feature.CAPPED in platform.storage.features else ():
        with suppress(RootBloodError):
            platform.storage.brake(name, platform.brake.on)
    if engaged != platform.brake.on:
        LOG.warning("disk.brake", on=platform.brake.on, free_bytes=free)


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
