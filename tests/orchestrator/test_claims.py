import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from models import Workspace, db, utcnow, writing
from orchestrator.claims import Claims
from orchestrator.errors import Busy, NotFound
from tests.app_fixtures import on_both_databases, together
from tests.wire import wait_for

pytestmark = on_both_databases
LEASE = 60.0


@pytest.fixture
def ours(made: Workspace) -> Claims:
    return Claims("one:8000", LEASE)


@pytest.fixture
def theirs(made: Workspace) -> Claims:
    """Another server on the same database."""
    return Claims("two:8000", LEASE)


def holder(row: Workspace) -> str | None:
    db.session.rollback()
    return db.session.scalar(select(Workspace.claimed_by).where(Workspace.id == row.id))


def expire(row: Workspace) -> None:
    with writing():
        past = utcnow() - timedelta(seconds=1)
        db.session.execute(
            update(Workspace).where(Workspace.id == row.id).values(claimed_until=past)
        )


def test_a_claim_is_exclusive_between_servers(
    made: Workspace, ours: Claims, theirs: Claims
) -> None:
    with ours.claim(made.id, patience=0) as row:
        assert (row.id, row.claimed_by) == (made.id, "one:8000")
        with pytest.raises(Busy), theirs.claim(made.id, patience=0):
            pytest.fail("two servers hold one workspace")
    with theirs.claim(made.id, patience=0):
        assert holder(made) == "two:8000"
    assert holder(made) is None


def test_a_claim_is_exclusive_inside_a_server(app: Flask, made: Workspace, ours: Claims) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with ours.claim(made.id, patience=30):
            inside.append(number)
            most.append(len(inside))
            with writing():
                db.session.execute(update(Workspace).values(pids=Workspace.pids + 1))
            inside.remove(number)

    before = made.pids
    assert together(app, 12, work) == [None] * 12
    assert max(most) == 1
    assert db.session.get(Workspace, made.id, populate_existing=True).pids == before + 12
    assert ours._locks == {}, "locks nobody waits for are dropped"


def test_different_workspaces_do_not_wait_for_each_other(
    made: Workspace, ours: Claims, theirs: Claims
) -> None:
    with writing():
        other = Workspace(
            user_id=made.user_id, template_id=made.template_id, name="other", cpus=1.0,
            memory_bytes=1 << 30, pids=64, created_at=utcnow(),
        )  # fmt: skip
        db.session.add(other)
    with ours.claim(made.id, patience=0), ours.claim(other.id, patience=0):
        assert holder(other) == "one:8000"


def test_a_claim_waits_for_its_turn(
    app: Flask, made: Workspace, ours: Claims, theirs: Claims
) -> None:
    got = threading.Event()

    def wait() -> None:
        with app.app_context(), theirs.claim(made.id, patience=30):
            got.set()

    waiter = threading.Thread(target=wait)
    with ours.claim(made.id, patience=0):
        waiter.start()
        assert not got.is_set()
    assert wait_for(got.is_set)
    waiter.join()


def test_a_dead_servers_claim_runs_out(made: Workspace, ours: Claims, theirs: Claims) -> None:
    with ours.claim(made.id, patience=0):
        expire(made)
        with theirs.claim(made.id, patience=0):
            assert holder(made) == "two:8000"
        assert holder(made) is None


def test_who_lost_its_claim_does_not_free_the_next_ones(
    made: Workspace, ours: Claims, theirs: Claims
) -> None:
    second = theirs.claim(made.id, patience=0)
    with ours.claim(made.id, patience=0):
        expire(made)
        second.__enter__()
    assert holder(made) == "two:8000"
    second.__exit__(None, None, None)


def test_a_claim_can_be_renewed_while_it_is_ours(
    made: Workspace, ours: Claims, theirs: Claims
) -> None:
    with ours.claim(made.id, patience=0):
        expire(made)
        ours.renew(made.id)
        with pytest.raises(Busy), theirs.claim(made.id, patience=0):
            pytest.fail("the renewed claim does not hold")
        expire(made)
        with theirs.claim(made.id, patience=0), pytest.raises(Busy):
            ours.renew(made.id)


def test_an_error_inside_frees_the_claim(made: Workspace, ours: Claims) -> None:
    with pytest.raises(ZeroDivisionError), ours.claim(made.id, patience=0):
        1 / 0  # noqa: B018
    assert holder(made) is None
    assert ours._locks == {}


def test_what_a_crash_left_is_freed_by_the_servers_name(
    made: Workspace, ours: Claims, theirs: Claims
) -> None:
    crashed = ours.claim(made.id, patience=0)
    crashed.__enter__()
    theirs.free_leftovers()
    assert holder(made) == "one:8000"
    Claims("one:8000", LEASE).free_leftovers()
    assert holder(made) is None
    with theirs.claim(made.id, patience=0):
        crashed.__exit__(None, None, None)
        assert holder(made) == "two:8000"


@pytest.mark.parametrize("patience", [0.0, 0.01])
def test_a_workspace_that_is_gone_is_not_found(
    made: Workspace, ours: Claims, patience: float
) -> None:
    with pytest.raises(NotFound), ours.claim(made.id + 99, patience=patience):
        pytest.fail("claimed nothing")
    assert ours._locks == {}


def test_the_row_is_fresh_and_no_transaction_is_open(
    app: Flask, made: Workspace, ours: Claims, again: Callable[[Workspace], Workspace]
) -> None:
    def rename(_: int) -> None:
        with writing():
            db.session.execute(update(Workspace).values(name="renamed"))

    assert made.name == "main"
    together(app, 1, rename)
    with ours.claim(made.id, patience=0) as row:
        assert row.name == "renamed"
        assert row.container.endswith("-renamed")
        assert not db.session().in_transaction()


def test_who_waits_holds_no_transaction(app: Flask, made: Workspace, ours: Claims) -> None:
    """Fifty waiters would be fifty connections of the database, doing nothing."""
    waiting = threading.Event()
    states: list[bool] = []

    def wait() -> None:
        with app.app_context():
            db.session.get(Workspace, made.id)
            assert db.session().in_transaction()
            session = db.session()
            queue = ours._queue

            def watched(*given: object) -> object:
                states.append(session.in_transaction())
                waiting.set()
                return queue(*given)

            ours._queue = watched
            with ours.claim(made.id, patience=30):
                pass

    waiter = threading.Thread(target=wait)
    with ours.claim(made.id, patience=0):
        waiter.start()
        assert waiting.wait(10)
    waiter.join()
    assert states == [False]
