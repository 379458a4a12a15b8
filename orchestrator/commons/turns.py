"""Who may go on at once: so many of all, and of those only so many for one person.

What many share somebody could otherwise hold alone, with nothing but slow questions.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestrator.errors import TooManyRequests


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    who: int
    called: threading.Event = field(default_factory=threading.Event)


class Turns:
    """``most`` turns, at most ``each`` of them for one person; whoever holds the fewest is next.

    ``patience`` is how many seconds anybody waits for one; None is for as long as it takes.
    ``refusal`` is what is told then, and ``hint`` what to do.
    """

    def __init__(
        self, most: int, *, each: int, patience: float | None, refusal: str, hint: str
    ) -> None:
        self._free = most
        self._each = each
        self._patience = patience
        self._refusal, self._hint = refusal, hint
        self._held: dict[int, int] = {}
        self._waiting: list[_Waiting] = []
        # Taken again by its holder: a forgotten answer gives its turn back wherever the collector
        # finds it.
        self._lock = threading.RLock()

    @contextmanager
    def one(self, who: int) -> Iterator[None]:
        """Hold a turn of ``who``'s for the time of the block. Raises: TooManyRequests."""
        self._take(who)
        try:
            yield
        finally:
            self._give_back(who)

    def _take(self, who: int) -> None:
        me = _Waiting(who)
        with self._lock:
            self._waiting.append(me)
            self._call()
        if me.called.is_set() or (self._patience != 0 and me.called.wait(self._patience)):
            return
        with self._lock:
            if me.called.is_set():  # just now
                return
            self._waiting.remove(me)
        raise TooManyRequests(self._refusal, hint=self._hint)

    def _give_back(self, who: int) -> None:
        with self._lock:
            self._free += 1
            self._held[who] -= 1
            if not self._held[who]:
                del self._held[who]
            self._call()

    def _call(self) -> None:
        """Give what is free to those who wait: first come, first served where they hold alike."""
        while self._free and (able := [one for one in self._waiting if self._may(one)]):
            chosen = min(able, key=lambda one: self._held.get(one.who, 0))
            if chosen.called.is_set():  # the collector came in between
                continue
            self._waiting.remove(chosen)
            self._free -= 1
            self._held[chosen.who] = self._held.get(chosen.who, 0) + 1
            chosen.called.set()

    def _may(self, one: _Waiting) -> bool:
        return self._held.get(one.who, 0) < self._each
