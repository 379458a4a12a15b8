"""What people do in the commons: written down by use cases, followed live by pages."""

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from models import Activity, Deed, Repository, User, db
from orchestrator.commons import rights
from orchestrator.feed import EVERYONE
from orchestrator.platform import Platform

COUNT_MAX = 200


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
) -> list[Activity]:
    """Return what happened, newest first, of what ``viewer`` may know.

    ``after`` and ``before`` are ids; ``owner`` is that of the repository.
    ``Activity.facts``: push {branch, commits, subject, created, deleted}; fork {parent};
    propose and merge {number, title}; share {path}.
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
    return list(db.session.scalars(query.options(lean)))


def _number(username: str) -> int:
    """Return the id of that account; none has 0."""
    name = username.replace("\0", "")
    return db.session.scalar(select(User.id).where(User.username == name)) or 0
