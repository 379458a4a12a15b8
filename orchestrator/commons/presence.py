"""Who is here now, as far as people let others see it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from models import (
    ActiveSession,
    Repository,
    Standing,
    User,
    Visibility,
    db,
    writing,
)
from orchestrator.errors import NotFound

HERE = timedelta(minutes=6)
"""A sign-in in use is noted once in five minutes (see ``accounts.touch``)."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person in the list of people. ``online`` is None where they do not show it.

    ``repositories`` counts the public ones.
    """

    username: str
    online: bool | None
    repositories: int
    created_at: datetime


def people(viewer: User, now: datetime, *, online_only: bool = False) -> list[Person]:
    """Return the people of this server, those who are here first."""
    counts = dict(
        db.session.execute(
            select(Repository.owner_id, func.count())
            .where(Repository.visibility == Visibility.PUBLIC)
            .group_by(Repository.owner_id)
        ).all()
    )
    connected = set(
        db.session.scalars(
            select(ActiveSession.user_id).where(ActiveSession.last_seen_at > now - HERE).distinct()
        )
    )
    query = select(User).where(User.standing == Standing.ACTIVE).order_by(User.username)
    found = [
        _person(viewer, now, user, counts.get(user.id, 0), user.id in connected)
        for user in db.session.scalars(query)
    ]
    return sorted(
        (one for one in found if one.online or not online_only), key=lambda one: not one.online
    )


def person(viewer: User, now: datetime, username: str) -> Person:
    """Return one person. Raises: NotFound."""
    for one in people(viewer, now):
        if one.username == username:
            return one
    raise NotFound(f"Nobody here is called '{username[:40]}'")


def owner(username: str) -> User:
    """Return whose part of the commons that is. Raises: NotFound."""
    found = db.session.scalar(select(User).where(User.username == username.replace("\0", "")))
    if found is None or found.standing is not Standing.ACTIVE:
        raise NotFound(f"Nobody here is called '{username[:40]}'")
    return found


def show(user: User, seen: bool) -> None:
    """Let others see when the user is here, or not."""
    with writing():
        db.session.execute(update(User).where(User.id == user.id).values(unseen=not seen))
    user.unseen = not seen


def _person(viewer: User, now: datetime, user: User, repositories: int, connected: bool) -> Person:
    seen = user.last_seen_at is not None and user.last_seen_at > now - HERE
    hidden = user.unseen and user.id != viewer.id
    return Person(
        username=user.username,
        online=None if hidden else seen or connected,
        repositories=repositories,
        created_at=user.created_at,
    )
