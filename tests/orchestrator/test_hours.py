from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from models import Run, State, User, Workspace, db, utcnow, writing
from orchestrator import hours, starting, workspaces
from orchestrator.errors import AllowanceReached, StartFailed
from orchestrator.hours import GAP, KEPT, WEEK, covered, week_began
from orchestrator.platform import Platform
from orchestrator.sweep import Collector
from orchestrator.workspaces import Actor
from tests.app_fixtures import PROOF, on_both_databases
from tests.engine import WatchedEngine

ACTOR = Actor("ann", "192.0.2.1", PROOF)
MONDAY = datetime(2031, 5, 5, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

moments = st.timedeltas(timedelta(days=-20), timedelta(days=20)).map(lambda span: MONDAY + span)
spans = st.lists(st.tuples(moments, moments), max_size=8)


@given(moments)
def test_a_week_begins_on_its_monday(now: datetime) -> None:
    began = week_began(now)
    assert began <= now < began + WEEK
    assert (began.weekday(), began.hour, began.minute, began.tzinfo) == (0, 0, 0, UTC)


@given(st.tuples(moments, moments).map(sorted), moments)
def test_a_run_over_a_boundary_counts_in_both_weeks_and_once(
    run: list[datetime], boundary: datetime
) -> None:
    before, after = MONDAY - 4 * WEEK, MONDAY + 4 * WEEK
    parts = covered([tuple(run)], before, boundary) + covered([tuple(run)], boundary, after)
    assert parts == run[1] - run[0]


@given(spans, moments, moments)
def test_what_is_covered_is_within_the_time_and_no_more_than_the_sum(
    runs: list[tuple[datetime, datetime]], since: datetime, until: datetime
) -> None:
    total = covered(runs, since, until)
    assert timedelta() <= total <= max(until - since, timedelta())
    assert total <= sum((max(end - start, timedelta()) for start, end in runs), timedelta())


@given(spans, moments, moments)
def test_a_run_that_is_noted_twice_counts_once(
    runs: list[tuple[datetime, datetime]], since: datetime, until: datetime
) -> None:
    assert covered(runs + runs, since, until) == covered(runs, since, until)


@given(st.lists(st.integers(0, 400), unique=True, max_size=10).map(sorted))
def test_runs_one_after_the_other_add_up(minutes: list[int]) -> None:
    edges = [MONDAY + timedelta(minutes=minute) for minute in minutes]
    runs = list(zip(edges[::2], edges[1::2], strict=False))
    expected = sum((end - start for start, end in runs), timedelta())
    assert covered(runs, MONDAY, MONDAY + WEEK) == expected


def runs() -> list[Run]:
    db.session.rollback()
    query = select(Run).order_by(Run.id).execution_options(populate_existing=True)
    found = list(db.session.scalars(query))
    db.session.commit()
    return found


def put(user: User, start: datetime, end: datetime | None, workspace: str = "main") -> None:
    with writing():
        db.session.add(
            Run(user_id=user.id, workspace=workspace, started_at=start, seen_at=start, ended_at=end)
        )


def limit(user: User, allowed: float) -> None:
    with writing():
        db.session.execute(update(User).where(User.id == user.id).values(max_hours=allowed))
    db.session.refresh(user)
    db.session.commit()


@on_both_databases
class TestRuns:
    def test_a_run_lasts_from_the_start_to_the_stop(
        self, platform: Platform, running: Workspace
    ) -> None:
        (run,) = runs()
        assert (run.started_at, run.ended_at) == (running.started_at, None)
        workspaces.stop(platform, running, ACTOR)
        (run,) = runs()
        assert run.ended_at == running.stopped_at

    def test_a_run_outlives_its_workspace(self, platform: Platform, running: Workspace) -> None:
        workspaces.remove(platform, running, ACTOR)
        (run,) = runs()
        assert run.ended_at is not None

    def test_a_restart_is_two_runs(self, platform: Platform, running: Workspace) -> None:
        starting.restart(platform, running, ACTOR)
        assert [run.ended_at is None for run in runs()] == [False, True]

    def test_a_repaired_workspace_has_one_open_run(
        self, platform: Platform, running: Workspace, engine: WatchedEngine
    ) -> None:
        engine.remove(running.container)
        starting.ensure_running(platform, running, ACTOR)
        assert [run.ended_at is None for run in runs()] == [False, True]

    def test_a_start_that_fails_is_no_run(
        self, platform: Platform, made: Workspace, engine: WatchedEngine
    ) -> None:
        engine.failing["run"] = StartFailed()
        with pytest.raises(StartFailed):
            starting.ensure_running(platform, made, ACTOR)
        assert runs() == []

    @pytest.mark.parametrize("state", [State.STOPPED, State.FAILED])
    def test_what_ends_without_us_ends_its_run(
        self, platform: Platform, running: Workspace, state: State
    ) -> None:
        at = utcnow() + MINUTE
        workspaces.mark(platform, running, state, at)
        (run,) = runs()
        assert run.ended_at == at

    def test_what_begins_without_us_begins_a_run(self, platform: Platform, made: Workspace) -> None:
        workspaces.mark(platform, made, State.RUNNING, utcnow())
        assert [run.ended_at for run in runs()] == [None]

    def test_nobody_pays_for_a_server_that_lay_dark(
        self, platform: Platform, running: Workspace
    ) -> None:
        (run,) = runs()
        workspaces.mark(platform, running, State.FAILED, utcnow() + timedelta(days=3))
        assert runs()[0].ended_at == run.seen_at

    def test_a_sweep_sees_that_it_runs_on(self, platform: Platform, running: Workspace) -> None:
        later = utcnow() + GAP * 3
        Collector(platform, later).sweep(later, 0.0)
        assert runs()[0].seen_at == later
        workspaces.mark(platform, running, State.FAILED, later + MINUTE)
        assert runs()[0].ended_at == later + MINUTE

    def test_an_engine_that_does_not_answer_ends_nothing(
        self, platform: Platform, running: Workspace, engine: WatchedEngine
    ) -> None:
        engine.reachable = False
        Collector(platform, utcnow()).sweep(utcnow() + GAP * 3, 0.0)
        assert [run.ended_at for run in runs()] == [None]

    def test_a_run_that_a_crash_left_open_is_closed(
        self, platform: Platform, running: Workspace
    ) -> None:
        stopped_at = running.started_at + 5 * MINUTE
        with writing():
            db.session.execute(update(Workspace).values(state=State.STOPPED, stopped_at=stopped_at))
        hours.tend(utcnow() + timedelta(days=1), ())
        assert runs()[0].ended_at == stopped_at

    def test_a_workspace_that_runs_without_a_run_gets_one(
        self, platform: Platform, running: Workspace
    ) -> None:
        with writing():
            db.session.execute(Run.__table__.delete())
        hours.tend(utcnow(), {running.container})
        assert [run.ended_at for run in runs()] == [None]

    def test_a_run_that_was_begun_twice_is_one(
        self, platform: Platform, running: Workspace
    ) -> None:
        put(running.user, running.started_at, None)
        monday = week_began(running.started_at)
        with writing():
            db.session.execute(update(Run).values(started_at=monday))
        assert hours.used(running.user, monday + HOUR) == pytest.approx(1.0)
        workspaces.stop(platform, running, ACTOR)
        assert None not in [run.ended_at for run in runs()]

    def test_long_over_is_forgotten(self, platform: Platform, running: Workspace) -> None:
        now = utcnow()
        put(running.user, now - KEPT - HOUR, now - KEPT - MINUTE, "gone")
        put(running.user, now - KEPT - HOUR, now - KEPT + HOUR, "kept")
        hours.tend(now + 2 * MINUTE, {running.container})
        assert [run.workspace for run in runs()] == ["main", "kept"]

    def test_hours_add_up_over_workspaces_and_weeks_begin_anew(self, ann: User) -> None:
        put(ann, MONDAY - HOUR, MONDAY + HOUR)
        put(ann, MONDAY + HOUR, None, "other")
        put(ann, MONDAY + HOUR, MONDAY + 2 * HOUR, "third")
        assert hours.used(ann, MONDAY - timedelta(seconds=1)) == pytest.approx(1.0, abs=0.01)
        assert hours.used(ann, MONDAY + 3 * HOUR) == pytest.approx(4.0)
        assert hours.used(ann, MONDAY + WEEK + HOUR) == pytest.approx(1.0), "it runs on"

    def test_a_clock_that_went_back_gives_no_negative_hours(self, ann: User) -> None:
        put(ann, MONDAY + HOUR, None)
        assert hours.used(ann, MONDAY) == 0.0


@on_both_databases
class TestLeft:
    def test_two_that_run_use_it_up_twice_as_fast(
        self, platform: Platform, running: Workspace, ann: User
    ) -> None:
        other = workspaces.create(platform, ann, utcnow(), "other", actor=ACTOR)
        limit(ann, 10)
        tuesday = week_began(utcnow()) + WEEK + timedelta(days=1)
        with writing():
            db.session.execute(update(Run).values(started_at=tuesday))
        now = tuesday + 2 * HOUR
        left = hours.left(platform.settings, [running, other], now)
        assert left[ann.id].end_at == now + 8 * HOUR
        workspaces.mark(platform, other, State.RUNNING, now)
        left = hours.left(platform.settings, [running, other], now)
        assert left[ann.id].end_at == now + 4 * HOUR
        assert not left[ann.id].over(now)

    def test_whoever_has_no_limit_or_enough_is_not_counted(
        self, platform: Platform, running: Workspace, ann: User
    ) -> None:
        now = week_began(utcnow()) + WEEK - HOUR
        assert hours.left(platform.settings, [running], now) == {}
        limit(ann, 200)
        assert hours.left(platform.settings, [running], now) == {}

    def test_without_hours_nothing_starts_until_they_begin_anew(
        self, platform: Platform, made: Workspace, again: Callable[[Workspace], Workspace | None],
        engine: WatchedEngine,
    ) -> None:  # fmt: skip
        limit(made.user, 1e-6)
        put(made.user, utcnow() - HOUR, None, "other")
        with pytest.raises(AllowanceReached, match="hours of this week are used up"):
            starting.ensure_running(platform, made, ACTOR)
        assert again(made).state is State.STOPPED, "nothing is wrong with it"
        assert engine.calls["run"] == 0
        limit(made.user, 0)
        assert starting.ensure_running(platform, made, ACTOR).state is State.RUNNING

    def test_the_collector_stops_it_when_they_are_used_up(
        self, platform: Platform, running: Workspace, again: Callable[[Workspace], Workspace | None]
    ) -> None:
        limit(running.user, 1.0)
        monday = week_began(utcnow()) + WEEK
        with writing():
            db.session.execute(update(Run).values(started_at=monday, seen_at=monday))
        Collector(platform, monday).sweep(monday + 59 * MINUTE, 0.0)
        assert again(running).state is State.RUNNING
        Collector(platform, monday).sweep(monday + 60 * MINUTE, 0.0)
        assert again(running).state is State.STOPPED
        assert again(running).reason.startswith("Your 1 hour of this week is used up")
