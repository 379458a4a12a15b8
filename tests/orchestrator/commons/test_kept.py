"""What is asked of git once, and how long anybody waits for it."""

import threading

import pytest

from orchestrator.commons.kept import READS_AT_ONCE, READS_EACH, Kept
from orchestrator.errors import TooManyRequests
from tests.wire import DEADLINE_SECONDS, wait_for

KEY = (1, ("blame",))


class Asked:
    """An answer that comes when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.times = 0
        self.told = threading.Event()
        self._error = error

    def __call__(self) -> bytes:
        self.times += 1
        assert self.told.wait(DEADLINE_SECONDS)
        if self._error is not None:
            raise self._error
        return b"answer"


def test_an_answer_that_takes_long_is_found_by_who_asks_again() -> None:
    kept, asked = Kept(), Asked()
    assert kept.within(0, KEY, asked) is None
    assert kept.within(0, KEY, asked) is None
    asked.told.set()
    assert kept.within(DEADLINE_SECONDS, KEY, asked) == b"answer"
    assert kept.get(KEY) == b"answer"
    assert asked.times == 1


def test_a_late_failure_reaches_who_asks_again_and_is_then_forgotten() -> None:
    kept, asked = Kept(), Asked(ValueError("no"))
    assert kept.within(0, KEY, asked) is None
    asked.told.set()
    with pytest.raises(ValueError, match="no"):
        kept.within(DEADLINE_SECONDS, KEY, asked)
    assert kept.within(DEADLINE_SECONDS, KEY, lambda: b"answer") == b"answer"


def test_no_more_is_begun_than_reads_at_once() -> None:
    kept, asked = Kept(), Asked()
    for number in range(READS_AT_ONCE):
        assert kept.within(0, (number, ()), asked, who=number) is None
    # One too many waits for its own answer, however short its patience.
    assert kept.within(0, KEY, lambda: b"mine") == b"mine"
    asked.told.set()
    wait_for(lambda: kept.get((0, ())), "the first answer")


def test_one_person_does_not_begin_all_of_them() -> None:
    kept, asked = Kept(), Asked()
    for number in range(READS_EACH):
        assert kept.within(0, (number, ()), asked, who=1) is None
    where = list[threading.Thread]()

    def ask() -> bytes:
        where.append(threading.current_thread())
        return b"mine"

    assert kept.within(0, KEY, ask, who=1) == b"mine"
    assert where == [threading.current_thread()], "not begun: asked on the spot"
    assert kept.within(0, (3, ()), asked, who=2) is None
    asked.told.set()
    wait_for(lambda: kept.get((3, ())), "the other person's answer")


def test_nobody_learns_that_another_had_too_many_turns() -> None:
    kept, asked = Kept(), Asked(TooManyRequests())
    assert kept.within(0, KEY, asked, who=1) is None
    assert kept.within(DEADLINE_SECONDS, KEY, lambda: b"mine", who=2) == b"mine"
    asked.told.set()


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    kept = Kept(most=80)
    for number in range(9):
        kept.put((number, ()), b"x" * 10)
        kept.get((0, ()))
    assert kept.get((0, ())) is not None
    assert kept.get((1, ())) is None
    kept.put((10, ()), b"x" * 11)  # more than an eighth of all there is room for
    assert kept.get((10, ())) is None
