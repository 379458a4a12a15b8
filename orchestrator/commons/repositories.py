"""Use cases of repositories: publish, fork, change, delete."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from models import (
    Deed,
    Repository,
    User,
    Visibility,
    db,
    end_reading,
    one_at_a_time,
    writing,
)
from orchestrator import audit
from orchestrator.access import require_active
from orchestrator.commons import activity, quota, reading, renewing, settling, source
from orchestrator.commons.names import RepoName, parse_branch, parse_repository
from orchestrator.errors import (
    AllowanceReached,
    AlreadyExists,
    BadInput,
    Forbidden,
    NotFound,
)
from orchestrator.platform import Platform

REPOSITORIES_MAX = 1000
"""Of one person: an empty one takes disk, too."""
DESCRIPTION_MAX = 200


@dataclass(frozen=True, slots=True)
class Change:
    """What to change of a repository; None leaves it."""

    name: str | None = None
    description: str | None = None
    visibility: Visibility | None = None
    archived: bool | None = None
    protected: bool | None = None
    default_branch: str | None = None


def create(
    platform: Platform,
    user: User,
    now: datetime,
    name: str,
    *,
    description: str = "",
    visibility: Visibility = Visibility.PUBLIC,
    built: Path | None = None,
    address: str = "",
) -> Repository:
    """Create a repository of the user's own: empty, or ``built`` in a ``Store.workplace()``.

    Raises: BadInput, AlreadyExists, AllowanceReached.
    """
    quota.require(platform, user, 1)
    row = Repository(
        owner_id=user.id,
        name=parse_repository(name),
        description=parse_description(description),
        visibility=visibility,
        created_at=now,
    )
    _add(row, user, now, "repository.created", Deed.CREATE, address)
    full, private = RepoName(user.username, row.name), visibility is Visibility.PRIVATE
    if built is None:
        _on_disk(platform, row, lambda: platform.store.create(full, private=private))
    else:
        _on_disk(platform, row, lambda: platform.store.adopt(built, full, private=private))
    activity.publish(platform)
    return row


def fork(
    platform: Platform, user: User, now: datetime, row: Repository, name: str | None = None,
    *, address: str = "",
) -> Repository:  # fmt: skip
    """Copy it to the user, private where it is private; the user can read ``row``.

    Raises: BadInput, AlreadyExists, AllowanceReached.
    """
    made = Repository(
        owner_id=user.id,
        name=parse_repository(row.name if name is None else name),
        description=row.description,
        visibility=row.visibility,
        default_branch=row.default_branch,
        parent_id=row.id,
        created_at=now,
        pushed_at=row.pushed_at,
        size_bytes=row.size_bytes,
        language=row.language,
        facts=row.facts,
    )
    with quota.holding(platform, user, row.size_bytes):  # from then on the row counts
        _add(made, user, now, "repository.forked", Deed.FORK, address, parent=row.slug)
    private = row.visibility is Visibility.PRIVATE
    origin, copy = source.name_of(row), RepoName(user.username, made.name)
    end_reading()
    _on_disk(
        platform,
        made,
        lambda: platform.store.fork(origin, copy, source_private=private, private=private),
    )
    settling.settle(platform, user)
    activity.publish(platform)
    return made


def _add(
    row: Repository, user: User, now: datetime, event: str, deed: Deed, address: str, **facts: str
) -> None:
    """Make the row, which claims the name."""
    require_active(user)
    with writing():
        one_at_a_time(user.id)
        _require_free(user.id, row.name)
        count = select(func.count(Repository.id)).where(Repository.owner_id == user.id)
        if (db.session.scalar(count) or 0) >= REPOSITORIES_MAX:
            raise AllowanceReached(f"You have {REPOSITORIES_MAX} repositories already")
        db.session.add(row)
        db.session.flush()
        activity.record(now, user, deed, row, **facts)
        audit.record(
            now, user.username, event, f"{user.username}/{row.name}", address=address, **facts
        )
    db.session.refresh(row)
    end_reading()


def _require_free(owner_id: int, name: str) -> None:
    taken = select(Repository.id).where(Repository.owner_id == owner_id, Repository.name == name)
    if db.session.scalar(taken) is not None:
        raise AlreadyExists(f"There is a repository named '{name}' already")


def _on_disk(platform: Platform, row: Repository, make: Callable[[], Path]) -> None:
    """Make what the row stands for; without it there is no row."""
    try:
        platform.store.mark(make(), row.id)
    except BaseException:
        with writing():
            if (left := db.session.get(Repository, row.id)) is not None:
                db.session.delete(left)
        raise


def change(
    platform: Platform, user: User, now: datetime, row: Repository, change: Change,
    *, address: str = "",
) -> Repository:  # fmt: skip
    """Change it; who calls found ``row`` with Level.ADMIN, and only its owner may rename it.

    Raises: BadInput, AlreadyExists, Forbidden, NotFound.
    """
    given = _checked(platform, user, row, change)
    if not given:
        return row
    moved: list[Callable[[], object]] = []
    try:
        with writing():
            locked = _locked(row)
            before = (source.name_of(locked), locked.visibility is Visibility.PRIVATE)
            for field, value in given.items():
                setattr(locked, field, value)
            db.session.flush()
            if "visibility" in given:
                renewing.after_showing(user, now, locked)
            after = (source.name_of(locked), locked.visibility is Visibility.PRIVATE)
            audit.record(
                now, user.username, "repository.changed", locked.slug, address=address,
                **{key: value for key, value in given.items() if key != "description"},
            )  # fmt: skip
            if before != after:
                # A rename within one disk; git finds the repository where the row says, or not.
                _move(platform, before, after)
                moved.append(lambda: _move(platform, after, before))
    except IntegrityError as error:
        raise AlreadyExists(f"There is a repository named '{given['name']}' already") from error
    except BaseException:
        for undo in moved:
            with suppress(OSError):
                undo()
        raise
    row = locked
    if "default_branch" in given:
        place = source.of(platform, row, asker=user, chore=True)  # the row says so already
        place.ask("symbolic-ref", "HEAD", f"refs/heads/{row.default_branch}")
    activity.publish(platform)
    return row


def _checked(platform: Platform, user: User, row: Repository, change: Change) -> dict[str, object]:
    """Return the fields that really change, parsed."""
    given: dict[str, object] = {}
    if change.name is not None:
        given["name"] = parse_repository(change.name)
    if change.description is not None:
        given["description"] = parse_description(change.description)
    for field in ("visibility", "archived", "protected"):
        if (value := getattr(change, field)) is not None:
            given[field] = value
    if change.default_branch is not None:
        given["default_branch"] = parse_branch(change.default_branch)
    given = {field: value for field, value in given.items() if getattr(row, field) != value}
    if {"name", "visibility"} & given.keys() and user.id != row.owner_id:
        raise Forbidden("Only the owner may rename, hide or publish a repository")
    if "default_branch" in given:
        here = source.of(platform, row, asker=user)
        if reading.branches(here) and not reading.branch(here, str(given["default_branch"])):
            raise NotFound(f"There is no branch '{given['default_branch']}'")
    return given


def fill(platform: Platform, row_id: int, built: Path) -> bool:
    """Put what was pushed into an empty repository, wherever its row says that it lies by now.

    Return False where it is gone: then nothing is put anywhere.
    """
    with writing():
        query = select(Repository).where(Repository.id == row_id).with_for_update(of=Repository)
        row = db.session.scalar(query.execution_options(populate_existing=True))
        if row is None:
            return False
        # A rename within one disk, as in change(): nobody hides or renames it in between.
        private = row.visibility is Visibility.PRIVATE
        made = platform.store.adopt(built, source.name_of(row), private=private)
        platform.store.mark(made, row.id)
    return True


def _move(platform: Platform, before: tuple[RepoName, bool], after: tuple[RepoName, bool]) -> None:
    platform.store.move(before[0], private=before[1], to=after[0], to_private=after[1])


def _locked(row: Repository) -> Repository:
    """Return the row as it stands, for the transaction under way alone. Raises: NotFound."""
    query = select(Repository).where(Repository.id == row.id)
    found = db.session.scalar(
        query.with_for_update(of=Repository).execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("That repository is gone")
    return found


def remove(
    platform: Platform, user: User, now: datetime, row: Repository, *, address: str = ""
) -> None:
    """Delete it for good; forks stay. Raises: Forbidden unless the user owns it."""
    if user.id != row.owner_id:
        raise Forbidden("Only the owner may delete a repository")
    with writing():
        row = _locked(row)
        full, private = source.name_of(row), row.visibility is Visibility.PRIVATE
        db.session.delete(row)
        audit.record(now, user.username, "repository.deleted", f"{full}", address=address)
    platform.store.delete(full, private=private)
    settling.settle(platform, user)
    activity.publish(platform)


def remove_all(platform: Platform, user: User) -> None:
    """Delete all that an account which is being deleted has in the commons; forks stay.

    Idempotent. To be called before the username is free again.
    """
    username = user.username
    with writing():
        db.session.execute(delete(Repository).where(Repository.owner_id == user.id))
    platform.store.delete_owner(username)
    activity.publish(platform)


def parse_description(text: object) -> str:
    """Return ``text`` when it is one printable line, or nothing. Raises: BadInput."""
    if isinstance(text, str) and len(text) <= DESCRIPTION_MAX * 4:
        line = text.strip()
        if len(line) <= DESCRIPTION_MAX and (line == "" or line.isprintable()):
            return line
    raise BadInput(
        "That description cannot be used",
        field="description",
        hint=f"Use one line of at most {DESCRIPTION_MAX} characters.",
    )
