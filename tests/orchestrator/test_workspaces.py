from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from models import Event, State, Template, User, Workspace, db, utcnow, writing
from orchestrator import starting, workspaces
from orchestrator.connections import Connection
from orchestrator.engines import Phase
from orchestrator.errors import (
    AllowanceReached,
    AlreadyExists,
    BadInput,
    Conflict,
    EngineError,
    NotFound,
)
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.spec import Limits
from orchestrator.workspaces import Actor
from tests.app_fixtures import PROOF, on_both_databases, open_sessions, together
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


def test_a_new_workspace_is_stopped_and_has_the_templates_limits(
    platform: Platform, ann: User, again: Again
) -> None:
    row = again(workspaces.create(platform, ann, utcnow(), "web", actor=ACTOR))
    assert (row.state, row.template.name) == (State.STOPPED, "chaospine")
    assert (row.cpus, row.memory_bytes, row.pids) == (1.0, 1 << 30, 512)
    assert row.container == f"rb-{ann.userhash}-web"
    assert "workspace.created" in actions()


@pytest.mark.parametrize("name", ["", "A", "a--b", "-a", "x" * 25, "naïve"])
def test_bad_names_make_nothing(platform: Platform, ann: User, name: str) -> None:
    with pytest.raises(BadInput):
        workspaces.create(platform, ann, utcnow(), name, actor=ACTOR)
    assert workspaces.of_user(ann) == []


def test_names_are_taken_once_for_each_person(
    platform: Platform, made: Workspace, bob: User
) -> None:
    with pytest.raises(AlreadyExists):
        workspaces.create(platform, made.user, utcnow(), "main", actor=ACTOR)
    assert workspaces.create(platform, bob, utcnow(), "main", actor=ACTOR).user_id == bob.id


def test_an_unknown_or_disabled_template_is_refused(platform: Platform, ann: User) -> None:
    with pytest.raises(NotFound):
        workspaces.create(platform, ann, utcnow(), "x", template="nope", actor=ACTOR)
    with writing():
        db.session.execute(update(Template).values(enabled=False))
    with pytest.raises(NotFound):
        workspaces.create(platform, ann, utcnow(), "x", template="chaospine", actor=ACTOR)


def test_limits_stay_below_the_allowance(platform: Platform, ann: User) -> None:
    with pytest.raises(AllowanceReached):
        workspaces.create(
            platform, ann, utcnow(), "x", limits=Limits(99.0, 1 << 30, 64), actor=ACTOR
        )


def test_the_number_of_workspaces_is_limited_also_when_all_ask_at_once(
    app: Flask, platform: Platform, ann: User
) -> None:
    def create(number: int) -> Workspace:
        user = db.session.get(User, ann.id)
        return workspaces.create(platform, user, utcnow(), f"w{number}", actor=ACTOR)

    results = together(app, 12, create)
    refused = [r for r in results if isinstance(r, AllowanceReached)]
    most = platform.settings.allowance_workspaces
    assert len(refused) == 12 - most, results
    assert len(workspaces.of_user(ann)) == most


def test_one_name_asked_for_by_many_at_once_is_made_once(
    app: Flask, platform: Platform, ann: User
) -> None:
    def create(_: int) -> Workspace:
        user = db.session.get(User, ann.id)
        return workspaces.create(platform, user, utcnow(), "web", actor=ACTOR)

    results = together(app, 12, create)
    assert sum(isinstance(r, AlreadyExists) for r in results) == 11, results


def test_stopping_hangs_up_and_says_who(
    platform: Platform, running: Workspace, engine: WatchedEngine, again: Again,
    connect: Callable[..., Connection],
) -> None:  # fmt: skip
    connection = connect(platform, running)
    workspaces.snooze(platform, running, utcnow(), 60)
    row = workspaces.stop(platform, running, ACTOR)
    assert (row.state, row.reason, row.snoozed_until) == (State.STOPPED, "Stopped by ann", None)
    assert row.stopped_at is not None
    assert connection.carrier.closed == 1
    assert open_sessions() == []
    assert engine.inspect(row.container).phase is Phase.STOPPED
    assert "workspace.stopped" in actions()


def test_stopping_what_is_stopped_does_nothing(
    platform: Platform, made: Workspace, engine: WatchedEngine
) -> None:
    workspaces.stop(platform, made, ACTOR)
    assert engine.calls["stop"] == 0
    assert "workspace.stopped" not in actions()


def test_a_stop_that_the_engine_refuses_is_a_failure(
    platform: Platform, running: Workspace, engine: WatchedEngine, again: Again
) -> None:
    engine.failing["stop"] = EngineError("It does not let go")
    with pytest.raises(EngineError):
        workspaces.stop(platform, running, ACTOR)
    assert again(running).state is State.FAILED
    assert "could not be stopped: It does not let go" in again(running).reason


def test_a_restart_brings_new_limits_into_force(
    platform: Platform, running: Workspace, engine: WatchedEngine
) -> None:
    before = engine.inspect(running.container).digest
    limits = Limits(0.5, 256 << 20, 64)
    workspaces.change(platform, running, utcnow(), name=None, limits=limits, actor=ACTOR)
    assert engine.inspect(running.container).digest == before
    starting.restart(platform, running, ACTOR)
    assert engine.inspect(running.container).digest != before


def test_deleting_removes_the_container_and_keeps_the_home(
    platform: Platform, running: Workspace, ann: User, engine: WatchedEngine, again: Again,
    connect: Callable[..., Connection],
) -> None:  # fmt: skip
    connection, name = connect(platform, running), running.container
    workspaces.remove(platform, running, ACTOR)
    assert again(running) is None
    assert engine.inspect(name).phase is Phase.ABSENT
    assert connection.carrier.closed == 1
    assert home_of(ann) in platform.storage.homes
    assert "workspace.deleted" in actions()


@pytest.mark.parametrize("state", State)
def test_a_workspace_can_be_deleted_in_every_state(
    platform: Platform, made: Workspace, again: Again, state: State
) -> None:
    workspaces.remove(platform, again(in_state(made, state)), ACTOR)
    assert again(made) is None


def test_deleting_twice_is_not_found(platform: Platform, made: Workspace) -> None:
    workspaces.remove(platform, made, ACTOR)
    with pytest.raises(NotFound):
        workspaces.remove(platform, made, ACTOR)


def test_a_deletion_that_the_engine_refuses_can_be_tried_again(
    platform: Platform, running: Workspace, engine: WatchedEngine, again: Again
) -> None:
    engine.failing["remove"] = EngineError("It is busy")
    with pytest.raises(EngineError):
        workspaces.remove(platform, running, ACTOR)
    assert again(running).state is State.FAILED
    assert "could not be deleted: It is busy" in again(running).reason
    engine.failing.clear()
    workspaces.remove(platform, running, ACTOR)
    assert again(running) is None


def test_snoozing_is_bounded_and_can_be_ended(platform: Platform, running: Workspace) -> None:
    now = utcnow()
    assert workspaces.snooze(platform, running, now, 90).snoozed_until == now + timedelta(
        minutes=90
    )
    assert workspaces.snooze(platform, running, now, 0).snoozed_until is None
    for minutes in (-1, 24 * 60 + 1, 10**9):
        with pytest.raises(BadInput):
            workspaces.snooze(platform, running, now, minutes)


def test_renaming_moves_the_name_and_drops_the_container(
    platform: Platform, running: Workspace, engine: WatchedEngine
) -> None:
    row = workspaces.stop(platform, running, ACTOR)
    old = row.container
    row = workspaces.change(platform, row, utcnow(), name="web", limits=None, actor=ACTOR)
    assert row.name == "web"
    assert engine.inspect(old).phase is Phase.ABSENT
    assert starting.ensure_running(platform, row, ACTOR).container.endswith("-web")
    assert len(list(engine.census())) == 1
    assert "workspace.renamed" in actions()


def test_a_running_workspace_is_not_renamed(platform: Platform, running: Workspace) -> None:
    with pytest.raises(Conflict, match="cannot be renamed") as caught:
        workspaces.change(platform, running, utcnow(), name="web", limits=None, actor=ACTOR)
    assert caught.value.hint == "Stop it first."


def test_a_taken_name_changes_nothing(
    platform: Platform, running: Workspace, engine: WatchedEngine, again: Again
) -> None:
    workspaces.create(platform, running.user, utcnow(), "web", actor=ACTOR)
    row = workspaces.stop(platform, running, ACTOR)
    with pytest.raises(AlreadyExists):
        workspaces.change(platform, row, utcnow(), name="web", limits=None, actor=ACTOR)
    assert again(row).name == "main"
    assert engine.inspect(row.container).phase is Phase.STOPPED


def test_two_renamed_to_one_name_at_once_do_not_collide(
    app: Flask, platform: Platform, ann: User
) -> None:
    ids = [workspaces.create(platform, ann, utcnow(), f"w{n}", actor=ACTOR).id for n in range(4)]

    def rename(number: int) -> Workspace:
        row = db.session.get(Workspace, ids[number])
        return workspaces.change(platform, row, utcnow(), name="one", limits=None, actor=ACTOR)

    results = together(app, 4, rename)
    assert sum(isinstance(r, AlreadyExists) for r in results) == 3, results


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (Limits(99.0, 1 << 30, 64), AllowanceReached),
        (Limits(1.0, 1, 64), BadInput),
        (Limits(float("nan"), 1 << 30, 64), BadInput),
    ],
)
def test_limits_that_one_may_not_have_change_nothing(
    platform: Platform, made: Workspace, again: Again, limits: Limits, error: type[Exception]
) -> None:
    with pytest.raises(error):
        workspaces.change(platform, made, utcnow(), name="web", limits=limits, actor=ACTOR)
    assert (again(made).name, again(made).cpus) == ("main", 1.0)
