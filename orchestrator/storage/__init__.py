"""Where homes live: the contract of every kind of storage.

A home is named ``home_<userhash>``; it is one directory tree, owned by its account's uid.
"""

from typing import Protocol

from orchestrator.spec import Mount


class Storage(Protocol):
    """Keeps homes. Nothing but :meth:`destroy` ever deletes one."""

    def unlock(self, home: str, *, owner: tuple[int, int], target: str) -> Mount:
        """Make the home usable and return how to mount it at ``target``; creates on first use.

        ``owner`` is the uid and gid that the tree's root belongs to. Idempotent.
        """

    def usage(self, home: str) -> int | None:
        """Return the bytes that the home takes on disk, or None when that is not known cheaply."""

    def destroy(self, home: str) -> None:
        """Delete the home for good. Absent is success."""
