"""What the byte path needs of an event loop, and a clock that is finer than the loop's.

The loop is gevent's (``get_hub().loop``), known here by its shape alone.
"""

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

READ, WRITE = 1, 2  # libev's EV_READ and EV_WRITE


class Watcher(Protocol):
    """One registration with the loop; after ``close`` it is not started again."""

    def start(self, callback: Callable[..., Any], /, *args: Any) -> Any:
        """Call ``callback(*args)`` in the loop at every event."""

    def stop(self) -> Any:
        """Make no further calls; ``start`` resumes them."""

    def close(self) -> Any:
        """Free the loop's side of it."""


class Loop(Protocol):
    """Calls back in its own thread. It reports a level, not an edge: what is left is repeated."""

    def io(self, fd: int, events: int, /) -> Watcher:
        """Watch ``fd`` for :data:`READ` or :data:`WRITE`."""

    def timer(self, after: float, /) -> Watcher:
        """Fire once, ``after`` seconds after its start."""


def release(watcher: Watcher) -> None:
    """Stop and free a watcher."""
    watcher.stop()
    watcher.close()


class Ticker:
    """Calls its members again and again, ``seconds`` apart; costs nothing while it has none.

    The loop itself waits in whole milliseconds (epoll_wait(2)); a timerfd has no such limit.
    """

    __slots__ = ("_fd", "_loop", "_members", "_seconds", "_watcher")

    def __init__(self, loop: Loop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._members: set[Callable[[], object]] = set()
        self._watcher: Watcher | None = None
        self._fd = -1

    def add(self, member: Callable[[], object]) -> None:
        """Call ``member`` from the next tick on."""
        self._members.add(member)
        if self._watcher is None:
            self._fd = _timerfd(self._seconds)
            self._watcher = self._loop.io(self._fd, READ)
            self._watcher.start(self._tick, self._watcher)

    def discard(self, member: Callable[[], object]) -> None:
        """Call ``member`` no more; absent is fine."""
        self._members.discard(member)

    def _tick(self, watcher: Watcher) -> None:
        with suppress(BlockingIOError):
            os.read(self._fd, 8)
        if not self._members:
            release(watcher)
            os.close(self._fd)
            self._watcher = None
        for member in tuple(self._members):
            member()


class _Itimerspec(ctypes.Structure):
    """Interval and first expiration, each in seconds and nanoseconds: timerfd_settime(2)."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("every_s", "every_ns", "in_s", "in_ns"))


_LIBC = ctypes.CDLL(None, use_errno=True)
_CLOCK_MONOTONIC = 1


def _timerfd(seconds: float) -> int:
    """Return a descriptor that is readable every so often; Python has this from 3.13 on."""
    fd = int(_LIBC.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
    span = (int(seconds), int(seconds % 1 * 1e9))
    if fd < 0 or _LIBC.timerfd_settime(fd, 0, ctypes.byref(_Itimerspec(*span, *span)), None):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return fd
