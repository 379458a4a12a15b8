"""How much of a person's allowance is left for what they publish.

It is one allowance: the home's files, its snapshots and images, and what is published all come out
of it. What is being published counts from the moment that it is let in (:func:`holding`), so that
many at once publish no more than one after the other.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from models import Home, Repository, User, db, end_reading
from orchestrator.commons import holds
from orchestrator.commons.store import tree_bytes
from orchestrator.errors import AllowanceReached
from orchestrator.leases import publishing_lease
from orchestrator.offload import offload
from orchestrator.platform import Platform
from orchestrator.policy import allowance_of, home_of

PATIENCE_SECONDS = 10.0
_MIB = 1 << 20


def used(platform: Platform, user: User) -> int:
    """Return the bytes of the user's repositories, as last measured, and of the shared files."""
    rows = select(func.coalesce(func.sum(Repository.size_bytes), 0)).where(
        Repository.owner_id == user.id
    )
    repositories = int(db.session.scalar(rows) or 0)
    share = platform.store.share(user.username)
    end_reading()
    return repositories + offload(tree_bytes, share)


def used_by_all(platform: Platform) -> dict[str, int]:
    """Return what :func:`used` does, for every username that publishes anything."""
    rows = (
        select(User.username, func.sum(Repository.size_bytes))
        .join(Repository, Repository.owner_id == User.id)
        .group_by(User.username)
    )
    found = {username: int(size) for username, size in db.session.execute(rows)}
    end_reading()
    for username, size in offload(platform.store.shares).items():
        found[username] = found.get(username, 0) + size
    return found


def left(platform: Platform, user: User) -> int:
    """Return how many bytes the user may still publish; 0 where the allowance is used up.

    The files of a home that is open are measured; else they are as large as they last were.
    """
    # Before any row is read: what becomes a row meanwhile may count twice, never not at all.
    end_reading()
    held = holds.total(_directory(platform), user.id)
    home = db.session.get(Home, user.id, populate_existing=True)
    files = home.files_bytes if home else 0
    others = home.snapshots_bytes + home.images_bytes if home else 0
    allowed = allowance_of(platform.settings, user).disk_bytes
    published = used(platform, user) + held
    live = platform.storage.usage(home_of(user))
    return max(0, allowed - (files if live is None else live) - others - published)


def require(platform: Platform, user: User, nbytes: int) -> None:
    """Return when the user may publish ``nbytes`` more. Raises: AllowanceReached."""
    if (room := left(platform, user)) < nbytes:
        raise AllowanceReached(
            f"That takes {nbytes / _MIB:,.1f} MiB; the owner's allowance has "
            f"{room / _MIB:,.1f} MiB left",
            hint="Files, snapshots and what is published count together: delete some.",
        )


@contextmanager
def counting(platform: Platform, user: User) -> Iterator[None]:
    """Be the only one who counts what the user publishes. Raises: HomeBusy."""
    lease = publishing_lease(home_of(user))
    with platform.leases.alone(lease, patience=PATIENCE_SECONDS):
        yield


@dataclass(frozen=True, slots=True)
class Hold:
    """A part of one person's allowance, kept for what is being published."""

    platform: Platform
    user: User
    descriptor: int

    def grow(self, nbytes: int) -> None:
        """Keep ``nbytes`` in all. Raises: AllowanceReached, HomeBusy."""
        before = os.fstat(self.descriptor).st_size
        if nbytes > before:
            with counting(self.platform, self.user):
                require(self.platform, self.user, nbytes - before)
                os.ftruncate(self.descriptor, nbytes)


@contextmanager
def holding(platform: Platform, user: User, nbytes: int) -> Iterator[Hold]:
    """Keep ``nbytes`` of what is left from whoever else publishes, until the rows count them.

    Raises: AllowanceReached, HomeBusy.
    """
    with holds.held(_directory(platform), user.id) as descriptor:
        hold = Hold(platform, user, descriptor)
        hold.grow(nbytes)
        yield hold


def _directory(platform: Platform) -> Path:
    return platform.store.private / ".held"
