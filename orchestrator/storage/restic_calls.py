"""How restic is called in the container that sees a home, and what that needs of paths and trees.

Part of what :func:`orchestrator.storage.restic_bundle.program` hands over: the standard library
alone. Paths are those of Python: what is no UTF-8 in them is a surrogate, which JSON carries
escaped.
"""

import errno
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

SAID_BYTES = 2000
CHUNK_BYTES = 256 << 10
PARTLY, ABSENT, LINKED, OTHER, SPOILT, GROWN, SHORT = 3, 64, 65, 66, 67, 68, 69
"""As restic's own code 3, done in part; nothing at that path; a link on the way; else; not all
that a snapshot has could be read from it or written; ended because it took more than it may; or
because too little of the disk was left."""
_QUOTED = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)", re.DOTALL)
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW

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
    """Start restic with its password on standard input, which only it can read.

    So is the address of its repository, which may hold a password as well, on another pipe. What
    else it needs to get there is in its own environment alone, which nobody may read because
    nobody may read its program (PR_SET_DUMPABLE in prctl(2)).
    """
    address, filled = os.pipe()
    with open(filled, "wb") as file:
        file.write(request["repository"].encode())
    restic = subprocess.Popen(
        [*request["restic"], "--repository-file", f"/dev/fd/{address}", *argv],
        stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE, pass_fds=(address,),
        env=request["environment"],
    )  # fmt: skip
    os.close(address)
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


def printed(request: Request, *argv: str, lines: bool = True) -> Iterator[bytes]:
    """Yield what restic writes, line by line or as it comes."""
    yield from told(begin(request, list(argv), subprocess.PIPE), lines=lines)


def told(restic: "subprocess.Popen[bytes]", *, lines: bool = True) -> Iterator[bytes]:
    """Yield what a restic that was begun writes. Raises: Ended when it has failed."""
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.append(tail(restic.stderr)))  # type: ignore[arg-type]
    reader.start()
    stdout = restic.stdout
    assert stdout is not None
    yield from stdout if lines else iter(lambda: os.read(stdout.fileno(), CHUNK_BYTES), b"")
    reader.join()
    if code := restic.wait():
        raise Ended(code, errors[0])


def output(request: Request, *argv: str) -> bytes:
    """Return what restic writes."""
    return b"".join(printed(request, *argv))


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


def entry_of(request: Request) -> Request:
    """Return what is at ``path`` below ``tree``, or else in ``snapshot``."""
    tree = (
        request.get("tree")
        or json.loads(output(request, "cat", "snapshot", request["snapshot"], "--no-lock"))["tree"]
    )
    here: Request = {"name": "", "type": "dir", "subtree": tree}
    for part in request["path"].split("/") if request["path"] else []:
        if here["type"] != "dir":
            raise Ended(ABSENT)
        inside = nodes(request, here["subtree"])
        here = next((node for node in inside if node["name"] == part), {})
        if not here:
            raise Ended(ABSENT)
    return here


def parent_of(path: str, *, make: bool) -> int:
    """Open the folder that holds ``path``, following no link; one that is missing is made."""
    *parts, _ = path.split("/")
    descriptor = os.open(".", FOLDER)
    for part in parts:
        outer = descriptor
        try:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=outer)
            descriptor = os.open(part, FOLDER, dir_fd=outer)
        except FileNotFoundError:
            raise Ended(ABSENT) from None
        except OSError as error:
            linked = error.errno in (errno.ELOOP, errno.ENOTDIR)
            raise Ended(LINKED if linked else OTHER, f"{part}: {error.strerror}") from None
        finally:
            os.close(outer)
    return descriptor
