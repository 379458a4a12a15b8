"""Who may do what with a repository: decided here, once in Python and once as SQL."""

from sqlalchemy import ColumnElement, or_, select

from models import Collaborator, Level, Repository, Standing, User, Visibility

_ORDER = tuple(Level)


def rights(user: User | None, row: Repository, granted: Level | None) -> Level | None:
    """Return the most that ``user`` may do with ``row``; None is to know nothing of it. Pure.

    ``granted`` is what the row of the user among the collaborators says. "Public" means the people
    of this server: a stranger (None) has no right to anything.
    """
    if user is None or user.standing is not Standing.ACTIVE:
        return None
    if user.id == row.owner_id:
        return Level.ADMIN
    if granted is None and row.visibility is Visibility.PUBLIC:
        return Level.READ
    return granted


def allows(level: Level | None, need: Level) -> bool:
    """Return whether ``level`` includes ``need``. Pure."""
    return level is not None and _ORDER.index(level) >= _ORDER.index(need)


def may_push(level: Level | None, row: Repository) -> bool:
    """Return whether ``level`` is enough to change what ``row`` holds, archived as it may be."""
    return allows(level, Level.WRITE) and not row.archived


def known_to(user: User) -> ColumnElement[bool]:
    """Return the condition on ``Repository`` that :func:`rights` of an active user is not None."""
    shared = select(Collaborator.repository_id).where(Collaborator.user_id == user.id)
    return or_(
        Repository.visibility == Visibility.PUBLIC,
        Repository.owner_id == user.id,
        Repository.id.in_(shared),
    )
