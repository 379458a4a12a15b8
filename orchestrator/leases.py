"""Who is using a home: locks that the kernel takes back from a process that dies.

A home is held *shared* by whatever needs it unlocked, and *alone* by what locks, replaces or
destroys it. The locks are those of open files (flock(2)) in the data directory, so they hold
between servers that share it, and a killed one leaves none behind.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import HomeBusy

_POLL_SECONDS = 0.02


def writing_lease(home: str) -> str:
    """Name the lease of whoever changes snapshots, or files by them: one at a time."""
    return f"{home}.snapshots"


def reading_lease(home: str) -> str:
    """Name the lease of whoever reads snapshots, held alone by what deletes from them."""
    return f"{home}.repository"


def room_lease(home: str) -> str:
    """Name the lease of whoever uses the container in which restic works."""
    return f"{home}.room"


def publishing_lease(home: str) -> str:
    """Name the lease of whoever counts what the home's owner publishes, for a moment."""
    return f"{home}.published"


class Leases:
    """Locks below ``directory``, one file for each name and purpose."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def shared(self, name: str, *, patience: float) -> Iterator[None]:
        """Hold ``name`` together with others. Raises: HomeBusy after ``patience`` seconds."""
        with self._held(name, fcntl.LOCK_SH, patience):
            yield

    @contextmanager
    def alone(self, name: str, *, patience: float = 0.0) -> Iterator[None]:
        """Hold ``name`` with nobody else. Raises: HomeBusy after ``patience`` seconds."""
        with self._held(name, fcntl.LOCK_EX, patience):
            yield

    @contextmanager
    def _held(self, name: str, how: int, patience: float) -> Iterator[None]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._directory / name, flags, 0o600)
        try:
            deadline = time.monotonic() + patience
            # Never wait in the kernel: that would hold the whole event loop.
            while not _try(descriptor, how):
                if time.monotonic() >= deadline:
                    raise HomeBusy
                time.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)


def _try(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
