"""The collector at work: facts from the database and the engine, actions under a claim."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from models import ActiveSession, Event, State, Workspace, db, utcnow, writing
from orchestrator.collector import HELPER_PREFIX, STALE_AFTER, Do
from orchestrator.connections import Connection
from orchestrator.engines import Phase, Usage
from orchestrator.errors import EngineError
from orchestrator.platform import Platform
from orchestrator.policy import helper_spec, home_of
from orchestrator.spec import Limits, Mount, Spec
from orchestrator.sweep import Collector
from orchestrator.workspaces import Actor
from tests.app_fixtures import PROOF, on_both_databases, open_sessions
from tests.engine import WatchedEngine

pytestmark = on_both_databases
ACTOR = Actor("ann", "192.0.2.1", PROOF)
IDLE = timedelta(seconds=1800)
Again = Callable[[Workspace], Workspace | None]


@pytest.fixture
def collector(platform: Platform) -> Collector:
    return Collector(platform, utcnow() - timedelta(days=9))


class Clock:
    """A wall clock and a monotonic one that go together, unless the wall's is set."""

    def __init__(self) -> None:
        self.now, self.monotonic = utcnow(), 1000.0

    def passes(self, span: timedelta) -> None:
        self.now += span
        self.monotonic += span.total_seconds()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def sweep(collector: Collector, clock: Clock) -> list[tuple[Do, str]]:
    return [(action.do, action.name) for action in collector.sweep(clock.now, clock.monotonic)]


def measure(platform: Platform, row: Workspace, at: float, cpu_percent: float = 0.0) -> None:
    """Add two samples whose window shows that much work."""
    for seconds in (-60.0, 0.0):
        cpu = (at + seconds) * cpu_percent / 100
        platform.sampler.add(row.container, at + seconds, Usage(cpu, 1, 1, 0, 0, 0))


def set_row(row: Workspace, **values: object) -> None:
    with writing():
        db.session.execute(update(Workspace).where(Workspace.id == row.id).values(**values))


def test_nothing_to_do_is_nothing_done(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock
) -> None:
    measure(platform, running, clock.monotonic)
    assert sweep(collector, clock) == []


def test_an_idle_workspace_is_stopped_with_its_reason_and_keeps_its_home(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock, again: Again,
    connect: Callable[..., Connection], engine: WatchedEngine,
) -> None:  # fmt: skip
    tab = connect(platform, running)
    clock.passes(IDLE + timedelta(minutes=1))
    measure(platform, running, clock.monotonic)
    assert (Do.STOP, running.container) in sweep(collector, clock)
    row = again(running)
    assert row.state is State.STOPPED
    assert row.reason.startswith("Stopped as idle: no input for 31 min, cpu 0.0 %")
    assert engine.inspect(row.container).phase is Phase.STOPPED
    assert tab.carrier.closed == 1, "an open tab alone keeps nothing alive"
    assert home_of(row.user) in platform.storage.homes
    event = db.session.scalars(select(Event).order_by(Event.id.desc())).first()
    assert (event.actor, event.action) == ("collector", "workspace.stopped")


def test_typing_keeps_it_alive(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock,
    connect: Callable[..., Connection],
) -> None:  # fmt: skip
    tab = connect(platform, running)
    clock.passes(IDLE * 2)
    tab.last_input, tab.written = clock.now - timedelta(minutes=1), clock.now
    platform.connections.touch(clock.now + timedelta(seconds=60))
    measure(platform, running, clock.monotonic)
    assert sweep(collector, clock) == []


def test_input_that_is_not_written_yet_counts(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock,
    connect: Callable[..., Connection],
) -> None:  # fmt: skip
    connect(platform, running, now=clock.now + IDLE * 2).last_input = clock.now + IDLE * 2
    clock.passes(IDLE * 2)
    measure(platform, running, clock.monotonic)
    assert sweep(collector, clock) == []


def test_a_build_keeps_it_alive_and_is_remembered_when_it_ends(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock, again: Again
) -> None:
    clock.passes(IDLE * 4)
    measure(platform, running, clock.monotonic, cpu_percent=90)
    assert sweep(collector, clock) == []
    assert again(running).last_busy_at == clock.now
    platform.sampler.forget(running.container)
    clock.passes(IDLE - timedelta(minutes=1))
    measure(platform, running, clock.monotonic)
    assert sweep(collector, clock) == []
    clock.passes(timedelta(minutes=1))
    assert sweep(collector, clock) == [(Do.STOP, running.container)]


def test_work_is_written_at_most_once_a_minute(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock, again: Again
) -> None:
    measure(platform, running, clock.monotonic, cpu_percent=90)
    sweep(collector, clock)
    first = again(running).last_busy_at
    clock.passes(timedelta(seconds=59))
    sweep(collector, clock)
    assert again(running).last_busy_at == first
    clock.passes(timedelta(seconds=1))
    sweep(collector, clock)
    assert again(running).last_busy_at == clock.now


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_jumps_there_and_back_stops_nobody(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock, jump: timedelta,
    connect: Callable[..., Connection],
) -> None:  # fmt: skip
    tab = connect(platform, running)
    tab.last_input = clock.now
    sweep(collector, clock)
    for change in (jump, -jump):
        clock.now += change
        clock.passes(timedelta(seconds=15))
        measure(platform, running, clock.monotonic)
        assert sweep(collector, clock) == []
        assert platform.watch.since == clock.now
    assert open_sessions() == [tab.id]


def test_a_small_correction_of_the_clock_is_no_jump(
    platform: Platform, collector: Collector, clock: Clock, ann: object
) -> None:
    before = platform.watch.since
    sweep(collector, clock)
    clock.now += timedelta(seconds=5)
    clock.passes(timedelta(seconds=15))
    sweep(collector, clock)
    assert platform.watch.since == before


def test_a_lost_engine_is_unknown(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock, again: Again,
    engine: WatchedEngine,
) -> None:  # fmt: skip
    clock.passes(IDLE * 9)
    measure(platform, running, clock.monotonic)
    engine.reachable = False
    assert sweep(collector, clock) == []
    assert again(running).state is State.RUNNING


def test_an_engine_that_refuses_the_census_is_unknown_too(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock, again: Again,
    engine: WatchedEngine, connect: Callable[..., Connection],
) -> None:  # fmt: skip
    stale = connect(platform, running)
    clock.passes(STALE_AFTER * 2)
    engine.failing["census"] = EngineError("no such thing")
    assert sweep(collector, clock) == [(Do.END_SESSION, "")]
    assert stale.id not in open_sessions()
    assert again(running).state is State.RUNNING


def test_a_vanished_container_is_reported(
    running: Workspace, collector: Collector, clock: Clock, again: Again, engine: WatchedEngine
) -> None:
    engine.remove(running.container)
    assert sweep(collector, clock) == [(Do.MARK_FAILED, running.container)]
    assert again(running).state is State.FAILED
    assert "gone" in again(running).reason


def test_a_crash_is_reported_with_its_log_and_hangs_up(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock, again: Again,
    engine: WatchedEngine, connect: Callable[..., Connection],
) -> None:  # fmt: skip
    tab = connect(platform, running)
    engine.fail(running.container, 137)
    engine._containers[running.container].log = "Killed\n"
    assert sweep(collector, clock) == [(Do.MARK_FAILED, running.container)]
    row = again(running)
    assert (row.state, row.reason, row.log) == (State.FAILED, "exit code 137", "Killed\n")
    assert tab.carrier.closed == 1


@pytest.mark.parametrize(
    ("state", "runs", "after"),
    [
        (State.STARTING, False, State.FAILED),
        (State.STARTING, True, State.RUNNING),
        (State.STOPPING, True, State.STOPPED),
        (State.STOPPING, False, State.STOPPED),
        (State.DELETING, True, None),
        (State.DELETING, False, None),
        (State.STOPPED, True, State.RUNNING),
        (State.FAILED, True, State.RUNNING),
    ],
)
def test_what_a_crash_left_half_done_is_settled(
    running: Workspace, collector: Collector, clock: Clock, again: Again, engine: WatchedEngine,
    state: State, runs: bool, after: State | None,
) -> None:  # fmt: skip
    if not runs:
        engine.stop(running.container)
    set_row(running, state=state)
    assert len(sweep(collector, clock)) == 1
    row = again(running)
    assert (row.state if row else None) is after
    assert (engine.inspect(running.container).phase is Phase.RUNNING) is (after is State.RUNNING)
    assert sweep(collector, clock) == []


def test_a_claimed_row_is_left_alone_until_the_claim_runs_out(
    running: Workspace, collector: Collector, clock: Clock, again: Again, engine: WatchedEngine
) -> None:
    set_row(running, claimed_by="other:1", claimed_until=clock.now + timedelta(seconds=60))
    engine.remove(running.container)
    assert sweep(collector, clock) == []
    set_row(running, claimed_until=clock.now - timedelta(seconds=1))
    assert sweep(collector, clock) == [(Do.MARK_FAILED, running.container)]


def test_orphans_go_and_working_helpers_stay(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock,
    engine: WatchedEngine,
) -> None:  # fmt: skip
    user = running.user
    engine.run(Spec("rb-gone-main", "chaospine:1.0.0", (1, 1), Limits(1.0, 1 << 30, 64)))
    helper = f"{HELPER_PREFIX}{user.userhash}-1"
    engine.run(helper_spec(user, helper, "chaospine:1.0.0", Mount("home", "/home/ann"), 60))
    assert sweep(collector, clock) == [(Do.REMOVE_ORPHAN, "rb-gone-main")]
    assert {status.name for status in engine.census()} == {running.container, helper}
    engine.stop(helper)
    assert sweep(collector, clock) == [(Do.REMOVE_ORPHAN, helper)]


def test_sessions_of_a_dead_server_end_and_live_ones_stay(
    platform: Platform, running: Workspace, collector: Collector, clock: Clock,
    connect: Callable[..., Connection],
) -> None:  # fmt: skip
    dead, live = connect(platform, running), connect(platform, running)
    clock.passes(STALE_AFTER + timedelta(seconds=5))
    with writing():
        db.session.execute(
            update(ActiveSession).where(ActiveSession.id == live.id).values(last_seen_at=clock.now)
        )
    assert sweep(collector, clock) == [(Do.END_SESSION, "")]
    assert open_sessions() == [live.id]
    assert platform.connections.hang_up_revoked() == 1
    assert dead.carrier.closed == 1
