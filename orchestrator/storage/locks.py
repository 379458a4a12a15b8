"""One lock per home, held across processes: two servers on one directory damage nothing."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import Busy

_PATIENCE_SECONDS = 90.0
"""Longer than a home is ever frozen."""
_LONGEST_WAIT = 0.05


@contextmanager
def holding(directory: Path, name: str, *, patience: float | None = None) -> Iterator[int]:
    """Hold the lock ``name`` and yield its descriptor; a child that inherits it holds it too.

    Polls, since a blocking flock(2) would stop every greenlet. Raises: Busy.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(directory / name, flags, 0o600)
    try:
        deadline = time.monotonic() + (_PATIENCE_SECONDS if patience is None else patience)
        wait = 0.001
        while not _take(descriptor):
            if time.monotonic() >= deadline:
                raise Busy("The home is being worked on")
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        yield descriptor
    finally:
        # Never LOCK_UN: it would take the lock from a tool that still works under it.
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
