"""A language server that runs in a workspace, for one page."""

import re
from collections.abc import Iterator

from models import Workspace
from orchestrator.engines import Process
from orchestrator.files import programs
from orchestrator.languages import Language
from orchestrator.platform import Platform

MESSAGE_BYTES = 16 << 20
HEAD_BYTES = 4096
READ_BYTES = 65536
MEMORY_MOST_BYTES = 1 << 30
UNUSED_BYTES = 1 << 30
"""node asks for 575 MiB to begin with, and for more with each thread, and uses 40 of them."""

_LENGTH = re.compile(rb"(?:^|\r\n)content-length: *(\d{1,9})(?:\r\n|$)", re.IGNORECASE)

# Where memory runs short it goes first: all else in a workspace has 500 there (docker_spec.py).
# RLIMIT_DATA is what of its own it may write to, getrlimit(2); the address space says nothing of
# what node uses.
_SCRIPT = r"""
cd -- "$1" || exit 1
echo 900 > /proc/self/oom_score_adj
ulimit -d "$2"
shift 2
exec nice -n 5 "$@"
"""


class Server:
    """A running one. Messages are JSON-RPC, without the head that goes before each in there."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def told(self) -> Iterator[str]:
        held = bytearray()
        while True:
            while (end := held.find(b"\r\n\r\n")) < 0:
                if len(held) > HEAD_BYTES or not self._more(held):
                    return
            length = _LENGTH.search(held[:end])
            if length is None or int(length[1]) > MESSAGE_BYTES:
                return
            del held[: end + 4]
            while len(held) < int(length[1]):
                if not self._more(held):
                    return
            message = bytes(held[: int(length[1])])
            del held[: int(length[1])]
            yield message.decode(errors="replace")

    def _more(self, held: bytearray) -> bool:
        data = self._process.read(READ_BYTES)
        held += data
        return bool(data)

    def tell(self, message: str) -> bool:
        body = message.encode(errors="replace")
        self._process.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        return False

    def close(self) -> None:
        self._process.close()


def start(platform: Platform, workspace: Workspace, language: Language, root: str) -> Server:
    """Start a language server for the files below ``root``. The caller closes it.

    Raises: WorkspaceStopped.
    """
    argv = command(language, root, workspace.memory_bytes)
    return Server(platform.engine.spawn(workspace.container, programs.sendable(argv)))


def command(language: Language, root: str, memory_bytes: int) -> tuple[str, ...]:
    """Return the command line that runs a server within limits of its own.

    It has half of the workspace's memory, which node is told, so that it collects its garbage in
    time, and yields the processor to all that people wait for.
    """
    most = min(MEMORY_MOST_BYTES, memory_bytes // 2)
    return (
        "env", f"NODE_OPTIONS=--max-old-space-size={(most >> 20) * 3 // 4}",
        "sh", "-c", _SCRIPT, "language", root, str((most + UNUSED_BYTES) >> 10), *language.command,
    )  # fmt: skip
