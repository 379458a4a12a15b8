"""Ends a restic that takes more than it may: a file can grow for as long as it is read.

Part of what :func:`orchestrator.storage.restic_bundle.program` hands over. Limits come with the
request: ``disk`` is the directory of the repository, or an empty one where that is elsewhere.
"""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchestrator.storage.restic_calls import GROWN, SHORT, Ended, Request

LOOK_SECONDS = 0.5


def packed_bytes(repository: str) -> int:
    """Return what the packs of a repository take, also those that are being written."""
    found = 0
    for folder in entries(f"{repository}/data"):
        for pack in entries(folder.path):
            with suppress(FileNotFoundError):  # renamed meanwhile
                found += pack.stat(follow_symlinks=False).st_blocks * 512
    return found


def entries(folder: str) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


class Guard:
    """The limits of one restic, and what is known of what it takes."""

    def __init__(self, request: Request) -> None:
        self._disk, self._floor = request["disk"], request["floor"]
        self._most_kept = request.get("most_kept")
        self._most_read = request.get("most_read")
        self.read_bytes = 0
        """What restic says that it has read."""

    def excess(self) -> Ended | None:
        """Return why it has to end, if it has."""
        disk = os.statvfs(self._disk)
        if disk.f_bavail * disk.f_frsize < self._floor:
            return Ended(SHORT)
        if self._most_read is not None and self.read_bytes > self._most_read:
            return Ended(GROWN)
        if self._most_kept is not None and packed_bytes(self._disk) > self._most_kept:
            return Ended(GROWN)
        return None


@contextmanager
def guarded(request: Request, restic: "subprocess.Popen[bytes]") -> Iterator[Guard]:
    """Kill restic as soon as it exceeds a limit. The body raises Ended when restic has failed.

    Raises: Ended with the reason, where it was killed.
    """
    guard, over = Guard(request), threading.Event()
    why: list[Ended] = []

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            if excess := guard.excess():
                why.append(excess)
                restic.kill()
                return

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield guard
    except Ended as ended:
        raise (why[0] if why else ended) from None
    finally:
        over.set()
        looking.join()
