"""Let other people work on a repository."""

from datetime import datetime

from sqlalchemy import delete, func, select

from models import Collaborator, Level, Repository, User, db, rows_changed, writing
from orchestrator import audit
from orchestrator.commons import finding, rights
from orchestrator.commons.names import parse_owner
from orchestrator.errors import BadInput, Conflict, Forbidden, NotFound
from orchestrator.names import could_be

COLLABORATORS_MAX = 100


def of(row: Repository) -> list[Collaborator]:
    """Return who else may do what with ``row``, by name."""
    query = select(Collaborator).join(Collaborator.user).order_by(User.username)
    return list(db.session.scalars(query.where(Collaborator.repository_id == row.id)))


def put(
    user: User, now: datetime, row: Repository, username: str, level: Level, *, address: str = ""
) -> Collaborator:
    """Let somebody do ``level`` with it; who calls found ``row`` with Level.ADMIN.

    Raises: NotFound (nobody of that name), BadInput (its owner), Conflict (too many).
    """
    person = _named(username)
    if person.id == row.owner_id:
        raise BadInput("The owner may do everything already", field="username")
    with writing():
        known = db.session.get(Collaborator, (row.id, person.id))
        if known is None:
            count = select(func.count()).where(Collaborator.repository_id == row.id)
            if (db.session.scalar(count) or 0) >= COLLABORATORS_MAX:
                raise Conflict(f"A repository has at most {COLLABORATORS_MAX} collaborators")
            known = Collaborator(
                repository_id=row.id, user_id=person.id, level=level, created_at=now
            )
            db.session.add(known)
        known.level = level
        audit.record(
            now, user.username, "repository.shared", row.slug, address=address,
            collaborator=username, level=level,
        )  # fmt: skip
    db.session.refresh(known)
    return known


def take(user: User, now: datetime, row: Repository, username: str, *, address: str = "") -> None:
    """Take somebody's right away; idempotent. Everybody may leave by themselves.

    Raises: Forbidden.
    """
    if username != user.username and not rights.allows(finding.level_of(user, row), Level.ADMIN):
        raise Forbidden("Only administrators of the repository may do that")
    with writing():
        who = select(User.id).where(User.username == username.replace("\0", ""))
        gone = rows_changed(
            delete(Collaborator).where(
                Collaborator.repository_id == row.id,
                Collaborator.user_id.in_(who.scalar_subquery()),
            )
        )
        if gone:
            audit.record(
                now, user.username, "repository.unshared", row.slug, address=address,
                collaborator=username,
            )  # fmt: skip


def _named(username: str) -> User:
    found = None
    if could_be(parse_owner, username):
        found = db.session.scalar(select(User).where(User.username == username))
    if found is None:
        raise NotFound(f"Nobody here is called '{username[:40]}'")
    return found
