import os
import threading
from collections.abc import Iterator

import pytest

from orchestrator.loop import Ticker
from tests.wire import DEADLINE_SECONDS, LoopThread, wait_for


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


class Member:
    """Counts its calls and says when it has had enough."""

    def __init__(self, ticker: Ticker, enough: int) -> None:
        self.ticker, self.enough, self.calls = ticker, enough, 0
        self.done = threading.Event()

    def tick(self) -> None:
        self.calls += 1
        if self.calls == self.enough:
            self.ticker.discard(self.tick)
            self.done.set()


def timers() -> int:
    """Return how many timerfds this process has."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}") == "anon_inode:[timerfd]"
        except FileNotFoundError:
            continue
    return count


def test_members_are_called_until_they_leave_and_the_clock_goes_with_the_last(
    thread: LoopThread,
) -> None:
    before = timers()
    ticker = Ticker(thread.loop, 0.0003)
    few, many = Member(ticker, 3), Member(ticker, 40)
    for round_ in (1, 2):  # it can be begun again
        few.calls = many.calls = 0
        few.done.clear()
        many.done.clear()
        thread.call(ticker.add, few.tick)
        thread.call(ticker.add, many.tick)
        assert few.done.wait(DEADLINE_SECONDS), round_
        assert many.done.wait(DEADLINE_SECONDS), round_
        wait_for(lambda: timers() == before, "the clock's end")
        assert (few.calls, many.calls) == (3, 40)


def test_who_joins_twice_is_called_once_and_the_absent_may_leave(thread: LoopThread) -> None:
    ticker = Ticker(thread.loop, 0.0003)
    member, witness = Member(ticker, 5), Member(ticker, 5)

    def join() -> None:  # all in one turn of the loop, or the first would be done before the last
        for one in (member, member, witness):
            ticker.add(one.tick)

    thread.call(join)
    assert witness.done.wait(DEADLINE_SECONDS)
    assert member.calls == 5
    thread.call(ticker.discard, member.tick)


def test_member_that_removes_another_in_the_same_tick(thread: LoopThread) -> None:
    ticker = Ticker(thread.loop, 0.0003)
    stopped = threading.Event()
    victim = Member(ticker, 10**9)

    def remove() -> None:
        ticker.discard(victim.tick)
        ticker.discard(remove)
        stopped.set()

    thread.call(ticker.add, victim.tick)
    thread.call(ticker.add, remove)
    assert stopped.wait(DEADLINE_SECONDS)
    calls = thread.call(lambda: victim.calls)
    other = Member(ticker, 3)
    thread.call(ticker.add, other.tick)
    assert other.done.wait(DEADLINE_SECONDS)
    assert victim.calls == calls
