"""One lock per home, held across processes: two servers on one directory damage nothing."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from orchestrator.errors import HomeBusy

_PATIENCE_SECONDS = 90.0
"""Longer than a home is ever frozen."""
_LONGEST_WAIT = 0.05


@contextmanager
def holding(directory: Path, name: str, *, patience: float | None = None) -> Iterator[int]:
    """Hold the lock ``name`` and yield its descriptor; a child that inherits it holds it too.

    Polls, since a blocking flock(2) would stop every greenlet. Raises: HomeBusy.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(directory / name, flags, 0o600)
    try:
        deadline = time.monotonic() + (_PATIENCE_SECONDS if patience is None else patience)
        wait = 0.001
        while not _take(descriptor):
            if time.monotonic() >= deadline:
                raise HomeBusy("The home is being worked on")
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        yield descriptor
    finally:
        # Never LOCK_UN: it would take the lock from a tool that still works under it.
        os.close(descriptor)


class Kept:
    """Locks kept from one call to the next: until they are let go, or the process ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._kept: dict[str, ExitStack] = {}

    def take(self, name: str, *, patience: float) -> None:
        """Keep the lock ``name``; one that is kept already is success. Raises: HomeBusy."""
        if name not in self._kept:
            with ExitStack() as stack:
                stack.enter_context(holding(self._directory, name, patience=patience))
                self._kept[name] = stack.pop_all()

    @contextmanager
    def ending(self, name: str, *, patience: float) -> Iterator[None]:
        """Hold the lock, and keep it no longer unless the body fails. Raises: HomeBusy."""
        if name in self._kept:
            yield
            self._kept.pop(name).close()
        else:
            with holding(self._directory, name, patience=patience):
                yield

    def drop_all(self) -> None:
        """Let go of every lock."""
        while self._kept:
            self._kept.popitem()[1].close()


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
