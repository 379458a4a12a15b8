"""What runs in the container that sees a home and its repository: restic, and what it cannot do.

Its text is handed to ``python3 -I -c`` there, so it knows the standard library alone. One line of
JSON on standard input says what to do; the answer is lines of JSON, the last of which is
``{"ended": CODE, "said": TEXT}``, except for ``dump``, whose answer is the bytes themselves. When
standard input ends, the server is gone, and everything here ends with it.

Paths are those of Python: what is no UTF-8 in them is a surrogate, which JSON carries escaped.
"""

import base64
import errno
import io
import json
import os
import re
import secrets
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

SAID_BYTES = 2000
HOLD = ".rootblood-restore-"
"""Beginning of the name of the folder in the home from which restored files are put in place."""
_QUOTED = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)", re.DOTALL)
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_PARTLY, _ABSENT, _LINKED, _OTHER = 3, 64, 65, 66
"""As restic's own code 3, done in part; nothing at that path; a link on the way; else."""

Request = dict[str, Any]


class Ended(Exception):
    """The work is over, with this code, and ``said`` is why."""

    def __init__(self, code: int, said: str = "") -> None:
        super().__init__(said)
        self.code, self.said = code, said


def tell(**values: object) -> None:
    """Write one line of the answer."""
    sys.stdout.write(json.dumps(values) + "\n")


def begin(request: Request, argv: list[str], stdout: int | None) -> "subprocess.Popen[bytes]":
    """Start restic with its password on standard input, which only it can read."""
    restic = subprocess.Popen(
        [*request["restic"], *argv], stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE
    )
    assert restic.stdin is not None
    with suppress(BrokenPipeError), restic.stdin:
        restic.stdin.write(request["password"].encode() + b"\n")
    return restic


def tail(stream: BinaryIO | None) -> str:
    """Read to the end and return the last of it as text."""
    kept = b""
    assert stream is not None
    while chunk := stream.read1(65536):  # type: ignore[attr-defined]
        kept = (kept + chunk)[-SAID_BYTES:]
    return kept.decode(errors="replace").strip()


def run(request: Request) -> None:
    """Run restic with each of ``argvs``, its output being the answer, until one fails."""
    for argv in request["argvs"]:
        restic = begin(request, argv, None)
        said = tail(restic.stderr)  # type: ignore[arg-type]
        if code := restic.wait():
            raise Ended(code, said)


def output(request: Request, *argv: str) -> bytes:
    """Return what restic writes."""
    restic = begin(request, list(argv), subprocess.PIPE)
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.append(tail(restic.stderr)))  # type: ignore[arg-type]
    reader.start()
    assert restic.stdout is not None
    data = restic.stdout.read()
    reader.join()
    if code := restic.wait():
        raise Ended(code, errors[0])
    return data


def unquoted(name: str) -> str:
    """Return a file's name as restic's trees keep it: as Go's strconv.Quote writes it."""

    def plain(found: "re.Match[str]") -> str:
        text = found[1]
        if len(text) == 1:
            return _CONTROLS.get(text, text)
        code = int(text[1:], 16)
        return chr(0xDC00 + code) if text[0] == "x" and code >= 0x80 else chr(code)

    return _QUOTED.sub(plain, name)


def nodes(request: Request, tree: str) -> list[Request]:
    """Return the entries of one folder of a snapshot."""
    found: list[Request] = (
        json.loads(output(request, "cat", "blob", tree, "--no-lock"))["nodes"] or []
    )
    for node in found:
        node["name"] = unquoted(node["name"])
    return found


def shown(node: Request) -> Request:
    """Return what the server wants to know of an entry."""
    keys = ("name", "type", "size", "mode", "mtime", "subtree")
    return {key: node[key] for key in keys if node.get(key) is not None}


def listing(request: Request) -> None:
    """Tell what is at ``path`` below ``tree``, and for a folder its entries, folders first."""
    tree = (
        request["tree"]
        or json.loads(output(request, "cat", "snapshot", request["snapshot"], "--no-lock"))["tree"]
    )
    here: Request = {"name": "", "type": "dir", "subtree": tree}
    for part in request["path"].split("/") if request["path"] else []:
        if here["type"] != "dir":
            raise Ended(_ABSENT)
        inside = nodes(request, here["subtree"])
        here = next((node for node in inside if node["name"] == part), {})
        if not here:
            raise Ended(_ABSENT)
    tell(here=shown(here))
    if here["type"] == "dir" and request["most"]:
        entries = nodes(request, here["subtree"])
        entries.sort(key=lambda node: (node["type"] != "dir", node["name"]))
        for node in entries[: request["most"]]:
            tell(entry=shown(node))
        tell(truncated=len(entries) > request["most"])


def dump(request: Request) -> None:
    """Write a file of a snapshot, or a folder of it as a compressed tar."""
    restic = begin(request, request["argv"], subprocess.PIPE if request["squeeze"] else None)
    said = threading.Thread(target=lambda: tail(restic.stderr))  # type: ignore[arg-type]
    said.start()
    squeezed = 0
    if request["squeeze"]:
        squeezed = subprocess.run(
            ["/usr/bin/pigz", "-1"], stdin=restic.stdout, check=False
        ).returncode
    code = restic.wait() or squeezed
    said.join()
    os._exit(code)


def parent_of(path: str, *, make: bool) -> int:
    """Open the folder that holds ``path``, following no link; one that is missing is made."""
    *parts, _ = path.split("/")
    descriptor = os.open(".", _FOLDER)
    for part in parts:
        outer = descriptor
        try:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=outer)
            descriptor = os.open(part, _FOLDER, dir_fd=outer)
        except FileNotFoundError:
            raise Ended(_ABSENT) from None
        except OSError as error:
            linked = error.errno in (errno.ELOOP, errno.ENOTDIR)
            raise Ended(_LINKED if linked else _OTHER, f"{part}: {error.strerror}") from None
        finally:
            os.close(outer)
    return descriptor


def place(request: Request) -> None:
    """Put a file or folder of a snapshot where it was.

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
        source = hold
        for folder in folders:  # which came with their modes, and may forbid what follows
            source = os.path.join(source, folder)
            if os.path.isdir(source):
                os.chmod(source, 0o700)
        if not os.path.lexists(os.path.join(source, name)):
            raise Ended(_ABSENT)
        mode = stat.S_IMODE(os.fstat(parent).st_mode)
        if mode & 0o300 != 0o300:
            os.fchmod(parent, mode | 0o300)
        try:
            merge(name, os.open(source, _FOLDER), parent, os.open(hold, _FOLDER))
        finally:
            if mode & 0o300 != 0o300:
                os.fchmod(parent, mode)
    finally:
        sweep_holds()
    if spoilt:
        raise Ended(_PARTLY, spoilt)


def restored(request: Request, target: str) -> str:
    """Let restic restore into ``target``; return what it could not, if that is not all."""
    try:
        run(request | {"argvs": [[*request["argv"], "--target", target]]})
    except Ended as ended:
        # An attribute, say, that only root may set.
        if "There were" not in ended.said or "no space left" in ended.said.lower():
            raise
        return ended.said
    return ""


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
    inner, outer = (os.open(name, _FOLDER, dir_fd=folder) for folder in (source, target))
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


def read(request: Request) -> None:
    """Tell what a file of the home holds, unless it is larger than ``most`` bytes."""
    folder = parent_of(request["path"], make=False)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe without a writer never opens
    try:
        descriptor = os.open(request["path"].split("/")[-1], flags, dir_fd=folder)
    except FileNotFoundError:
        raise Ended(_ABSENT) from None
    except OSError as error:
        raise Ended(_OTHER, str(error.strerror)) from None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Ended(_OTHER, "It is not a file")
        data = file.read(request["most"] + 1) if found.st_size <= request["most"] else b""
        tell(size=max(found.st_size, len(data)), data=base64.b64encode(data).decode())


WORK: dict[str, Callable[[Request], None]] = {
    "run": run, "list": listing, "dump": dump, "place": place, "read": read,
}  # fmt: skip


def leave_with_server() -> None:
    """Kill restic and ourselves once the other end of standard input is gone."""
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    request = json.loads(io.FileIO(0, closefd=False).readline())
    threading.Thread(target=leave_with_server, daemon=True).start()
    sys.setrecursionlimit(20_000)
    os.umask(0o077)
    try:
        os.chdir(request["directory"])
        WORK[request["do"]](request)
        tell(ended=0, said="")
    except Ended as ended:
        tell(ended=ended.code, said=ended.said)
    except OSError as error:
        tell(ended=_OTHER, said=str(error.strerror))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
