from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from models import (
    Event,
    State,
    Template,
    User,
    Workspace,
    db,
    rows_changed,
    utcnow,
    writing,
)
from orchestrator.settings import Settings
from tests.app_fixtures import account, on_both_databases, together

pytestmark = [on_both_databases, pytest.mark.usefixtures("context")]


def event(at: datetime, action: str = "x.y") -> Event:
    return Event(at=at, actor="ann", action=action)


def stored() -> list[Event]:
    db.session.rollback()
    return list(db.session.scalars(select(Event).order_by(Event.id)))


def test_times_come_back_aware_and_in_utc_whatever_the_zone() -> None:
    tokyo = timezone(timedelta(hours=9))
    at = datetime(2031, 5, 6, 3, 4, 5, 678901, tzinfo=tokyo)
    with writing():
        db.session.add(event(at))
    (row,) = stored()
    assert row.at == at
    assert row.at.tzinfo is UTC
    assert row.at.hour == 18


def test_naive_times_are_refused() -> None:
    with pytest.raises(StatementError, match="naive datetime"), writing():
        db.session.add(event(datetime(2031, 5, 6)))  # noqa: DTZ001
    assert stored() == []


def test_times_compare_in_the_database() -> None:
    noon = datetime(2031, 5, 6, 12, 0, tzinfo=UTC)
    with writing():
        db.session.add_all(event(noon + timedelta(minutes=m), str(m)) for m in (-1, 0, 1))
    later = db.session.scalars(select(Event.action).where(Event.at > noon))
    assert list(later) == ["1"]


def test_now_is_aware() -> None:
    assert utcnow().tzinfo is UTC


def test_writing_commits_at_the_end() -> None:
    with writing():
        db.session.add(event(utcnow()))
    assert len(stored()) == 1


def test_writing_leaves_nothing_behind_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), writing():
        db.session.add(event(utcnow()))
        db.session.flush()
        1 / 0  # noqa: B018
    assert stored() == []


def test_writing_begins_by_forgetting_what_was_not_written() -> None:
    db.session.add(event(utcnow(), "half.done"))
    with writing():
        db.session.add(event(utcnow(), "done"))
    assert [row.action for row in stored()] == ["done"]


def test_what_was_written_is_still_loaded_afterwards(settings: Settings) -> None:
    user = account(settings, "ann")
    assert not db.session().in_transaction()
    assert user.username == "ann"
    assert not db.session().in_transaction(), "reading it asked the database again"


def test_rows_changed_counts() -> None:
    with writing():
        db.session.add_all([event(utcnow()), event(utcnow())])
    with writing():
        assert rows_changed(update(Event).values(actor="bob")) == 2
        assert rows_changed(update(Event).where(Event.actor == "ann").values(actor="x")) == 0
    assert {row.actor for row in stored()} == {"bob"}


def test_many_writers_at_once_lose_nothing(app: Flask) -> None:
    """Reading first and writing then is where SQLite would answer 'database is locked'."""

    def count_up(number: int) -> None:
        for _ in range(5):
            with writing():
                known = len(db.session.scalars(select(Event)).all())
                db.session.add(event(utcnow(), f"{number}.{known}"))

    assert together(app, 8, count_up) == [None] * 8
    assert len(stored()) == 40


@pytest.fixture
def template() -> Template:
    return db.session.scalars(select(Template)).one()


def workspace(user: User, template: Template, **changes: object) -> Workspace:
    given = {"cpus": 1.0, "memory_bytes": 1 << 30, "pids": 64, "name": "main"} | changes
    return Workspace(user_id=user.id, template_id=template.id, created_at=utcnow(), **given)


@pytest.mark.parametrize("column", ["cpus", "memory_bytes", "pids"])
def test_the_database_refuses_limits_of_zero(
    settings: Settings, template: Template, column: str
) -> None:
    user = account(settings, "ann")
    with pytest.raises(IntegrityError), writing():
        db.session.add(workspace(user, template, **{column: 0}))


def test_the_database_refuses_a_second_workspace_of_that_name(
    settings: Settings, template: Template
) -> None:
    ann, bob = account(settings, "ann"), account(settings, "bob")
    with writing():
        db.session.add_all([workspace(ann, template), workspace(bob, template)])
    with pytest.raises(IntegrityError), writing():
        db.session.add(workspace(ann, template))


def test_the_database_refuses_a_state_that_is_none(settings: Settings, template: Template) -> None:
    user = account(settings, "ann")
    with writing():
        db.session.add(workspace(user, template))
    with pytest.raises(IntegrityError), writing():
        db.session.execute(text("UPDATE workspaces SET state = 'asleep'"))
    db.session.rollback()
    row = db.session.scalars(select(Workspace)).one()
    assert row.state is State.STOPPED
    assert row.container == f"rb-{user.userhash}-main"


def test_what_belongs_to_an_account_goes_with_it(settings: Settings, template: Template) -> None:
    user = account(settings, "ann")
    with writing():
        db.session.add(workspace(user, template))
    with writing():
        db.session.delete(db.session.get(User, user.id))
    assert db.session.scalars(select(Workspace)).all() == []


def test_a_template_in_use_cannot_vanish(settings: Settings, template: Template) -> None:
    user = account(settings, "ann")
    with writing():
        db.session.add(workspace(user, template))
    with pytest.raises(IntegrityError), writing():
        db.session.delete(db.session.get(Template, template.id))
