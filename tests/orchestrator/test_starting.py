from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from models import Event, Standing, State, User, Workspace, db, utcnow, writing
from orchestrator import starting, workspaces
from orchestrator.claims import Claims
from orchestrator.engines import Phase
from orchestrator.errors import (
    Busy,
    Conflict,
    DialFailed,
    EngineError,
    EngineUnreachable,
    Forbidden,
    ImageMissing,
    NoSpace,
    StartFailed,
)
from orchestrator.platform import STARTS_AT_ONCE, Platform
from orchestrator.policy import home_of
from orchestrator.workspaces import Actor
from tests.app_fixtures import PROOF, account, on_both_databases, together
from tests.engine import WatchedEngine

pytestmark = on_both_databases
ACTOR = Actor("ann", "192.0.2.1", PROOF)
Again = Callable[[Workspace], Workspace | None]


def actions() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Event.action).order_by(Event.id)))


def in_state(row: Workspace, state: State) -> Workspace:
    """Write a state into the row, whatever the table says."""
    with writing():
        db.session.execute(update(Workspace).where(Workspace.id == row.id).values(state=state))
    return row


def test_fifty_openers_at_once_make_one_workspace_and_one_container(
    app: Flask, platform: Platform, ann: User, engine: WatchedEngine
) -> None:
    def open_(_: int) -> tuple[int, State]:
        user = db.session.get(User, ann.id)
        row = workspaces.default_of(platform, user, utcnow(), ACTOR)
        row = starting.ensure_running(platform, row, ACTOR)
        return row.id, row.state

    results = together(app, 50, open_)
    assert set(results) == {(results[0][0], State.RUNNING)}
    assert db.session.scalar(select(func.count(Workspace.id))) == 1
    assert len(list(engine.census())) == 1
    assert engine.calls["run"] == 1
    assert actions().count("workspace.started") == 1


def test_starting_runs_what_the_policy_says_and_makes_the_home(
    platform: Platform, running: Workspace, ann: User, engine: WatchedEngine, again: Again
) -> None:
    row = again(running)
    assert (row.state, row.reason, row.log) == (State.RUNNING, "", "")
    assert row.started_at is not None
    assert row.claimed_by is None
    assert platform.storage.homes == {home_of(ann): (ann.uid, ann.uid)}
    assert engine.inspect(row.container).phase is Phase.RUNNING


def test_a_running_workspace_is_left_alone(
    platform: Platform, running: Workspace, engine: WatchedEngine
) -> None:
    before = running.started_at
    assert starting.ensure_running(platform, running, ACTOR).started_at == before
    assert engine.calls["run"] == 1


def test_a_new_run_forgets_the_input_of_the_last(
    platform: Platform, running: Workspace, again: Again
) -> None:
    with writing():
        db.session.execute(update(Workspace).values(last_input_at=utcnow(), last_busy_at=utcnow()))
    row = starting.restart(platform, again(running), ACTOR)
    assert (row.last_input_at, row.last_busy_at) == (None, None)


@pytest.mark.parametrize("happened", ["fail", "remove", "pause"])
def test_opening_repairs_what_the_engine_lost(
    platform: Platform, running: Workspace, engine: WatchedEngine, happened: str
) -> None:
    getattr(engine, happened)(running.container)
    row = starting.ensure_running(platform, running, ACTOR)
    assert row.state is State.RUNNING
    assert engine.inspect(row.container).phase is Phase.RUNNING


@pytest.mark.parametrize("state", [State.STARTING, State.STOPPING, State.FAILED])
def test_opening_repairs_what_a_crash_left(
    platform: Platform, made: Workspace, again: Again, state: State
) -> None:
    row = again(in_state(made, state))
    assert starting.ensure_running(platform, row, ACTOR).state is State.RUNNING


def test_what_is_being_deleted_is_not_started(
    platform: Platform, made: Workspace, again: Again
) -> None:
    with pytest.raises(Conflict, match="being deleted"):
        starting.ensure_running(platform, again(in_state(made, State.DELETING)), ACTOR)


ERRORS = [
    ("run", ImageMissing("The image chaospine:1.0.0 is not on this server")),
    ("run", NoSpace()),
    ("run", EngineUnreachable()),
    ("run", StartFailed("It ended at once: exit code 3", log="init: no such file\n")),
    ("dial", DialFailed("Nothing answers on port 7681")),
    ("dial", StartFailed("It ended", log="ttyd: cannot bind\n")),
]


@pytest.mark.parametrize(("call", "error"), ERRORS, ids=lambda value: getattr(value, "slug", value))
def test_a_failed_start_says_why_what_to_do_and_shows_the_log(
    platform: Platform, made: Workspace, engine: WatchedEngine, again: Again,
    call: str, error: EngineError,
) -> None:  # fmt: skip
    engine.failing[call] = error
    with pytest.raises(type(error)):
        starting.ensure_running(platform, made, ACTOR)
    row = again(made)
    assert (row.state, row.claimed_by, row.log) == (State.FAILED, None, error.log)
    assert error.message in row.reason
    assert error.hint in row.reason
    assert ".." not in row.reason
    engine.failing.clear()
    assert engine.inspect(row.container).phase is not Phase.RUNNING, "it must not run on unseen"
    assert starting.ensure_running(platform, row, ACTOR).state is State.RUNNING
    assert again(made).reason == ""


def test_an_interrupted_start_leaves_no_claim_behind(
    platform: Platform, made: Workspace, engine: WatchedEngine, again: Again
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    engine.during["run"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        starting.ensure_running(platform, made, ACTOR)
    assert (again(made).state, again(made).claimed_by) == (State.FAILED, None)


def test_below_the_reserve_nothing_starts(make_app: Callable[..., Flask]) -> None:
    app = make_app(reserve_bytes=1 << 60)
    platform = app.extensions["rootblood"]
    with app.app_context():
        user = account(platform.settings, "ann")
        row = workspaces.create(platform, user, utcnow(), "main", actor=ACTOR)
        with pytest.raises(NoSpace, match="MiB left, less than its reserve"):
            starting.ensure_running(platform, row, ACTOR)
        db.session.rollback()
        assert row.state is State.FAILED
        assert "reserve" in row.reason
        assert platform.engine.calls["run"] == 0


def test_a_suspended_account_starts_nothing_even_when_it_asked_before(
    platform: Platform, made: Workspace, engine: WatchedEngine
) -> None:
    with writing():
        db.session.execute(update(User).values(standing=Standing.SUSPENDED))
    with pytest.raises(Forbidden):
        starting.ensure_running(platform, made, ACTOR)
    assert engine.calls["run"] == 0


def test_an_engine_out_of_reach_leaves_running_as_it_is(
    platform: Platform, running: Workspace, engine: WatchedEngine, again: Again
) -> None:
    engine.reachable = False
    for act in (starting.ensure_running, workspaces.stop, starting.restart):
        with pytest.raises(EngineUnreachable):
            act(platform, running, ACTOR)
        row = again(running)
        assert (row.state, row.reason, row.claimed_by) == (State.RUNNING, "", None)


@pytest.fixture
def second(make_app: Callable[..., Flask], platform: Platform) -> Flask:
    """Another server on the same database and the same engine."""
    return make_app(server="test:2", engine=platform.engine, storage=platform.storage)


def test_two_servers_start_one_container(
    app: Flask, second: Flask, made: Workspace, engine: WatchedEngine
) -> None:
    def open_(number: int) -> State:
        server = (app, second)[number % 2]
        with server.app_context():
            platform = server.extensions["rootblood"]
            row = db.session.get(Workspace, made.id)
            return starting.ensure_running(platform, row, ACTOR).state

    assert together(app, 8, open_) == [State.RUNNING] * 8
    assert engine.calls["run"] == 1
    assert actions().count("workspace.started") == 1


def test_who_waits_for_its_turn_to_start_keeps_its_claim(
    platform: Platform, made: Workspace, again: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim is sized for one start, and a queue of starts can be longer."""
    monkeypatch.setattr(starting, "RENEW_SECONDS", 0.01)
    renewed: list[int] = []
    renew = platform.claims.renew
    turns = [platform.starts.acquire() for _ in range(STARTS_AT_ONCE)]

    def count(workspace_id: int) -> None:
        renew(workspace_id)
        renewed.append(workspace_id)
        if len(renewed) == 3:
            platform.starts.release()

    monkeypatch.setattr(Claims, "renew", lambda _self, workspace_id: count(workspace_id))
    assert starting.ensure_running(platform, made, ACTOR).state is State.RUNNING
    assert len(renewed) >= 4
    for _ in turns[1:]:
        platform.starts.release()


def test_a_server_that_lost_its_claim_leaves_the_row_to_the_next(
    platform: Platform, made: Workspace, engine: WatchedEngine, again: Again
) -> None:
    def lose(*_: object) -> None:
        with writing():
            db.session.execute(update(Workspace).values(claimed_by="test:2"))

    platform.storage.unlock = lambda *_a, **_k: (lose(), platform.claims.renew(made.id))
    with pytest.raises(Busy):
        starting.ensure_running(platform, made, ACTOR)
    assert (again(made).state, again(made).claimed_by) == (State.STARTING, "test:2")
    assert engine.calls["stop"] == 0
