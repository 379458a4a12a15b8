"""How many go on at once, and that one person cannot take it all."""

import gc
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from orchestrator.commons.turns import Turns
from orchestrator.errors import TooManyRequests
from tests.wire import DEADLINE_SECONDS, wait_for

ANN, BOB, CAROL = 1, 2, 3


def turns(most: int, each: int, patience: float | None = 0) -> Turns:
    return Turns(most, each=each, patience=patience, refusal="Too much", hint="Wait")


class Waiter:
    """Somebody who waits for a turn in a thread, and holds it until told to leave."""

    def __init__(self, among: Turns, who: int, came: list["Waiter"]) -> None:
        self.leave = threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(among, who, came), daemon=True)
        self._thread.start()
        wait_for(lambda: any(one.who == who for one in among._waiting), "a wish for a turn")

    def _hold(self, among: Turns, who: int, came: list["Waiter"]) -> None:
        with among.one(who):
            came.append(self)
            assert self.leave.wait(DEADLINE_SECONDS)

    def gone(self) -> None:
        self.leave.set()
        self._thread.join(DEADLINE_SECONDS)


def test_one_person_leaves_turns_for_others() -> None:
    few = turns(8, each=3)
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(few.one(ANN))
        with pytest.raises(TooManyRequests) as refused, few.one(ANN):
            pass
        assert refused.value.hint == "Wait"
        held.enter_context(few.one(BOB))
    with few.one(ANN):
        pass


def test_all_together_have_no_more_than_there_are() -> None:
    few = turns(2, each=2)
    with few.one(ANN), few.one(BOB), pytest.raises(TooManyRequests), few.one(CAROL):
        pass
    with few.one(CAROL), few.one(CAROL):
        pass


def test_who_holds_the_fewest_is_next_however_late_they_came() -> None:
    few, came = turns(2, each=2, patience=None), list[Waiter]()
    with few.one(ANN):
        with few.one(BOB):
            again = Waiter(few, ANN, came)
            newcomer = Waiter(few, CAROL, came)
        wait_for(lambda: came, "a turn")
        assert came == [newcomer]
        newcomer.gone()
        wait_for(lambda: came == [newcomer, again], "the next turn")
        again.gone()


def test_who_waited_in_vain_is_not_called_any_more() -> None:
    few = turns(1, each=1, patience=0.01)
    with few.one(ANN), pytest.raises(TooManyRequests), few.one(BOB):
        pass
    with few.one(CAROL):
        pass


def test_a_turn_comes_back_however_its_block_ends() -> None:
    few = turns(1, each=1)
    with pytest.raises(ValueError, match="no"), few.one(ANN):
        raise ValueError("no")

    def answer() -> Iterator[bytes]:
        with few.one(ANN):
            yield b""
            yield b"never asked for"

    begun = answer()
    next(begun)
    knot: list[object] = [begun]
    knot.append(knot)
    del begun, knot
    gc.collect()
    with few.one(ANN):
        pass
