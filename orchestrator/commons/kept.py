"""Answers of git that can never change, kept while there is room for them.

Only what was asked with full object ids may be kept: an id's content is always the same.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from orchestrator.commons.turns import Turns

KEPT_BYTES_MAX = 64 << 20
READS_AT_ONCE = 8
"""More processes side by side only make each slower, and somebody could start hundreds."""
READS_EACH = 3
"""Of those, one person's: slow questions of one shall leave turns for all others."""
READ_PATIENCE_SECONDS = 20.0
CHORES_AT_ONCE = 4
CHORES_EACH = 2
DOWNLOADS_AT_ONCE = 64
DOWNLOADS_EACH = 8
"""More than the connections that a browser has for the pictures of a page."""

Key = tuple[int, tuple[str, ...]]


class Kept:
    """The answers used last, up to a number of bytes; and the turns of those who ask git.

    ``turns`` are for people who wait for a page, ``chores`` for what a push brings about: that
    takes longer, nobody looks at it, and it must be done, however long others are before it.
    ``downloads`` last for as long as somebody takes them.
    """

    def __init__(self, most: int = KEPT_BYTES_MAX) -> None:
        said = {
            "refusal": "Too much is being looked at just now",
            "hint": "Wait until your other pages are there, then try again.",
        }
        self.turns = Turns(READS_AT_ONCE, each=READS_EACH, patience=READ_PATIENCE_SECONDS, **said)
        self.chores = Turns(CHORES_AT_ONCE, each=CHORES_EACH, patience=None, **said)
        self.downloads = Turns(
            DOWNLOADS_AT_ONCE,
            each=DOWNLOADS_EACH,
            patience=READ_PATIENCE_SECONDS,
            refusal="Too many downloads are under way",
            hint="Wait until some of yours have ended, then try again.",
        )
        self._most = most
        self._size = 0
        self._answers: OrderedDict[Key, bytes] = OrderedDict()
        self._awaited: dict[tuple[int, Key], Future[bytes]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key) -> bytes | None:
        """Return what was kept, if it still is."""
        with self._lock:
            if (answer := self._answers.get(key)) is not None:
                self._answers.move_to_end(key)
            return answer

    def put(self, key: Key, answer: bytes) -> None:
        """Keep an answer, and let those go that were not asked for the longest."""
        if len(answer) > self._most // 8:
            return
        with self._lock:
            self._size += len(answer) - len(self._answers.pop(key, b""))
            self._answers[key] = answer
            while self._size > self._most:
                self._size -= len(self._answers.popitem(last=False)[1])

    def within(
        self, seconds: float, key: Key, ask: Callable[[], bytes], who: int = 0
    ) -> bytes | None:
        """Return what ``ask()`` does, kept; None when that takes longer, and then it goes on.

        If ``who`` asks again later, they wait for the same, and learn of its failure. ``ask`` runs
        in a thread of its own, unless too many do.
        """
        if (answer := self.get(key)) is not None:
            return answer
        with self._lock:
            pending = self._awaited.get((who, key))
            if begin := pending is None and self._may_begin(who):
                pending = self._awaited[who, key] = Future()
        if pending is None:
            self.put(key, answer := ask())
            return answer
        if begin:
            threading.Thread(target=self._ask, args=(who, key, ask, pending), daemon=True).start()
        try:
            answer = pending.result(seconds)
        except TimeoutError:
            return None
        except Exception:
            self._awaited.pop((who, key), None)
            raise
        return answer

    def _may_begin(self, who: int) -> bool:
        """Forget failures that nobody came back for; return whether there is room for one more."""
        for key in [key for key, pending in self._awaited.items() if pending.done()]:
            del self._awaited[key]
        theirs = sum(one == who for one, _ in self._awaited)
        return len(self._awaited) < READS_AT_ONCE and theirs < READS_EACH

    def _ask(self, who: int, key: Key, ask: Callable[[], bytes], pending: Future[bytes]) -> None:
        try:
            answer = ask()
        except Exception as error:  # raised where it is waited for
            pending.set_exception(error)
        else:
            self.put(key, answer)
            self._awaited.pop((who, key), None)
            pending.set_result(answer)
