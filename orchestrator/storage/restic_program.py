"""What runs in the container that sees a home and its repository: restic, and what it cannot do.

One line of JSON on standard input says what to do; the answer is lines of JSON, the last of which
is ``{"ended": CODE, "said": TEXT}``, except for ``dump``, whose answer is the bytes themselves.
When standard input ends, the server is gone, and everything here ends with it.
"""

import base64
import io
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from orchestrator.storage.restic_calls import (
    ABSENT,
    OTHER,
    PARTLY,
    Ended,
    Request,
    begin,
    entry_of,
    nodes,
    parent_of,
    run,
    tail,
    tell,
    told,
)
from orchestrator.storage.restic_guard import guarded
from orchestrator.storage.restic_placing import place, rebuild


def snapshot(request: Request) -> None:
    """Take a snapshot with restic; tell what it tells, and what it added to ``repository``.

    The latter only where the repository is a directory. Files that are larger than ``largest``,
    and therefore left out, are counted meanwhile. What takes more than the limits is ended.
    """
    kept = f"{request['repository']}/snapshots"
    local = os.path.isdir(kept)
    before = set(os.listdir(kept)) if local else set()
    larger = ["-size", f"+{request['largest']}c", "-printf", "."]
    find = subprocess.Popen(
        ["/usr/bin/find", ".", "-xdev", "-type", "f", *larger],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    partly = None
    try:
        _back_up(request)
    except Ended as ended:
        if ended.code != PARTLY:
            raise
        partly = ended
    du = ["/usr/bin/du", "-sB1", "--", request["repository"]]
    tell(
        ids=sorted(set(os.listdir(kept)) - before) if local else [],
        large=len(find.communicate()[0]),
        nbytes=int(subprocess.check_output(du).split()[0]) if local else 0,
    )
    if partly:
        raise partly


def _back_up(request: Request) -> None:
    restic = begin(request, request["argv"], subprocess.PIPE)
    with guarded(request, restic) as guard:
        for line in told(restic):
            with suppress(ValueError, AttributeError):  # what is no event is passed on all the same
                guard.read_bytes = json.loads(line).get("bytes_done", guard.read_bytes)
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()


def shown(node: Request) -> Request:
    """Return what the server wants to know of an entry."""
    keys = ("name", "type", "size", "mode", "mtime", "subtree")
    return {key: node[key] for key in keys if node.get(key) is not None}


def listing(request: Request) -> None:
    """Tell what is at ``path``, and for a folder its entries, folders first."""
    here = entry_of(request)
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


def read(request: Request) -> None:
    """Tell what a file of the home holds, unless it is larger than ``most`` bytes."""
    folder = parent_of(request["path"], make=False)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe without a writer never opens
    try:
        descriptor = os.open(request["path"].split("/")[-1], flags, dir_fd=folder)
    except FileNotFoundError:
        raise Ended(ABSENT) from None
    except OSError as error:
        raise Ended(OTHER, str(error.strerror)) from None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Ended(OTHER, "It is not a file")
        data = file.read(request["most"] + 1) if found.st_size <= request["most"] else b""
        tell(size=max(found.st_size, len(data)), data=base64.b64encode(data).decode())


WORK: dict[str, Callable[[Request], None]] = {
    "run": run, "snapshot": snapshot, "list": listing, "dump": dump, "read": read,
    "place": place, "rebuild": rebuild,
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
        tell(ended=OTHER, said=str(error.strerror))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
