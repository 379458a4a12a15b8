"""Find repositories: one by its name, or many by what they are, of those that one may know."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Executable, Select, func, or_, select
from sqlalchemy.orm import defer

from models import Collaborator, Level, Repository, Star, User, db
from orchestrator.commons import rights
from orchestrator.commons.names import parse_owner, parse_repository
from orchestrator.errors import Forbidden, NotFound
from orchestrator.names import could_be

PER_PAGE_MAX = 100
WORDS_MAX = 8
PAGES_MAX = 10_000


class Order(StrEnum):
    """What comes first; what was pushed to last, unless something else is asked for."""

    PUSHED = "pushed"
    STARS = "stars"
    CREATED = "created"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for.

    ``text`` is words, each of them in the owner's name, the name or the description; ``owner`` and
    ``language`` are exact; ``starred_by`` is a username, ``parent`` lists the forks of one.
    """

    text: str = ""
    owner: str = ""
    language: str = ""
    starred_by: str = ""
    parent: int | None = None
    order: Order = Order.PUSHED
    page: int = 1
    per_page: int = 30


@dataclass(frozen=True, slots=True)
class Listed:
    """A repository with what is counted."""

    row: Repository
    stars: int
    forks: int


@dataclass(frozen=True, slots=True)
class Results:
    """One page of what was found, and how many there are in all."""

    found: list[Listed]
    total: int


def find(viewer: User | None, owner: str, name: str, need: Level = Level.READ) -> Repository:
    """Return the repository with which ``viewer`` may do what ``need`` says.

    Raises: NotFound (absent, or private and not theirs), Forbidden (seen, but not allowed).
    """
    row = named(owner, name)
    level = None if row is None else level_of(viewer, row)
    if row is None or level is None:
        raise NotFound(f"There is no repository '{owner[:40]}/{name[:80]}'")
    if not rights.allows(level, need):
        raise Forbidden(f"You may only {level} {row.slug}", hint="Ask its owner, or fork it.")
    return row


def named(owner: str, name: str) -> Repository | None:
    """Return the repository of that name, whoever asks."""
    if not (could_be(parse_owner, owner) and could_be(parse_repository, name)):
        return None
    query = select(Repository).join(Repository.owner)
    return db.session.scalar(query.where(User.username == owner, Repository.name == name))


def level_of(viewer: User | None, row: Repository) -> Level | None:
    """Return the most that ``viewer`` may do with ``row``; None is to know nothing of it."""
    granted = None
    if viewer is not None:
        granted = db.session.scalar(
            select(Collaborator.level).where(
                Collaborator.repository_id == row.id, Collaborator.user_id == viewer.id
            )
        )
    return rights.rights(viewer, row, granted)


def levels(viewer: User, rows: Sequence[Repository]) -> dict[int, Level | None]:
    """Return, by its id, what ``viewer`` may do with each of ``rows``."""
    query = select(Collaborator).where(
        Collaborator.user_id == viewer.id, Collaborator.repository_id.in_([row.id for row in rows])
    )
    granted = {one.repository_id: one.level for one in db.session.scalars(query)}
    return {row.id: rights.rights(viewer, row, granted.get(row.id)) for row in rows}


def parent_of(viewer: User, row: Repository) -> Repository | None:
    """Return what ``row`` was forked from, as far as ``viewer`` may know."""
    return parents(viewer, [row]).get(row.id)


def parents(viewer: User, rows: Sequence[Repository]) -> dict[int, Repository]:
    """Return, by its id, what each of ``rows`` was forked from, as far as ``viewer`` may know."""
    wanted = {row.parent_id for row in rows if row.parent_id is not None}
    if not wanted:
        return {}
    query = select(Repository).where(Repository.id.in_(wanted), rights.known_to(viewer))
    known = {one.id: one for one in db.session.scalars(query)}
    return {row.id: known[row.parent_id] for row in rows if row.parent_id in known}


def fork_of(viewer: User, row: Repository) -> Repository | None:
    """Return the viewer's own fork of ``row``, if there is one."""
    query = select(Repository).where(
        Repository.parent_id == row.id, Repository.owner_id == viewer.id
    )
    return db.session.scalars(query.order_by(Repository.id).limit(1)).first()


def listed(viewer: User, row: Repository) -> Listed:
    """Return ``row`` with its counts."""
    return _counted(viewer, [row])[0]


def search(viewer: User, query: Query) -> Results:
    """Return what ``viewer`` may know of, page by page."""
    conditions = _conditions(viewer, query)
    total = db.session.scalar(
        select(func.count(Repository.id)).join(Repository.owner).where(*conditions)
    )
    per_page = min(max(query.per_page, 1), PER_PAGE_MAX)
    skipped = (min(max(query.page, 1), PAGES_MAX) - 1) * per_page
    ids = select(Repository.id).join(Repository.owner).where(*conditions)
    # The ids first: what is joined to a row need not be fetched for those that are sorted away.
    page = list(db.session.scalars(_sorted(ids, query.order).limit(per_page).offset(skipped)))
    lean = select(Repository).options(defer(Repository.facts))
    rows = db.session.scalars(lean.where(Repository.id.in_(page)))
    found = sorted(rows, key=lambda row: page.index(row.id))
    return Results(_counted(viewer, found), total or 0)


def languages(viewer: User) -> list[tuple[str, int]]:
    """Return the languages of what ``viewer`` may know of, with how many repositories each."""
    count = func.count(Repository.id)
    query = (
        select(Repository.language, count)
        .where(rights.known_to(viewer), Repository.language != "")
        .group_by(Repository.language)
        .order_by(count.desc(), Repository.language)
    )
    return [(language, number) for language, number in db.session.execute(query)]


def of_user(user: User) -> list[Repository]:
    """Return all repositories of one person, by name."""
    query = select(Repository).where(Repository.owner_id == user.id).order_by(Repository.name)
    return list(db.session.scalars(query))


def _conditions(viewer: User, query: Query) -> list[ColumnElement[bool]]:
    conditions = [rights.known_to(viewer)]
    for word in query.text.split()[:WORDS_MAX]:
        near = {"other": word[:80].replace("\0", ""), "autoescape": True}
        conditions.append(
            or_(
                Repository.name.icontains(**near),
                User.username.icontains(**near),
                Repository.description.icontains(**near),
            )
        )
    if query.owner:
        conditions.append(User.username == query.owner.replace("\0", ""))
    if query.language:
        conditions.append(Repository.language == query.language.replace("\0", ""))
    if query.parent is not None:
        conditions.append(Repository.parent_id == query.parent)
    if query.starred_by:
        who = select(User.id).where(User.username == query.starred_by.replace("\0", ""))
        stars = select(Star.repository_id).where(Star.user_id.in_(who))
        conditions.append(Repository.id.in_(stars))
    return conditions


def _sorted(ids: Select[Any], order: Order) -> Select[Any]:
    if order is Order.NAME:
        return ids.order_by(func.lower(Repository.name), User.username)
    if order is Order.CREATED:
        return ids.order_by(Repository.id.desc())
    if order is Order.STARS:
        counts = (
            select(Star.repository_id, func.count().label("stars"))
            .group_by(Star.repository_id)
            .subquery()
        )
        ids = ids.outerjoin(counts, counts.c.repository_id == Repository.id)
        return ids.order_by(func.coalesce(counts.c.stars, 0).desc(), Repository.id.desc())
    recent = func.coalesce(Repository.pushed_at, Repository.created_at)
    return ids.order_by(recent.desc(), Repository.id.desc())


def _counted(viewer: User, rows: list[Repository]) -> list[Listed]:
    """Count stars, and the forks that ``viewer`` may know of."""
    ids = [row.id for row in rows]
    stars = _numbers(
        select(Star.repository_id, func.count()).where(Star.repository_id.in_(ids))
        .group_by(Star.repository_id)
    )  # fmt: skip
    forks = _numbers(
        select(Repository.parent_id, func.count())
        .where(Repository.parent_id.in_(ids), rights.known_to(viewer))
        .group_by(Repository.parent_id)
    )
    return [Listed(row, stars.get(row.id, 0), forks.get(row.id, 0)) for row in rows]


def _numbers(query: Executable) -> dict[int, int]:
    return {int(key): int(number) for key, number in db.session.execute(query)}
