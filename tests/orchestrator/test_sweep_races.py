"""What changes between the collector's look and its deed, and what goes wrong on the way."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from models import State, User, Workspace, utcnow
from orchestrator import starting, sweep, workspaces
from orchestrator.collector import Do
from orchestrator.engines import Phase, Usage
from orchestrator.errors import EngineError
from orchestrator.platform import Platform
from orchestrator.sweep import Collector
from orchestrator.workspaces import Actor
from tests.app_fixtures import PROOF, on_both_databases, together
from tests.engine import WatchedEngine

pytestmark = on_both_databases
ACTOR = Actor("ann", "192.0.2.1", PROOF)
LATER = timedelta(hours=2)
Again = Callable[[Workspace], Workspace | None]


@pytest.fixture
def collector(platform: Platform) -> Collector:
    return Collector(platform, utcnow() - timedelta(days=9))


def quiet(platform: Platform, row: Workspace) -> None:
    for at in (0.0, 60.0):
        platform.sampler.add(row.container, at, Usage(0.0, 1, 1, 0, 0, 0))


def between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something after the sweep has planned and before it acts."""
    planner, seen = sweep.plan, []

    def plan(*given: object) -> object:
        actions = planner(*given)
        if not seen:
            seen.append(1)
            act()
        return actions

    monkeypatch.setattr(sweep, "plan", plan)


def test_who_types_at_the_last_moment_is_spared(
    platform: Platform, running: Workspace, collector: Collector, again: Again,
    connect: Callable[..., object], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    quiet(platform, running)
    now = utcnow() + LATER

    def type_() -> None:
        connect(platform, running, now=now).last_input = now

    between(monkeypatch, type_)
    assert collector.sweep(now, 0.0) == []
    assert again(running).state is State.RUNNING


@pytest.mark.parametrize("act", [workspaces.stop, workspaces.remove, starting.restart])
def test_what_somebody_did_meanwhile_is_respected(
    platform: Platform, running: Workspace, collector: Collector, engine: WatchedEngine,
    again: Again, monkeypatch: pytest.MonkeyPatch, act: Callable[..., object],
) -> None:  # fmt: skip
    engine.fail(running.container)
    between(monkeypatch, lambda: act(platform, again(running), ACTOR))
    assert collector.sweep(utcnow(), 0.0) == []
    row = again(running)
    assert row is None or row.state in (State.STOPPED, State.RUNNING)


def test_a_workspace_made_after_the_census_is_no_vanished_one(
    platform: Platform, ann: User, collector: Collector, engine: WatchedEngine, again: Again
) -> None:
    made: list[Workspace] = []

    def start(*_: object) -> None:
        engine.during.pop("census")
        listed = engine.census()
        row = workspaces.create(platform, ann, utcnow(), "fresh", actor=ACTOR)
        made.append(starting.ensure_running(platform, row, ACTOR))
        engine.census = lambda: listed  # the list is from before

    engine.during["census"] = start
    assert collector.sweep(utcnow(), 0.0) == []
    assert again(made[0]).state is State.RUNNING


def test_one_failure_does_not_stop_the_sweep(
    platform: Platform, ann: User, collector: Collector, engine: WatchedEngine, again: Again
) -> None:
    rows = [
        starting.ensure_running(
            platform, workspaces.create(platform, ann, utcnow(), f"w{n}", actor=ACTOR), ACTOR
        )
        for n in range(3)
    ]
    for row in rows:
        quiet(platform, row)

    def refuse(name: str) -> None:
        if name == rows[0].container:
            raise EngineError("It does not let go")
        if name == rows[1].container:
            raise ZeroDivisionError("a bug of ours")

    engine.during["stop"] = refuse
    done = collector.sweep(utcnow() + LATER, 0.0)
    assert [(action.do, action.name) for action in done] == [(Do.STOP, rows[2].container)]
    assert collector.failures == 2
    assert [again(row).state for row in rows] == [State.FAILED, State.STOPPING, State.STOPPED]
    assert [again(row).claimed_by for row in rows] == [None] * 3
    engine.during.clear()
    collector.sweep(utcnow() + LATER, 0.0)
    assert again(rows[1]).state is State.STOPPED, "the next sweep finishes it"


def test_two_servers_sweep_without_fighting(
    app: Flask, make_app: Callable[..., Flask], platform: Platform, running: Workspace,
    engine: WatchedEngine, again: Again,
) -> None:  # fmt: skip
    other = make_app(server="test:2", engine=engine, storage=platform.storage)
    engine.remove(running.container)
    now = utcnow()

    def sweep_one(number: int) -> list[object]:
        server = (app, other)[number % 2]
        with server.app_context():
            one = Collector(server.extensions["rootblood"], now)
            done = one.sweep(now, 0.0)
            assert one.failures == 0
            return done

    results = together(app, 6, sweep_one)
    assert sorted(len(done) for done in results) == [0] * 5 + [1], results
    assert again(running).state is State.FAILED


def test_an_event_is_looked_into_at_once(
    running: Workspace, collector: Collector, engine: WatchedEngine, again: Again
) -> None:
    engine.fail(running.container)
    assert [a.do for a in collector.observe(utcnow(), running.container)] == [Do.MARK_FAILED]
    assert again(running).state is State.FAILED
    assert collector.observe(utcnow(), running.container) == []


def test_an_event_about_a_container_that_is_gone_is_nothing(
    running: Workspace, collector: Collector, engine: WatchedEngine
) -> None:
    assert collector.observe(utcnow(), "rb-somebody-else") == []
    assert engine.calls["remove"] == 0


def test_an_event_about_one_leaves_the_others_alone(
    platform: Platform, running: Workspace, collector: Collector, engine: WatchedEngine,
    again: Again,
) -> None:  # fmt: skip
    other = workspaces.create(platform, running.user, utcnow(), "other", actor=ACTOR)
    other = starting.ensure_running(platform, other, ACTOR)
    engine.fail(running.container)
    engine.fail(other.container)
    collector.observe(utcnow(), other.container)
    assert again(running).state is State.RUNNING
    assert again(other).state is State.FAILED
    assert engine.inspect(other.container).phase is Phase.FAILED
