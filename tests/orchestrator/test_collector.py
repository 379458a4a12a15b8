from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import TRANSITIONS, State
from orchestrator.collector import (
    HELPER_LIFETIME,
    HELPER_PREFIX,
    STALE_AFTER,
    Action,
    Do,
    Facts,
    SessionFact,
    WorkspaceFact,
    plan,
)
from orchestrator.engines import Phase, Status
from orchestrator.idleness import Activity, Hours, Policy
from orchestrator.sampler import Rates

NOW = datetime(2031, 5, 6, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
POLICY = Policy(1800, 86_400, 3.0, 16_384)
QUIET = Rates(60.0, 0.1, 0.0, 0.0, 1, 1)
BUSY = replace(QUIET, cpu_percent=90.0)
IDLE = Activity(LONG_AGO, rates=QUIET)
ACTIVE = Activity(LONG_AGO, last_input_at=NOW, rates=QUIET)
NAME = "rb-0123456789abcdef-main"
RUNS = (Phase.RUNNING, Phase.PAUSED)
UNSETTLED = (Phase.PENDING, Phase.LOST)
ENDED = (Phase.ABSENT, Phase.STOPPED, Phase.FAILED)


def facts(
    state: State = State.RUNNING,
    status: Status | Phase | None = Phase.RUNNING,
    *,
    activity: Activity = ACTIVE,
    claimed: bool = False,
    floor: datetime = LONG_AGO,
    reachable: bool = True,
) -> Facts:
    """One workspace and what the engine says of it; absent ones are not in a census."""
    if isinstance(status, Phase):
        status = Status(NAME, status)
    census = {} if status is None or status.phase is Phase.ABSENT else {NAME: status}
    fact = WorkspaceFact(NAME, state, claimed, activity)
    return Facts((fact,), census if reachable else None, (), floor)


def planned(given_: Facts, now: datetime = NOW) -> list[Do]:
    return [action.do for action in plan(now, POLICY, given_)]


def reason(given_: Facts) -> str:
    (action,) = plan(NOW, POLICY, given_)
    return action.reason


RIGHT = {
    State.STOPPED: ENDED,
    State.FAILED: ENDED,
    State.RUNNING: RUNS,
}


@pytest.mark.parametrize(("state", "phase"), [(s, p) for s, ps in RIGHT.items() for p in ps])
def test_what_agrees_is_left_alone(state: State, phase: Phase) -> None:
    assert planned(facts(state, phase)) == []


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("phase", UNSETTLED)
def test_what_the_engine_does_not_know_is_left_alone(state: State, phase: Phase) -> None:
    assert planned(facts(state, phase, activity=IDLE)) == []


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("phase", Phase)
def test_claimed_rows_are_left_alone(state: State, phase: Phase) -> None:
    assert planned(facts(state, phase, activity=IDLE, claimed=True)) == []


@pytest.mark.parametrize("state", State)
def test_an_unreachable_engine_is_unknown_and_never_stopped(state: State) -> None:
    assert planned(facts(state, Phase.ABSENT, activity=IDLE, reachable=False)) == []


@pytest.mark.parametrize("phase", RUNS)
def test_an_idle_workspace_is_stopped_and_told_why(phase: Phase) -> None:
    assert planned(facts(status=phase, activity=IDLE)) == [Do.STOP]
    assert reason(facts(status=phase, activity=IDLE)).startswith("Stopped as idle: no input for")


def test_nothing_is_decided_before_it_was_measured() -> None:
    assert planned(facts(activity=replace(IDLE, rates=None))) == []


@pytest.mark.parametrize("rates", [None, QUIET, BUSY])
def test_a_workspace_out_of_hours_is_stopped_and_told_so(rates: Rates | None) -> None:
    hours = Hours(10.0, NOW, NOW + timedelta(days=2))
    given_ = facts(activity=replace(ACTIVE, rates=rates, hours=hours))
    assert planned(given_) == [Do.STOP]
    assert reason(given_) == hours.used_up


def test_a_running_build_is_left_alone() -> None:
    assert planned(facts(activity=Activity(NOW - timedelta(hours=20), rates=BUSY))) == []


@pytest.mark.parametrize("phase", RUNS)
@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED, State.STARTING])
def test_what_runs_without_us_is_seen(state: State, phase: Phase) -> None:
    assert planned(facts(state, phase)) == [Do.MARK_RUNNING]


def test_a_vanished_container_is_a_failure() -> None:
    assert planned(facts(status=None)) == [Do.MARK_FAILED]
    assert reason(facts(status=None)) == "Its container is gone: someone removed it"


@pytest.mark.parametrize("code", [0, None])
def test_a_container_that_ended_well_is_stopped(code: int | None) -> None:
    given_ = facts(status=Status(NAME, Phase.STOPPED, exit_code=code))
    assert planned(given_) == [Do.MARK_STOPPED]
    assert reason(given_) == "It ended by itself"


def test_a_container_that_crashed_says_how() -> None:
    killed = Status(NAME, Phase.FAILED, reason="out of memory", exit_code=137)
    assert planned(facts(status=killed)) == [Do.MARK_FAILED]
    assert reason(facts(status=killed)) == "out of memory"
    assert reason(facts(status=replace(killed, reason=""))) == "It was killed (exit code 137)"


@pytest.mark.parametrize("phase", ENDED)
def test_a_start_that_a_crash_cut_short_has_failed(phase: Phase) -> None:
    assert planned(facts(State.STARTING, phase)) == [Do.MARK_FAILED]
    assert "restarted while starting" in reason(facts(State.STARTING, phase))


@pytest.mark.parametrize("phase", [*RUNS, *ENDED])
def test_a_stop_that_a_crash_cut_short_is_finished(phase: Phase) -> None:
    assert planned(facts(State.STOPPING, phase)) == [Do.STOP]


@pytest.mark.parametrize("phase", [*RUNS, *ENDED])
def test_a_deletion_that_a_crash_cut_short_is_finished(phase: Phase) -> None:
    assert planned(facts(State.DELETING, phase)) == [Do.FINISH_DELETE]


def unknown(*statuses: Status) -> Facts:
    return Facts((), {status.name: status for status in statuses}, (), LONG_AGO)


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.ABSENT}))
def test_a_container_of_no_workspace_is_removed(phase: Phase) -> None:
    assert planned(unknown(Status("rb-gone-main", phase))) == [Do.REMOVE_ORPHAN]


def test_a_container_that_is_not_there_needs_no_removal() -> None:
    assert planned(unknown(Status("rb-gone-main", Phase.ABSENT))) == []


@pytest.mark.parametrize(
    ("phase", "age", "removed"),
    [
        (Phase.RUNNING, timedelta(hours=1), False),
        (Phase.RUNNING, HELPER_LIFETIME, True),
        (Phase.PENDING, None, False),
        (Phase.STOPPED, timedelta(0), True),
        (Phase.FAILED, timedelta(0), True),
    ],
)
def test_helpers_live_while_they_work(phase: Phase, age: timedelta | None, removed: bool) -> None:
    started = None if age is None else NOW - age
    helper = Status(f"{HELPER_PREFIX}abc-1", phase, started_at=started)
    assert planned(unknown(helper)) == [Do.REMOVE_ORPHAN] * removed


def test_a_workspaces_name_never_looks_like_a_helpers() -> None:
    assert not NAME.startswith(HELPER_PREFIX)


@pytest.mark.parametrize("reachable", [True, False])
def test_sessions_of_a_dead_server_end(reachable: bool) -> None:
    sessions = (
        SessionFact(1, NOW - STALE_AFTER - timedelta(seconds=1)),
        SessionFact(2, NOW - STALE_AFTER),
        SessionFact(3, NOW + timedelta(hours=1)),
    )
    given_ = Facts((), {} if reachable else None, sessions, LONG_AGO)
    assert plan(NOW, POLICY, given_) == [Action(Do.END_SESSION, "", session_id=1)]


def test_sessions_get_their_time_after_a_restart_or_a_jump() -> None:
    stale = (SessionFact(1, NOW - timedelta(hours=1)),)
    assert plan(NOW, POLICY, Facts((), {}, stale, NOW)) == []
    assert plan(NOW, POLICY, Facts((), {}, stale, NOW + timedelta(hours=9))) == []


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_jump_of_the_clock_there_and_back_harms_nobody(jump: timedelta) -> None:
    activity = Activity(NOW - timedelta(hours=2), last_input_at=NOW, rates=QUIET)
    sessions = (SessionFact(1, NOW),)
    there, back = NOW + jump, NOW + timedelta(seconds=30)
    for now in (there, back):
        given_ = replace(facts(activity=activity, floor=now), sessions=sessions)
        assert plan(now, POLICY, given_) == []


moments = st.timedeltas(timedelta(days=-2), timedelta(days=2)).map(lambda span: NOW + span)
names = st.sampled_from(["rb-a-main", "rb-b-main", "rb-b-x", f"{HELPER_PREFIX}a-1"])
activities = st.builds(
    Activity, started_at=moments, last_input_at=st.none() | moments,
    last_busy_at=st.none() | moments, snoozed_until=st.none() | moments,
    rates=st.sampled_from([None, QUIET, BUSY]),
    hours=st.none() | st.builds(Hours, st.just(10.0), moments, moments),
)  # fmt: skip
statuses = st.builds(
    Status, name=names, phase=st.sampled_from(Phase), reason=st.just(""),
    started_at=st.none() | moments, exit_code=st.none() | st.sampled_from([0, 1, 137]),
)  # fmt: skip
any_facts = st.builds(
    Facts,
    workspaces=st.lists(
        st.builds(WorkspaceFact, names, st.sampled_from(State), st.booleans(), activities),
        unique_by=lambda fact: fact.container, max_size=4,
    ).map(tuple),
    census=st.none() | st.lists(statuses, max_size=5).map(lambda all_: {s.name: s for s in all_}),
    sessions=st.lists(
        st.builds(SessionFact, st.integers(1, 9), moments), unique_by=lambda s: s.id, max_size=3
    ).map(tuple),
    floor=moments,
)  # fmt: skip


@given(any_facts)
def test_a_plan_touches_no_claimed_row_and_does_nothing_blindly(given_: Facts) -> None:
    actions = plan(NOW, POLICY, given_)
    claimed = {fact.container for fact in given_.workspaces if fact.claimed}
    assert not claimed & {action.name for action in actions}
    if given_.census is None:
        assert {action.do for action in actions} <= {Do.END_SESSION}
    assert len({(a.name, a.session_id) for a in actions}) == len(actions), "one step for each"


def applied(given_: Facts, actions: list[Action]) -> Facts:
    """Return the facts after the actions succeeded."""
    workspaces = {fact.container: fact for fact in given_.workspaces}
    census = dict(given_.census or {})
    ended = {action.session_id for action in actions if action.do is Do.END_SESSION}
    for action in actions:
        match action.do:
            case Do.STOP:
                moved(workspaces, action.name, State.STOPPED)
                census[action.name] = Status(action.name, Phase.STOPPED)
            case Do.MARK_RUNNING:
                moved(workspaces, action.name, State.RUNNING)
                fact = workspaces[action.name]
                workspaces[action.name] = replace(fact, activity=Activity(NOW, rates=QUIET))
            case Do.MARK_STOPPED:
                moved(workspaces, action.name, State.STOPPED)
            case Do.MARK_FAILED:
                moved(workspaces, action.name, State.FAILED)
            case Do.FINISH_DELETE:
                del workspaces[action.name]
                census.pop(action.name, None)
            case Do.REMOVE_ORPHAN:
                del census[action.name]
    return replace(
        given_,
        workspaces=tuple(workspaces.values()),
        census=None if given_.census is None else census,
        sessions=tuple(s for s in given_.sessions if s.id not in ended),
    )


def moved(workspaces: dict[str, WorkspaceFact], name: str, state: State) -> None:
    fact = workspaces[name]
    assert state in TRANSITIONS[fact.state], f"{fact.state} -> {state} is refused"
    workspaces[name] = replace(fact, state=state)


@given(any_facts)
def test_every_step_is_allowed_and_a_second_plan_finds_nothing_to_do(given_: Facts) -> None:
    after = applied(given_, plan(NOW, POLICY, given_))
    assert plan(NOW, POLICY, after) == []
