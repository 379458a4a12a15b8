"""Restore in the container that sees a home: one file, a folder, or everything into an empty place.

Part of what :func:`orchestrator.storage.restic_bundle.program` hands over.
"""

import ctypes
import datetime
import errno
import itertools
import json
import os
import re
import secrets
import stat
import subprocess
from collections import Counter
from contextlib import suppress

from orchestrator.storage.restic_calls import (
    ABSENT,
    FOLDER,
    OTHER,
    PARTLY,
    SAID_BYTES,
    SPOILT,
    Ended,
    Request,
    begin,
    entry_of,
    parent_of,
    printed,
)
from orchestrator.storage.restic_guard import guarded

HOLD = ".rootblood-restore-"
"""Beginning of the name of the folder in the home from which restored files are put in place."""
_ATTRIBUTE = re.compile(rb"ignoring error for /.*: operation not (permitted|supported)\s*")
"""An attribute or a device that only root may make; what files hold fails otherwise."""
_KINDS = {"file": stat.S_IFREG, "dir": stat.S_IFDIR, "symlink": stat.S_IFLNK, "fifo": stat.S_IFIFO}
_SPECIAL = ((1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000))  # Go's io/fs.FileMode


def place(request: Request) -> None:
    """Put a file or folder of a snapshot where it was.

    Where there is no space for it beside an old file, its bytes take the place of that one's.
    """
    try:
        exchange(request)
    except (Ended, OSError) as error:
        if not is_full(error):
            raise
        sweep_holds()
        overwrite(request)


def is_full(error: Exception) -> bool:
    if isinstance(error, Ended):
        return "no space left" in error.said.lower()
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


def overwrite(request: Request) -> None:
    """Write a file of a snapshot into the one that is there, if the two need not fit at once.

    Other names of the old one, which would change with it, keep it from being touched.
    """
    *_, name = request["path"].split("/")
    parent, new = parent_of(request["path"], make=False), entry_of(request)
    try:
        old = os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        raise Ended(OTHER, os.strerror(errno.ENOSPC)) from None
    room, free = old.st_blocks * 512, os.statvfs(".")
    plain = new["type"] == "file" and stat.S_ISREG(old.st_mode) and old.st_nlink == 1
    if not plain or new.get("size", 0) > room + free.f_bavail * free.f_frsize:
        raise Ended(OTHER, os.strerror(errno.ENOSPC))
    os.fsync(parent)  # what was deleted just before is free as soon as that is on the disk
    os.chmod(name, 0o600, dir_fd=parent)
    descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    with open(descriptor, "wb") as file:
        parts = printed(request, *request["dump"], lines=False)
        first = next(parts, b"")  # one that cannot be read at all leaves the old one as it is
        file.writelines(itertools.chain([first], parts))  # blocks that it has need no space
        file.truncate()
        os.fsync(descriptor)
        mode = new.get("mode", 0o600)
        os.fchmod(descriptor, (mode & 0o777) | sum(bit for flag, bit in _SPECIAL if mode & flag))
    with suppress(ValueError, OverflowError):  # an impossible time, which files may have
        made = datetime.datetime.fromisoformat(new["mtime"]).timestamp()
        os.utime(name, (made, made), dir_fd=parent, follow_symlinks=False)


def exchange(request: Request) -> None:
    """Put what was restored where it was, all at once.

    It is written beside its place first and then renamed, so that nothing is ever half there, no
    link is followed and programs that read the old file go on reading that. What a folder holds
    beyond the snapshot's stays.
    """
    *folders, name = request["path"].split("/")
    parent = parent_of(request["path"], make=True)
    sweep_holds()
    hold = HOLD + secrets.token_hex(6)
    os.mkdir(hold, 0o700)
    try:
        spoilt = restored(request, os.path.abspath(hold))
        settle(hold)
        source = hold
        for folder in folders:  # which came with their modes, and may forbid what follows
            source = os.path.join(source, folder)
            if os.path.isdir(source):
                os.chmod(source, 0o700)
        if not os.path.lexists(os.path.join(source, name)):
            raise Ended(ABSENT)
        mode = stat.S_IMODE(os.fstat(parent).st_mode)
        if mode & 0o300 != 0o300:
            os.fchmod(parent, mode | 0o300)
        try:
            merge(name, os.open(source, FOLDER), parent, os.open(hold, FOLDER))
        finally:
            if mode & 0o300 != 0o300:
                os.fchmod(parent, mode)
    finally:
        sweep_holds()
    if spoilt:
        raise Ended(PARTLY, f"{spoilt} attributes")


def settle(directory: str) -> None:
    """See that what was restored is on the disk before anything old goes for it: syncfs(2)."""
    if ctypes.CDLL(None, use_errno=True).syncfs(os.open(directory, FOLDER)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def rebuild(request: Request) -> None:
    """Restore a whole snapshot into ``directory``, which is empty, and see that all is there."""
    spoilt = restored(request, request["directory"])
    wanted, found = _listed(request), _seen(request["directory"])
    if wanted != found:
        lacking = "; ".join(f"{kind}: {found[kind]} of {wanted[kind]}" for kind in wanted)
        raise Ended(SPOILT, f"it is not what the snapshot lists ({lacking})")
    if spoilt:
        raise Ended(PARTLY, f"{spoilt} attributes")


def _listed(request: Request) -> "Counter[str]":
    """Count what the snapshot lists, by kind, and the bytes of files."""
    found: Counter[str] = Counter()
    for line in printed(request, "ls", "--json", "--no-lock", request["snapshot"]):
        node = json.loads(line)
        if node.get("struct_type") == "node" and node["type"] in _KINDS:
            found[node["type"]] += 1
            found["bytes"] += node.get("size", 0) if node["type"] == "file" else 0
    return found


def _seen(top: str) -> "Counter[str]":
    """Count what is below ``top``, as :func:`_listed` does."""
    found: Counter[str] = Counter()
    kinds = {kind: name for name, kind in _KINDS.items()}
    for folder, folders, names in os.walk(top):
        for name in folders + names:
            status = os.lstat(os.path.join(folder, name))
            if kind := kinds.get(stat.S_IFMT(status.st_mode)):
                found[kind] += 1
                found["bytes"] += status.st_size if kind == "file" else 0
    return found


def restored(request: Request, target: str) -> int:
    """Let restic restore into ``target``; return how many attributes only root could set.

    restic goes on after an error and leaves what it could not read short or out.
    Raises: Ended where anything else is missing.
    """
    restic = begin(request, [*request["argv"], "--target", target], subprocess.DEVNULL)
    spoilt, said, last = 0, b"", b""
    assert restic.stderr is not None
    with guarded(request, restic):
        for line in restic.stderr:
            if _ATTRIBUTE.fullmatch(line):
                spoilt += 1
            elif line.strip():
                said, last = (said + line)[:SAID_BYTES], line
        if (code := restic.wait()) and last.strip() != b"Fatal: There were %d errors" % spoilt:
            partly = last.startswith(b"Fatal: There were ")
            why = said if partly else last
            raise Ended(SPOILT if partly else code, why.decode(errors="replace"))
    return spoilt


def merge(name: str, source: int, target: int, hold: int) -> None:
    """Move ``name`` from the folder ``source`` into ``target``, over what has that name there."""
    mine = os.lstat(name, dir_fd=source)
    try:
        theirs = os.lstat(name, dir_fd=target).st_mode
    except FileNotFoundError:
        theirs = 0
    if not (stat.S_ISDIR(mine.st_mode) and stat.S_ISDIR(theirs)):
        if stat.S_ISDIR(mine.st_mode) or stat.S_ISDIR(theirs):
            if theirs:
                move(name, target, secrets.token_hex(8), hold)
            move(name, source, name, target)
        else:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        return
    for folder in (source, target):  # what is read-only must take and give entries for a moment
        os.chmod(name, 0o700, dir_fd=folder)
    inner, outer = (os.open(name, FOLDER, dir_fd=folder) for folder in (source, target))
    try:
        for entry in os.listdir(inner):
            merge(entry, inner, outer, hold)
        os.fchmod(outer, stat.S_IMODE(mine.st_mode))
        os.utime(outer, ns=(mine.st_atime_ns, mine.st_mtime_ns))
    finally:
        os.close(inner)
        os.close(outer)


def move(name: str, source: int, new: str, target: int) -> None:
    """Rename, also a folder that is read-only, whose own entry ``..`` changes."""
    mode = os.lstat(name, dir_fd=source).st_mode
    if not stat.S_ISDIR(mode):
        os.rename(name, new, src_dir_fd=source, dst_dir_fd=target)
        return
    os.chmod(name, 0o700, dir_fd=source)
    os.rename(name, new, src_dir_fd=source, dst_dir_fd=target)
    os.chmod(new, stat.S_IMODE(mode), dir_fd=target)


def sweep_holds() -> None:
    """Remove what a restore left, also one that was killed."""
    left = [name for name in os.listdir(".") if name.startswith(HOLD)]
    if left:
        subprocess.run(
            ["/bin/chmod", "-R", "u+rwx", "--", *left], check=False, stderr=subprocess.DEVNULL
        )
        subprocess.run(["/bin/rm", "-rf", "--", *left], check=False, stderr=subprocess.DEVNULL)
