"""Wait for what has to come true, never for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
DEADLINE_SECONDS = 30.0
AT_ONCE_SECONDS = 3.0
"""What a person would still call "at once" on a busy machine."""
_POLL_SECONDS = 0.02


def until(
    condition: Callable[[], T],
    what: str,
    *,
    seconds: float = DEADLINE_SECONDS,
    every: float = _POLL_SECONDS,
) -> T:
    """Return the first truthy value of ``condition``; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s, but {value!r}"
        time.sleep(every)
    return value
