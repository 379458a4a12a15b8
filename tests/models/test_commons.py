"""What the database itself refuses of the commons' rows."""

from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from models import (
    Activity,
    Collaborator,
    Deed,
    Level,
    Method,
    Proposal,
    ProposalComment,
    Repository,
    Side,
    Stage,
    Star,
    User,
    db,
    utcnow,
    writing,
)
from orchestrator.settings import Settings
from tests.app_fixtures import account, on_both_databases

pytestmark = [on_both_databases, pytest.mark.usefixtures("context")]

NOW = utcnow()


@pytest.fixture
def ann(settings: Settings) -> User:
    return account(settings, "ann")


@pytest.fixture
def row(ann: User) -> Repository:
    return added(Repository(owner_id=ann.id, name="hello", created_at=NOW))


@pytest.fixture
def offer(row: Repository, ann: User) -> Proposal:
    return added(proposal(row, ann))


def added(one: object) -> object:
    with writing():
        db.session.add(one)
    return one


def proposal(row: Repository, user: User, **given: object) -> Proposal:
    values = {
        "number": 1, "source_id": row.id, "source_branch": "fix", "target_branch": "main",
        "title": "Fix", "author_id": user.id, "author": user.username, "head": "a" * 40,
        "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return Proposal(repository_id=row.id, **values | given)


def refused(one: object) -> None:
    with pytest.raises(IntegrityError), writing():
        db.session.add(one)


def test_a_name_is_one_owners_once(row: Repository, ann: User, settings: Settings) -> None:
    refused(Repository(owner_id=ann.id, name="hello", created_at=NOW))
    refused(Repository(owner_id=ann.id, name="", created_at=NOW))
    added(Repository(owner_id=account(settings, "bob").id, name="hello", created_at=NOW))


def test_sizes_are_not_negative_and_nothing_is_its_own_parent(row: Repository) -> None:
    for change in ("size_bytes = -1", "parent_id = id", "visibility = 'secret'"):
        with pytest.raises(IntegrityError), writing():
            db.session.execute(text(f"UPDATE repositories SET {change}"))


def test_one_star_and_one_right_a_person(row: Repository, ann: User) -> None:
    for make in (
        lambda: Star(repository_id=row.id, user_id=ann.id, at=NOW),
        lambda: Collaborator(
            repository_id=row.id, user_id=ann.id, level=Level.READ, created_at=NOW
        ),
    ):
        added(make())
        db.session.expunge_all()
        refused(make())


def test_numbers_are_given_once_in_a_repository(
    offer: Proposal, row: Repository, ann: User
) -> None:
    refused(proposal(row, ann))
    refused(proposal(row, ann, number=0))
    refused(proposal(row, ann, number=2, title=""))
    added(proposal(row, ann, number=2))


@pytest.mark.parametrize(
    ("given", "sound"),
    [
        ({"stage": Stage.MERGED}, False),
        ({"stage": Stage.MERGED, "ended_at": NOW}, False),
        ({"stage": Stage.CLOSED}, False),
        ({"ended_at": NOW}, False),
        ({"merge_commit": "b" * 40, "base": "c" * 40, "method": Method.MERGE,
          "merged_by": "ann"}, False),
        ({"stage": Stage.CLOSED, "ended_at": NOW}, True),
        ({"stage": Stage.MERGED, "ended_at": NOW, "merge_commit": "b" * 40, "base": "c" * 40,
          "method": Method.SQUASH, "merged_by": "ann"}, True),
    ],
)  # fmt: skip
def test_a_stage_goes_with_its_facts(
    row: Repository, ann: User, given: dict[str, object], sound: bool
) -> None:
    one = proposal(row, ann, **given)
    if sound:
        added(one)
    else:
        refused(one)


@pytest.mark.parametrize(
    ("given", "sound"),
    [
        ({}, True),
        ({"path": "a", "side": Side.NEW, "line": 1, "commit_id": "a" * 40}, True),
        ({"path": "a"}, False),
        ({"line": 3}, False),
        ({"path": "a", "side": Side.NEW, "line": 0, "commit_id": "a" * 40}, False),
        ({"text": ""}, False),
    ],
)
def test_a_comment_is_about_a_whole_line_or_none(
    offer: Proposal, given: dict[str, object], sound: bool
) -> None:
    values = {"text": "x", "author": "ann", "created_at": NOW} | given
    one = ProposalComment(proposal_id=offer.id, **values)
    if sound:
        added(one)
    else:
        refused(one)


def test_what_people_said_outlives_them_and_what_they_did_does_not(
    row: Repository, ann: User, settings: Settings
) -> None:
    bob = account(settings, "bob")
    added(proposal(row, bob))
    added(Star(repository_id=row.id, user_id=bob.id, at=NOW))
    added(activity(bob, row, NOW))
    with writing():
        db.session.delete(db.session.get(User, bob.id))
    db.session.expunge_all()
    kept = db.session.query(Proposal).one()
    assert (kept.author_id, kept.author) == (None, "bob")
    assert db.session.query(Star).count() == db.session.query(Activity).count() == 0


def activity(user: User, row: Repository, at: datetime) -> Activity:
    return Activity(deed=Deed.STAR, actor_id=user.id, repository_id=row.id, at=at)


def test_a_repository_takes_its_own_with_it_and_leaves_its_forks(
    offer: Proposal, row: Repository, ann: User
) -> None:
    fork = added(Repository(owner_id=ann.id, name="fork", parent_id=row.id, created_at=NOW))
    added(activity(ann, row, NOW))
    with writing():
        db.session.delete(db.session.get(Repository, row.id))
    db.session.expunge_all()
    assert db.session.get(Repository, fork.id).parent_id is None
    assert db.session.query(Proposal).count() == db.session.query(Activity).count() == 0


def test_people_are_seen_unless_they_say_otherwise(ann: User) -> None:
    assert ann.unseen is False
