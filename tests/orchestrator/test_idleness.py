from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.idleness import Activity, Hours, Policy, Verdict, judge, words, working
from orchestrator.sampler import Rates
from orchestrator.settings import Settings

NOW = datetime(2031, 5, 6, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
IDLE, MOST = 1800, 86_400
POLICY = Policy(
    idle_seconds=IDLE, max_busy_seconds=MOST, busy_cpu_percent=3.0, busy_io_bytes_per_second=16_384
)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def rates(cpu: float = 0.3, net: float = 0.0, block: float = 0.0) -> Rates:
    return Rates(60.0, cpu, net, block, memory_bytes=1 << 20, pids=3)


QUIET, BUSY = rates(), rates(cpu=80)


def judged(*, now: datetime = NOW, floor: datetime = LONG_AGO, **known: object) -> Verdict:
    """Judge a workspace that started a month ago and is quiet unless told otherwise."""
    given_ = {"started_at": LONG_AGO, "rates": QUIET} | known
    return judge(now, POLICY, Activity(**given_), floor)


def stops(**known: object) -> bool:
    return judged(**known).due(NOW)


def test_thresholds_come_from_the_settings() -> None:
    assert Policy.of(Settings(idle_seconds=7, busy_cpu_percent=1.5)) == Policy(
        7, 86_400, 1.5, 16_384
    )


def test_idle_workspace_stops_after_the_time_and_not_before() -> None:
    assert stops(last_input_at=ago(seconds=IDLE))
    assert not stops(last_input_at=ago(seconds=IDLE - 1))


def test_an_open_tab_keeps_nothing_alive() -> None:
    """Connections are no part of what is judged: only input and work are."""
    assert not {"sessions", "open_sessions", "connections"} & set(Activity.__slots__)


def test_a_workspace_nobody_ever_typed_into_lives_its_time_from_its_start() -> None:
    assert not stops(started_at=ago(seconds=IDLE - 1))
    assert stops(started_at=ago(seconds=IDLE))


@pytest.mark.parametrize(
    "work", [rates(cpu=3.0), rates(net=16_384), rates(block=16_384), rates(cpu=400)]
)
def test_a_running_build_keeps_it_alive(work: Rates) -> None:
    assert working(POLICY, work)
    assert not stops(last_input_at=ago(hours=23), rates=work)


@pytest.mark.parametrize(
    "rest", [rates(cpu=2.99), rates(net=16_383), rates(block=16_383), rates(net=9000, block=9000)]
)
def test_a_murmur_is_no_work(rest: Rates) -> None:
    assert not working(POLICY, rest)
    assert stops(last_input_at=ago(hours=1), rates=rest)


def test_work_alone_keeps_it_alive_only_so_long() -> None:
    assert not stops(last_input_at=ago(seconds=MOST - 1), rates=BUSY)
    assert stops(last_input_at=ago(seconds=MOST), rates=BUSY)


def test_the_idle_time_begins_when_the_work_ends() -> None:
    assert not stops(last_input_at=ago(hours=5), last_busy_at=ago(seconds=IDLE - 1))
    assert stops(last_input_at=ago(hours=5), last_busy_at=ago(seconds=IDLE))


def test_finished_work_does_not_outlive_the_longest_time_either() -> None:
    assert stops(last_input_at=ago(seconds=MOST), last_busy_at=ago(seconds=1))


def test_an_idle_time_longer_than_the_longest_busy_time_counts() -> None:
    policy = Policy(100, 50, 3.0, 16_384)
    activity = Activity(LONG_AGO, last_input_at=ago(seconds=99), rates=BUSY)
    assert not judge(NOW, policy, activity, LONG_AGO).due(NOW)


def test_nothing_is_measured_yet_is_no_work() -> None:
    assert not working(POLICY, None)
    assert "cpu not measured yet" in judged(rates=None).explanation


@pytest.mark.parametrize("seconds", [1, 3600])
def test_a_snooze_keeps_it_until_it_ends(seconds: int) -> None:
    assert not stops(snoozed_until=NOW + timedelta(seconds=seconds))
    assert stops(snoozed_until=NOW)


def test_a_snooze_does_not_shorten_the_time() -> None:
    plain = judged(last_input_at=NOW)
    assert judged(last_input_at=NOW, snoozed_until=NOW + timedelta(seconds=5)) == plain


def test_a_restarted_server_holds_nothing_against_anyone() -> None:
    assert not stops(last_input_at=ago(days=3), floor=ago(seconds=IDLE - 1))
    assert stops(last_input_at=ago(days=3), floor=ago(seconds=IDLE))


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumped_stops_nobody(hours: int) -> None:
    """The floor is set at the jump; what was noted before it may lie in the future."""
    later = NOW + timedelta(hours=hours)
    known = {"last_input_at": ago(minutes=1), "last_busy_at": ago(minutes=2),
             "started_at": ago(minutes=3)}  # fmt: skip
    verdict = judged(now=later, floor=later, **known)
    assert not verdict.due(later)
    assert verdict.stops_at >= later + timedelta(seconds=IDLE)


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"last_input_at": ago(minutes=18)},
         "stops in 12 min: no input for 18 min, cpu 0.3 %"),
        ({"last_input_at": ago(minutes=18), "rates": rates(net=8000, block=2240)},
         "stops in 12 min: no input for 18 min, cpu 0.3 %, 10 kB/s of disk and network"),
        ({"last_input_at": ago(minutes=18), "rates": None},
         "stops in 12 min: no input for 18 min, cpu not measured yet"),
        ({"last_input_at": ago(seconds=1780)},
         "stops in 20 s: no input for 29 min, cpu 0.3 %"),
        ({"last_input_at": ago(hours=3)},
         "stops in 0 s: no input for 3 h, cpu 0.3 %"),
        ({"last_input_at": ago(hours=2), "last_busy_at": ago(minutes=10)},
         "stops in 20 min: no input for 2 h, cpu 0.3 %"),
        ({"last_input_at": ago(hours=1, minutes=5), "rates": BUSY},
         "working (cpu 80.0 %): runs on, at most 22 h 55 min without input"),
        ({"last_input_at": ago(hours=1), "snoozed_until": NOW + timedelta(minutes=45)},
         "kept for 45 min: snoozed"),
    ],
)  # fmt: skip
def test_the_owner_reads_why_and_when(known: dict[str, object], text: str) -> None:
    assert judged(**known).explanation == text


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"last_input_at": ago(minutes=31)}, "Stopped as idle: no input for 31 min, cpu 0.3 %"),
        ({"last_input_at": ago(days=1), "rates": BUSY},
         "Stopped after 24 h of work without any input"),
        ({"last_input_at": ago(days=2), "rates": BUSY, "snoozed_until": ago(minutes=1)},
         "Stopped after 48 h of work without any input"),
    ],
)  # fmt: skip
def test_afterwards_the_owner_reads_what_happened(known: dict[str, object], text: str) -> None:
    verdict = judged(**known)
    assert verdict.due(NOW)
    assert verdict.reason == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"), (0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (119, "1 min"),
        (3599, "59 min"), (3600, "1 h"), (3661, "1 h 1 min"), (86_400, "24 h"),
    ],
)  # fmt: skip
def test_durations_are_said_as_people_do(seconds: float, text: str) -> None:
    assert words(timedelta(seconds=seconds)) == text


def hours(**ends_in: float) -> Hours:
    return Hours(10.0, NOW + timedelta(**ends_in), datetime(2031, 5, 12, tzinfo=UTC))


USED_UP = (
    "Your 10 hours of this week are used up; a new week begins on Monday, 2031-05-12, 00:00 UTC"
)


@pytest.mark.parametrize(
    "known",
    [
        {"last_input_at": NOW}, {"rates": BUSY}, {"rates": None},
        {"snoozed_until": NOW + timedelta(hours=1)},
    ],
)  # fmt: skip
def test_no_hours_left_stops_it_whatever_it_does(known: dict[str, object]) -> None:
    verdict = judged(hours=hours(seconds=0), **known)
    assert verdict.due(NOW)
    assert verdict.reason == USED_UP


def test_before_the_hours_are_used_up_the_owner_reads_when() -> None:
    verdict = judged(last_input_at=NOW, rates=BUSY, hours=hours(minutes=8))
    assert not verdict.due(NOW)
    assert verdict.stops_at == NOW + timedelta(minutes=8)
    assert verdict.explanation == "stops in 8 min: the week's 10 h are used up then"


def test_hours_that_last_longer_change_nothing() -> None:
    quiet = {"last_input_at": ago(minutes=18)}
    assert judged(hours=hours(minutes=13), **quiet) == judged(**quiet)


moments = st.timedeltas(timedelta(days=-1), timedelta(days=1)).map(lambda span: NOW + span)
activities = st.builds(
    Activity, started_at=moments, last_input_at=st.none() | moments,
    last_busy_at=st.none() | moments, snoozed_until=st.none() | moments,
    rates=st.none() | st.sampled_from([QUIET, BUSY]),
)  # fmt: skip


@given(activities, moments)
def test_nobody_is_stopped_within_the_idle_time_of_the_floor_or_of_input(
    activity: Activity, floor: datetime
) -> None:
    verdict = judge(NOW, POLICY, activity, floor)
    idle = timedelta(seconds=IDLE)
    for moment in (floor, activity.last_input_at, activity.started_at):
        if moment is not None and NOW - moment < idle:
            assert not verdict.due(NOW)
    if activity.snoozed_until is not None and activity.snoozed_until > NOW:
        assert not verdict.due(NOW)


@given(activities, moments)
def test_everybody_is_stopped_in_the_end(activity: Activity, floor: datetime) -> None:
    verdict = judge(NOW, POLICY, activity, floor)
    assert verdict.stops_at <= NOW + timedelta(days=2)
    assert verdict.explanation
    assert verdict.reason.startswith("Stopped")
