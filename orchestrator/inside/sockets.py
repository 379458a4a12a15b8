"""Whose the ports of a workspace are, by the kernel's own files: proc(5)."""

import os
from collections.abc import Iterator
from contextlib import suppress

PROC = "/proc"
_LISTENS = "0A"  # TCP_LISTEN, <net/tcp_states.h>


def listening(port: int) -> set[int]:
    """Return the inodes of the sockets that listen on ``port``."""
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError), open(f"{PROC}/net/{table}") as file:
            for line in file:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(int(fields[9]))
    return found


def holders(inodes: set[int]) -> set[int]:
    """Return the processes that have one of these sockets; of some nobody can be told."""
    names = {f"socket:[{inode}]" for inode in inodes}
    return {pid for pid in _pids() if not names.isdisjoint(_links(pid))}


def family(leader: int) -> set[int]:
    """Return ``leader``, all that it started, and all of its session, as far as they live."""
    found, sessions = {leader}, {leader}
    parents: dict[int, tuple[int, int]] = {}
    for pid in _pids():
        with suppress(OSError, ValueError, IndexError), open(f"{PROC}/{pid}/stat") as file:
            # The name in it may hold anything, and ends with the last bracket.
            fields = file.read().rpartition(")")[2].split()
            if fields[0] not in ("Z", "X"):
                parents[pid] = int(fields[1]), int(fields[3])
    grown = True
    while grown:
        more = {
            pid
            for pid, (parent, session) in parents.items()
            if pid not in found and (parent in found or session in sessions)
        }
        grown = bool(more)
        found |= more
    return found & parents.keys()


def name(pid: int) -> str:
    """Return what a process is called, "" when it is gone."""
    try:
        with open(f"{PROC}/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def _pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir(PROC) if entry.isdigit())


def _links(pid: int) -> Iterator[str]:
    folder = f"{PROC}/{pid}/fd"
    with suppress(OSError):
        for entry in os.listdir(folder):
            with suppress(OSError):
                yield os.readlink(f"{folder}/{entry}")
