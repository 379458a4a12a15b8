"""What listens in a container, read from the kernel's own files: nothing runs in there for it.

All of it is the container's to choose, names and numbers alike, so every part is bounded, and only
what can be printed is passed on. Formats: proc(5), and ``net/ipv4/tcp_ipv4.c`` for ``net/tcp``.
"""

import os
import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from orchestrator.engines import Listener, cgroups
from orchestrator.engines.sock_diag import Heard

LISTENERS_MOST = 200
TABLE_BYTES = 256 << 10
"""Of ``net/tcp``: some 1,700 lines. Those that listen come first."""
PROCESSES_MOST = 512
LINKS_MOST = 5000
COMMAND_MAX = 80
_COMMAND_BYTES = 1024
_LISTENS = b"0A"  # TCP_LISTEN
_ANYWHERE = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1"})

Sockets = dict[int, str]
"""The command that holds each socket, by inode: a number that no other socket has meanwhile."""


def read(
    root: Path,
    pid: int,
    container_id: str,
    address: str,
    known: Sockets,
    heard: list[Heard] | None = None,
) -> list[Listener] | None:
    """Return what listens where :meth:`Engine.dial` reaches, by port, each port once.

    ``pid`` is the container's first process, ``address`` its own on the bridge, ``root`` holds
    ``proc`` and ``sys``. ``known`` is what the last call left there, ``heard`` what the kernel
    said; without it its files are read. None when the container has ended or cannot be seen from
    here.
    """
    try:
        process = os.open(root / f"proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Opened before it is checked: the number may be another process's by then, not the file.
        if container_id.encode() not in _text(process, "cgroup", TABLE_BYTES):
            return None
        if heard is None:
            tables = [_text(process, f"net/{name}", TABLE_BYTES) for name in ("tcp", "tcp6")]
            heard = [one for table in tables for one in _listening(table)]
    except OSError:
        return None
    finally:
        os.close(process)
    found: dict[int, tuple[str, int]] = {}
    for port, host, inode in heard:
        if host in _ANYWHERE or host == address:
            found.setdefault(port, (host, inode))
    ports = sorted(found)[:LISTENERS_MOST]
    _identify(root, pid, container_id, {found[port][1] for port in ports}, known)
    return [Listener(port, found[port][0], known.get(found[port][1], "")) for port in ports]


def _listening(table: bytes) -> list[Heard]:
    """Return port, address and inode of every socket that listens."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != _LISTENS:
            break  # connections follow, or the table was cut here
        address, _, port = fields[1].partition(b":")
        found.append((int(port, 16), _address(address), int(fields[9])))
    return found


def _address(text: bytes) -> str:
    """Return an address that the kernel wrote as words of the machine's byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    if len(packed) == 4:
        return str(IPv4Address(packed))
    address = IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def _identify(root: Path, pid: int, container_id: str, wanted: set[int], known: Sockets) -> None:
    """Find whose the sockets are that are not known yet, and forget those that are gone."""
    for inode in known.keys() - wanted:
        del known[inode]
    missing = wanted - known.keys()
    place = cgroups.locate(root, pid, container_id) if missing else None
    if place is None:
        return
    try:
        table = (place.pids / "cgroup.procs").read_bytes()[:TABLE_BYTES]
    except OSError:
        return
    known |= dict.fromkeys(missing, "")  # looked for once, whether found or not
    left = LINKS_MOST
    for number in table.split()[:PROCESSES_MOST]:
        process = root / "proc" / number.decode()
        links = _links(process, left)
        left -= len(links)
        if held := missing & links:
            missing -= held
            known |= dict.fromkeys(held, _command(process))
        if not missing or left <= 0:
            return


def _links(process: Path, most: int) -> set[int]:
    """Return the inodes of the sockets that a process has open, looking at ``most`` files."""
    found = set()
    with suppress(OSError), os.scandir(process / "fd") as files:
        for _, file in zip(range(most), files, strict=False):
            with suppress(OSError, ValueError):
                kind, _, inode = os.readlink(file.path).partition(":[")
                if kind == "socket":
                    found.add(int(inode.rstrip("]")))
    return found


def _command(process: Path) -> str:
    """Return how the process was started, without the directories of programs."""
    try:
        with open(process / "cmdline", "rb", buffering=0) as file:
            words = file.read(_COMMAND_BYTES).split(b"\0")
        with open(process / "comm", "rb", buffering=0) as file:
            name = file.read(64)
    except OSError:
        return ""
    texts = [word.decode(errors="replace") for word in words if word]
    shown = " ".join(text.rpartition("/")[2] or text for text in texts) or name.decode(
        errors="replace"
    )
    return "".join(c for c in shown if c.isprintable())[:COMMAND_MAX].strip()


def _text(process: int, name: str, most: int) -> bytes:
    """Return the beginning of a file of the process that is open as ``process``."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        parts = []
        while most > 0 and (part := file.read(most)):
            parts.append(part)
            most -= len(part)
    return b"".join(parts)
