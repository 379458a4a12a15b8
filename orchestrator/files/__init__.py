"""People's files, wherever they are: the contract of every place that has some.

A place acts as its user does: what the user's shell may not read, nothing here can. Paths are
absolute and have been parsed (see paths.py); a byte of one that is no UTF-8 is Python's surrogate
escape.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orchestrator.engines import Process


class Type(StrEnum):
    """What stands at a path. Whatever cannot be read to its end by opening it is ``other``."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


class Format(StrEnum):
    """How files can be taken away together."""

    TAR_GZ = "tar.gz"
    ZIP = "zip"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a folder, not followed where it is a link."""

    name: str
    type: Type
    size: int
    mtime: int
    """In seconds since 1970."""
    mode: int
    """The permissions alone."""
    target: Type | None = None
    """What a link leads to; None where that is nothing, and for all else."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in a folder, in no order. ``truncated``: there is more."""

    entries: list[Entry]
    truncated: bool


class Content(Protocol):
    """An open file. Whoever opened it closes it."""

    entry: Entry
    etag: str
    size: int
    """How much there is to read, which stays so when the file grows."""

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from ``offset`` on; EngineError where the file has shrunk."""

    def close(self) -> None:
        """Release it; closing twice is allowed."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a file is after it was written."""

    entry: Entry
    etag: str
    created: bool


class Files(Protocol):
    """The files of one user in one place.

    Every method may raise: NotFound, Forbidden (what the user may not), EngineError; those that
    change something also AllowanceReached where the disk is full.

    An ETag (RFC 9110, 8.8.3) is a hash of the content of files that are small enough, else it tells
    the time of the last change, in seconds, and the size.
    """

    home: str

    def listed(self, path: str, *, most: int) -> Listing:
        """Return what is in a folder, at most so many entries. Raises: NotAFolder."""

    def look(self, path: str) -> Entry:
        """Return what stands at ``path``; its name is the path's last part."""

    def open(self, path: str) -> Content:
        """Open a file, following links. Raises: NotAFile for all that is none; it never hangs."""

    def write(
        self,
        path: str,
        body: Iterable[bytes],
        *,
        if_match: Collection[str] | None = None,
        only_new: bool = False,
    ) -> Written:
        """Make ``body`` the content of a file, all of it or, when anything fails, nothing.

        The content is on the disk before it takes the old one's place, and that it did a moment
        after the return. A link is written through, and the mode of a file stays. With ``if_match``
        it must exist with one of these ETags, or with any where "*" is among them.

        Raises: Changed where it does not, or where there is one already and ``only_new`` is asked
        for; NotAFile.
        """

    def make_folder(self, path: str, *, parents: bool = False) -> None:
        """Make a folder; one that is there already is success with ``parents`` only.

        Raises: AlreadyExists.
        """

    def move(self, source: str, target: str, *, overwrite: bool = False) -> None:
        """Move or rename; links are not followed. Raises: AlreadyExists."""

    def copy(self, source: str, target: str, *, overwrite: bool = False) -> None:
        """Copy with all that is below, as it is. Raises: AlreadyExists."""

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, a link or a folder; one with something in it only when ``recursive``.

        Raises: Conflict.
        """

    def archive(self, chosen: Collection[str], format: Format) -> Process:
        """Pack files and folders; what cannot be read is named inside. The caller closes it."""
