"""Answers of git that can never change, kept while there is room for them.

Only what was asked with full object ids may be kept: an id's content is always the same.
"""

import threading
from collections import OrderedDict

KEPT_BYTES_MAX = 64 << 20
READS_AT_ONCE = 8
"""More processes side by side only make each slower, and somebody could start hundreds."""

Key = tuple[int, tuple[str, ...]]


class Kept:
    """The answers used last, up to a number of bytes; and the turns of those who ask git."""

    def __init__(self, most: int = KEPT_BYTES_MAX) -> None:
        self.turns = threading.BoundedSemaphore(READS_AT_ONCE)
        self._most = most
        self._size = 0
        self._answers: OrderedDict[Key, bytes] = OrderedDict()
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
