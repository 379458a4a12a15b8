"""The rules in Python and those in SQL are the same rules."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import (
    Collaborator,
    Level,
    Repository,
    Standing,
    User,
    Visibility,
    db,
    utcnow,
    writing,
)
from orchestrator.commons import finding, rights
from orchestrator.platform import Platform
from tests.app_fixtures import account, on_both_databases

LEVELS = st.sampled_from([None, *Level])


def person(number: int, standing: Standing = Standing.ACTIVE) -> User:
    return User(id=number, username=f"user-{number}", standing=standing)


REPOSITORIES = st.builds(
    Repository, owner_id=st.integers(1, 3), visibility=st.sampled_from(Visibility),
    archived=st.booleans(),
)  # fmt: skip


@given(row=REPOSITORIES, granted=LEVELS)
def test_strangers_and_the_suspended_know_of_nothing(
    row: Repository, granted: Level | None
) -> None:
    assert rights.rights(None, row, granted) is None
    assert rights.rights(person(1, Standing.SUSPENDED), row, granted) is None


@given(row=REPOSITORIES, number=st.integers(1, 3), granted=LEVELS)
def test_owners_may_everything_and_others_what_they_were_given(
    row: Repository, number: int, granted: Level | None
) -> None:
    level = rights.rights(person(number), row, granted)
    if number == row.owner_id:
        assert level is Level.ADMIN
    elif row.visibility is Visibility.PRIVATE:
        assert level is granted
    else:
        assert level is (granted or Level.READ)


@given(row=REPOSITORIES, number=st.integers(1, 3), one=LEVELS, other=LEVELS)
def test_more_given_is_never_less_allowed(
    row: Repository, number: int, one: Level | None, other: Level | None
) -> None:
    order = [None, *Level]
    if order.index(one) <= order.index(other):
        less, more = (rights.rights(person(number), row, granted) for granted in (one, other))
        assert order.index(less) <= order.index(more)


@given(row=REPOSITORIES, level=LEVELS)
def test_an_archived_repository_takes_no_push(row: Repository, level: Level | None) -> None:
    assert rights.may_push(level, row) == (level in (Level.WRITE, Level.ADMIN) and not row.archived)


@on_both_databases
@pytest.mark.usefixtures("context")
def test_what_is_listed_is_what_may_be_read(platform: Platform) -> None:
    ann, bob = account(platform.settings, "ann"), account(platform.settings, "bob")
    kinds = list(itertools.product((ann, bob), Visibility, (None, *Level)))
    with writing():
        for number, (owner, visibility, granted) in enumerate(kinds):
            row = Repository(
                owner_id=owner.id, name=f"r{number}", visibility=visibility, created_at=utcnow()
            )
            db.session.add(row)
            db.session.flush()
            if granted is not None and owner is ann:
                db.session.add(
                    Collaborator(
                        repository_id=row.id, user_id=bob.id, level=granted, created_at=utcnow()
                    )
                )
    listed = set(db.session.scalars(db.select(Repository.id).where(rights.known_to(bob))))
    rows = db.session.scalars(db.select(Repository)).all()
    assert len(rows) == len(kinds)
    assert listed == {row.id for row in rows if finding.level_of(bob, row) is not None}
    assert len(listed) < len(rows)
