"""Space taken away from files: a file beside the home that holds blocks and nothing else.

The file system itself then enforces what files may take. Reserved blocks of a sparse image take no
space on the host.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import AllowanceReached
from orchestrator.offload import offload

_RESERVED, _BRAKE = "reserved", "brake"
_SLACK_BYTES = 1 << 20
"""Less than this free is as good as nothing: what the brake leaves to its own bookkeeping."""


def held_bytes(point: Path) -> int:
    """Return what both kinds of ballast take on the file system mounted at ``point``."""
    return reserved_bytes(point) + _size(point / _BRAKE)


def reserved_bytes(point: Path) -> int:
    """Return what :func:`reserve` keeps now."""
    return _size(point / _RESERVED)


def free_bytes(point: Path) -> int:
    """Return what files may still take."""
    found = os.statvfs(point)
    return found.f_bavail * found.f_frsize


def reserve(point: Path, nbytes: int, *, partly: bool = False) -> None:
    """Keep exactly ``nbytes`` from files; ``partly`` keeps what can be had.

    Raises: AllowanceReached, leaving things as they were.
    """
    with _opened(point / _RESERVED) as descriptor:
        before = os.fstat(descriptor).st_size
        if nbytes <= before:
            offload(os.ftruncate, descriptor, nbytes)
            return
        brake = _size(point / _BRAKE)
        if brake:  # what the brake holds is the files' as much as free space is
            rest = max(0, brake - (nbytes - before) - _SLACK_BYTES)
            offload(os.truncate, point / _BRAKE, rest)
        if partly:
            most = max(0, free_bytes(point) - _SLACK_BYTES)
            nbytes = min(nbytes, before + most)
        if not _grow(descriptor, before, nbytes) and not partly:
            free = free_bytes(point)
            raise AllowanceReached(
                "Your files leave too little space for snapshots",
                hint=f"They leave {free + before} bytes, and {nbytes} are needed: delete some.",
            )


def brake(point: Path, on: bool) -> None:
    """Take all free blocks, also those that came free since the last call; or give them back."""
    if not on:
        offload((point / _BRAKE).unlink, True)
        return
    with _opened(point / _BRAKE) as descriptor:
        step = free_bytes(point)
        while step >= _SLACK_BYTES // 4:
            size = os.fstat(descriptor).st_size
            if not _grow(descriptor, size, size + step):
                step //= 2


def is_braked(point: Path) -> bool | None:
    """Return whether the brake is on, None when it is but does not hold everything."""
    if not (point / _BRAKE).exists():
        return False
    return True if free_bytes(point) <= _SLACK_BYTES else None


def drop(point: Path) -> None:
    """Give everything back."""
    for name in (_BRAKE, _RESERVED):
        offload((point / name).unlink, True)


def _grow(descriptor: int, before: int, size: int) -> bool:
    """Allocate up to ``size``; False, and as before, when there is not enough."""
    return size <= before or offload(_allocate, descriptor, before, size)


def _allocate(descriptor: int, before: int, size: int) -> bool:
    try:
        os.posix_fallocate(descriptor, before, size - before)
    except OSError as error:
        os.ftruncate(descriptor, before)
        if error.errno != errno.ENOSPC:
            raise
        return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
