"""Where homes live: the contract of every kind of storage.

A home is named ``home_<userhash>``; it is one directory tree, owned by its account's uid. The
conformance suite in ``tests/orchestrator/storage/test_conformance.py`` is the other half of this
text; a storage is done when it passes.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orchestrator.spec import Mount


class Kind(StrEnum):
    """The kinds of storage, as settings, rows and the API name them."""

    VAULT = "vault"
    PLAIN = "plain"
    MEMORY = "memory"


class Feature(StrEnum):
    """What a storage does beyond the contract's minimum."""

    ENCRYPTED = "encrypted"
    """At rest, and while locked, names and contents are ciphertext."""
    CAPPED = "capped"
    """Writes beyond :attr:`Home.capacity_bytes` fail with ENOSPC, for that home alone."""
    FREEZES = "freezes"
    """:meth:`Storage.frozen` holds every write."""


@dataclass(frozen=True, slots=True)
class Home:
    """A home as its storage knows it."""

    name: str
    """``home_<userhash>``: one path component, safe in options and file names."""
    owner: tuple[int, int]
    """uid and gid that the tree's root belongs to."""
    capacity_bytes: int
    """What files and snapshots, and what is published, may take together."""
    reserved_bytes: int = 0
    """Of the capacity, what others than files take."""
    known: bool = False
    """Its files are somewhere: where they are not found here, it is not made anew."""


class Storage(Protocol):
    """Keeps homes. Nothing but :meth:`destroy` and :meth:`adopt` ever deletes files of one.

    Callers see to it that calls that change one home come one at a time (orchestrator.homes); a
    storage sees to it that two processes which do not know of each other damage nothing.
    Errors: NoSpace, StorageError, EngineUnreachable where an engine keeps the homes. What is in use
    raises HomeBusy; Busy would say that a workspace's claim was lost.
    """

    kind: Kind
    features: frozenset[Feature]
    reason: str
    """Why homes are kept this way and not in a better one; empty where there is none better."""

    @property
    def place(self) -> str:
        """Name what holds the homes, wherever it is moved: a home is in exactly one place."""

    def is_place(self, text: str) -> bool:
        """Tell whether ``text`` names this place, also as versions before this one named it."""

    def unlock(self, home: Home, key: bytes) -> None:
        """Make the home usable; creates it on first use and fits it to its capacity.

        Idempotent. ``key`` is the home's 32 bytes; a storage that does not encrypt ignores it. A
        home whose files do not fit a smaller capacity stays as large as it has to.
        Raises: WrongKey; StorageError where a known home is not there.
        """

    def lock(self, name: str) -> None:
        """Make the home unreadable again. Absent or locked is success. Raises: HomeBusy."""

    def unlocked(self) -> frozenset[str]:
        """Return the names of the homes that are usable now, also from before a crash."""

    def is_unlocked(self, name: str) -> bool:
        """Tell whether the one home is usable now, cheaply."""

    def mount(self, name: str, target: str) -> Mount:
        """Return how a container mounts the unlocked home at ``target``.

        Call it for each container: it sees to it that the engine finds the home.
        """

    def repository(self, home: Home, target: str) -> Mount:
        """Return how a container mounts the home's snapshot repository; creates it on first use.

        It belongs to the home's owner, needs no key (what is in it is encrypted by itself) and
        lives outside the home.
        """

    def usage(self, name: str) -> int | None:
        """Return the bytes that files take, None when not known cheaply or the home is locked.

        Where a home holds only so many files, and they are nearer to that than their bytes are to
        the capacity, it is as large a share of what files may take: a home that is full looks full.
        """

    def capacity(self, name: str) -> int | None:
        """Return the bytes that files and snapshots may take now, None when locked or not capped.

        Where a home could not be fitted, this differs from :attr:`Home.capacity_bytes`.
        """

    def reserve(self, name: str, nbytes: int, *, partly: bool = False) -> None:
        """Keep ``nbytes`` of the capacity from files. Ignored where not capped or locked.

        When files leave too little, ``partly`` keeps what can be had; else nothing changes.
        Raises: AllowanceReached, unless ``partly``.
        """

    def brake(self, name: str, on: bool) -> None:
        """While on, let every further write in the home fail with ENOSPC; deleting goes on.

        For a host whose disk is nearly full: a sparse image could otherwise lose what was written.
        """

    def frozen(self, name: str) -> AbstractContextManager[bool]:
        """Hold every write in the unlocked home, or yield False where that is not possible.

        It ends by itself with the process that holds it, and after a minute at most.
        """

    def stage(self, home: Home, key: bytes) -> None:
        """Make an empty place beside the home, to restore into; one left over is emptied.

        It has the home's size and key, and is usable by :meth:`mount` under the name
        ``<home.name>.staged``. It is gone when a server starts after the end of this one; where
        homes are local, another's start does not touch it. Raises: HomeBusy.
        """

    def adopt(self, home: Home, key: bytes) -> None:
        """Put what was staged in the home's place, for which neither may be in use.

        Afterwards the home is unlocked if it was before. After a crash at any point the home is
        wholly the old or, once this was called again or the home unlocked, wholly the new one.
        Once more is success. Raises: HomeBusy; StorageError when nothing is staged.
        """

    def discard(self, name: str) -> None:
        """Throw away what was staged for the home ``name``. Absent is success. Raises: HomeBusy."""

    def destroy(self, name: str) -> None:
        """Delete the home, its repository and what was staged, for good. Absent is success.

        Raises: HomeBusy.
        """

    def reconcile(self) -> None:
        """Mend what a crash left half done: called once when a server starts."""

    def close(self) -> None:
        """Let go of connections and of what is staged; what is used again is opened again."""
