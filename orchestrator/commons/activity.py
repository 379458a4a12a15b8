"""What people do in the commons: written down by use cases, followed live by pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from models import Activity, Deed, Repository, User, db
from orchestrator.commons import finding, rights
from orchestrator.feed import EVERYONE
from orchestrator.platform import Platform

COUNT_MAX = 200


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that somebody did, as far as the one who asks may know."""

    id: int
    deed: Deed
    actor: User
    repository: Repository | None
    facts: dict[str, Any]
    at: datetime


def record(now: datetime, actor: User, deed: Deed, row: Repository | None, **facts: object) -> None:
    """Add it to the transaction under way; call :func:`publish` when that is committed."""
    db.session.add(
        Activity(deed=deed, actor_id=actor.id, repository_id=row and row.id, facts=facts, at=now)
    )


def publish(platform: Platform) -> None:
    """Wake the pages that follow."""
    platform.feed.publish(EVERYONE)


def recent(
    viewer: User,
    *,
    after: int = 0,
    before: int | None = None,
    owner: str = "",
    actor: str = "",
    row: Repository | None = None,
    count: int = 50,
) -> list[Happening]:
    """Return what happened, newest first, of what ``viewer`` may know.

    ``after`` and ``before`` are ids; ``owner`` is that of the repository.
    ``facts``: push {branch, commits, subject, created, deleted}; fork {parent}, None where that
    is gone or hidden; propose and merge {number, title}; share {path}.
    """
    known = Activity.repository.has(rights.known_to(viewer))
    query = select(Activity).where(
        Activity.id > after, or_(Activity.repository_id.is_(None), known)
    )
    if before is not None:
        query = query.where(Activity.id < before)
    if row is not None:
        query = query.where(Activity.repository_id == row.id)
    # Ids first: the database then reads by an index, and not all that ever happened.
    if owner:
        theirs = select(Repository.id).where(Repository.owner_id == _number(owner))
        query = query.where(Activity.repository_id.in_(list(db.session.scalars(theirs))))
    if actor:
        query = query.where(Activity.actor_id == _number(actor))
    query = query.order_by(Activity.id.desc()).limit(min(max(count, 1), COUNT_MAX))
    lean = joinedload(Activity.repository).defer(Repository.facts)
    return _told(viewer, list(db.session.scalars(query.options(lean))))


def _told(viewer: User, rows: Sequence[Activity]) -> list[Happening]:
    # A fork may be public, and what it was forked from private: the row's word is not for all.
    forks = [row.repository for row in rows if row.deed is Deed.FORK and row.repository]
    parents = finding.parents(viewer, forks)
    told = []
    for row in rows:
        facts = row.facts
        if row.deed is Deed.FORK and row.repository is not None:
            parent = parents.get(row.repository.id)
            facts = facts | {"parent": parent.slug if parent else None}
        told.append(Happening(row.id, row.deed, row.actor, row.repository, facts, row.at))
    return told


def _number(username: str) -> int:
    """Return the id of that account; none has 0."""
    name = username.replace("\0", "")
    return db.session.scalar(select(User.id).where(User.username == name)) or 0
