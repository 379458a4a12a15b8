"""Look at the files that people share, wherever their directories may point by now.

Nothing but plain files and directories is shown, and no symbolic link followed: git, which may
write there, works on what strangers send.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from orchestrator.commons.git import CHUNK_BYTES
from orchestrator.commons.share import is_part
from orchestrator.commons.store import SHARE
from orchestrator.errors import NotFound
from orchestrator.offload import offload
from orchestrator.platform import Platform

ENTRIES_MAX = 1000
"""Of one directory: more are not listed."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # a FIFO has nobody who writes


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or directory; ``path`` is relative to the share."""

    name: str
    path: str
    directory: bool
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A shared file as it is now, whatever takes its place; iterate it once, or close it."""

    file: IO[bytes]
    size_bytes: int

    def __iter__(self) -> Iterator[bytes]:
        with closing(self.file):
            while piece := offload(self.file.read, CHUNK_BYTES):
                yield piece


def listing(platform: Platform, owner: str, path: Path) -> list[Entry]:
    """Return what is in a directory of an owner's share, directories first.

    Raises: NotFound, but for the share itself, which may be empty.
    """
    try:
        with _reached(platform, owner, path) as directory:
            return offload(_entries, directory, path)
    except OSError:
        if path == Path():
            return []
        raise NotFound("There is no such shared folder") from None


def opened(platform: Platform, owner: str, path: Path) -> Opened:
    """Open a file of an owner's share. Raises: NotFound."""
    try:
        with _reached(platform, owner, path.parent) as directory:
            file = open(os.open(path.name, _FILE, dir_fd=directory), "rb")  # noqa: SIM115
    except OSError:
        raise NotFound("There is no such shared file") from None
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        file.close()
        raise NotFound("There is no such shared file")
    return Opened(file, found.st_size)


@contextmanager
def _reached(platform: Platform, owner: str, path: Path) -> Iterator[int]:
    """Yield the descriptor of a directory of a share. Raises: OSError."""
    here = os.open(platform.store.public, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in (owner, SHARE, *path.parts):
            there = os.open(part, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = there
        yield here
    finally:
        os.close(here)


def _entries(directory: int, path: Path) -> list[Entry]:
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            try:
                about = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            folder = stat.S_ISDIR(about.st_mode)
            if is_part(entry.name) and (folder or stat.S_ISREG(about.st_mode)):
                changed = datetime.fromtimestamp(about.st_mtime, UTC)
                size = 0 if folder else about.st_size
                found.append(Entry(entry.name, str(path / entry.name), folder, size, changed))
    found.sort(key=lambda one: (not one.directory, one.name))
    return found[:ENTRIES_MAX]
