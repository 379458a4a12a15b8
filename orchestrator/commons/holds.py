"""Bytes that are spoken for: of what is being published and in no row yet.

A hold is a file of that size, locked (flock(2)) by the process that publishes. It counts in every
server on the same data directory, and no longer than that process lives.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(directory: Path, user_id: int) -> Iterator[int]:
    """Yield the descriptor of a hold, empty at first: truncate it to the bytes that it keeps."""
    directory.mkdir(mode=0o700, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix="new-", dir=directory)
    path = Path(name)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Seen by others only now that it is locked: they take away what is not.
        path = path.rename(path.with_name(path.name.replace("new-", f"{user_id}.")))
        yield descriptor
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def total(directory: Path, user_id: int) -> int:
    """Return the bytes of a person's holds; those whose process died are taken away."""
    return sum(_bytes(path) for path in directory.glob(f"{user_id}.*"))


def _bytes(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.fstat(descriptor).st_size
    else:
        path.unlink(missing_ok=True)
        return 0
    finally:
        os.close(descriptor)
