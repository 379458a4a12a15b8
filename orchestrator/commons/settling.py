"""Count what people publish into their homes, and keep the homes' files from taking that space.

Repositories and shared files lie outside the home. The home's file system is as large as the
allowance, so what is published is reserved in it, as what snapshots take is.
"""

from sqlalchemy import select

from models import Home, User, db, end_reading, writing
from orchestrator.commons import quota
from orchestrator.errors import RootBloodError
from orchestrator.logs import log
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.storage import Feature

LOG = log(__name__)


def settle(platform: Platform, user: User) -> None:
    """Count what the user publishes by now: to be called whenever that has changed.

    Files that leave too little keep what they have. What goes wrong is logged, and left to
    :func:`settle_all`.
    """
    name = home_of(user)
    try:
        # One at a time, so that an older number never replaces a newer one.
        with quota.counting(platform, user):
            reserved = _count(platform, user, quota.used(platform, user))
            capped = Feature.CAPPED in platform.storage.features
            if reserved is not None and capped and platform.storage.is_unlocked(name):
                platform.storage.reserve(name, reserved, partly=True)
    except RootBloodError as error:
        LOG.warning("published.not-settled", home=name, why=error.message)


def _count(platform: Platform, user: User, published: int) -> int | None:
    """Write it down; return what files may not take, None where there is no home yet."""
    row = db.session.get(Home, user.id, populate_existing=True)
    before = row.published_bytes if row else published
    end_reading()
    if before != published:
        with writing():
            row = db.session.get(Home, user.id, populate_existing=True)
            if row is not None:
                row.published_bytes = published
                # A collaborator's push may have come while the files grew.
                stored = row.files_bytes + row.reserved_bytes
                row.allowance_bytes = max(row.allowance_bytes, stored if row.capped else 0)
        platform.feed.publish(user.id)
    return row.reserved_bytes if row else None


def settle_all(platform: Platform, opened: frozenset[str]) -> None:
    """Settle whom a crash kept from it, and whose home is open: the collector's part."""
    published = quota.used_by_all(platform)
    rows = db.session.execute(select(User, Home.published_bytes).join(Home)).all()
    end_reading()
    for user, counted in rows:
        if published.get(user.username, 0) != counted or home_of(user) in opened:
            settle(platform, user)
