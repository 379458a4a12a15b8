import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engines import Usage
from orchestrator.sampler import Sampler

NAME = "rb-x-main"


def usage(cpu: float = 0.0, net: int = 0, block: int = 0, memory: int = 1, pids: int = 1) -> Usage:
    return Usage(cpu, memory, pids, net // 2, net - net // 2, block)


def sampled(*samples: tuple[float, Usage]) -> Sampler:
    sampler = Sampler()
    for at, one in samples:
        sampler.add(NAME, at, one)
    return sampler


def test_one_sample_says_nothing() -> None:
    sampler = sampled((0.0, usage()))
    assert sampler.now(NAME) is None
    assert sampler.window(NAME) is None
    assert sampler.window("rb-unknown") is None


def test_rates_are_differences_over_time() -> None:
    rates = sampled((10.0, usage(1.0, 100, 1000)), (20.0, usage(6.0, 300, 6000, 7, 9))).now(NAME)
    assert rates is not None
    assert rates.cpu_percent == pytest.approx(50.0)
    assert rates.net_bytes_per_second == pytest.approx(20.0)
    assert rates.block_bytes_per_second == pytest.approx(500.0)
    assert (rates.memory_bytes, rates.pids, rates.seconds) == (7, 9, 10.0)


def test_the_window_smooths_what_the_last_moment_shows() -> None:
    quiet = [(float(t), usage(0.0)) for t in range(0, 60, 5)]
    sampler = sampled(*quiet, (60.0, usage(3.0)))
    now, window = sampler.now(NAME), sampler.window(NAME)
    assert now is not None
    assert now.cpu_percent == pytest.approx(60.0)
    assert window is not None
    assert window.cpu_percent == pytest.approx(5.0)


def test_the_window_forgets_what_is_older_than_a_minute() -> None:
    window = sampled((0.0, usage(0.0)), (100.0, usage(50.0)), (130.0, usage(50.0))).window(NAME)
    assert window is not None
    assert window.cpu_percent == 0.0


def test_after_a_gap_of_over_a_minute_nothing_is_known() -> None:
    """The server slept or the engine was away: an average over that time would be a guess."""
    assert sampled((0.0, usage(0.0)), (500.0, usage(400.0))).window(NAME) is None


def test_counters_that_went_back_are_another_container() -> None:
    sampler = sampled((0.0, usage(100.0)), (5.0, usage(0.1)))
    assert sampler.window(NAME) is None
    sampler.add(NAME, 10.0, usage(0.2))
    window = sampler.window(NAME)
    assert window is not None
    assert window.cpu_percent == pytest.approx(2.0)


def test_only_what_runs_is_kept() -> None:
    sampler = sampled((0.0, usage()), (1.0, usage()))
    sampler.keep_only({NAME})
    assert sampler.now(NAME) is not None
    sampler.keep_only(set())
    assert sampler.now(NAME) is None
    sampler.forget(NAME)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, 1 << 40)), max_size=40)
)
def test_rates_are_never_negative(raw: list[tuple[float, float, int]]) -> None:
    sampler = sampled(*((at, usage(cpu, io, io)) for at, cpu, io in sorted(raw)))
    for rates in (sampler.now(NAME), sampler.window(NAME)):
        if rates is not None:
            assert rates.cpu_percent >= 0
            assert rates.net_bytes_per_second >= 0
            assert rates.block_bytes_per_second >= 0
