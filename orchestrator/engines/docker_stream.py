"""Commands inside a container, over the engine's own exec stream.

The exec API is spoken here by hand: docker-py reads the upgrade's answer through a buffer, and
output that arrives together with it stays in there for ever.
"""

import json
import re
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from orchestrator.engines import Result
from orchestrator.engines.docker_errors import refusal
from orchestrator.errors import EngineError, EngineUnreachable

_STDOUT, _STDERR = 1, 2
_HEAD_LIMIT = 64 * 1024
_STDERR_KEPT = 4096
# What the command wrote may overtake its process id, and so may another process of its user that
# writes where the command is to write.
_EARLY_LIMIT = 2**20
_PID_DIGITS = 10  # kernel.pid_max is at most 2^22
# The shell names its process (the leader of a group of its own: runc calls setsid for every exec)
# before it becomes the command, so that the whole group can be ended later.
_ANNOUNCE = 'echo $$ >&2; exec "$@"'


def wrapped(argv: Sequence[str]) -> list[str]:
    """Return ``argv`` behind a shell that first writes its process id on standard error."""
    return ["/bin/sh", "-c", _ANNOUNCE, "sh", *argv]


def dial_engine(url: str, *, timeout: float) -> socket.socket:
    """Connect to the engine at ``unix:///path`` or ``tcp://host:port``.

    Raises: EngineUnreachable.
    """
    parts = urlsplit(url)
    try:
        if parts.scheme == "unix":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(timeout)
                connection.connect(parts.path)
            except BaseException:
                connection.close()
                raise
            return connection
        return socket.create_connection((parts.hostname, parts.port), timeout)
    except OSError as error:
        raise EngineUnreachable(f"The container engine does not answer: {error}") from error


def start_exec(connection: socket.socket, api: str, exec_id: str) -> bytes:
    """Start a created exec on ``connection`` and return what already arrived of its output.

    Afterwards the connection is the command's: both ways raw, the engine's way in frames.

    Raises: EngineError with the engine's reason; EngineUnreachable.
    """
    body = json.dumps({"Detach": False, "Tty": False}).encode()
    request = (
        f"POST /v{api}/exec/{exec_id}/start HTTP/1.1\r\nHost: docker\r\n"
        "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    held = b""
    try:
        connection.sendall(request + body)
        while b"\r\n\r\n" not in held:
            chunk = connection.recv(4096)
            if not chunk or len(held) > _HEAD_LIMIT:
                raise EngineUnreachable("The container engine cut the connection off")
            held += chunk
        head, _, rest = held.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status in (101, 200):
            return rest
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while length and len(rest) < min(int(length[1]), _HEAD_LIMIT):
            chunk = connection.recv(4096)
            if not chunk:
                break
            rest += chunk
    except OSError as error:
        raise EngineUnreachable(f"The container engine does not answer: {error}") from error
    raise refusal(_message(rest))


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip() or "no reason given"


class Frames:
    """Takes the engine's frames apart, holding no more than what the caller asks for.

    A frame is one byte of kind (1 stdout, 2 stderr), three of padding, four of length in network
    order, and the payload: Docker Engine API, "Attach to a container", stream format.
    """

    def __init__(self, connection: socket.socket, held: bytes = b"") -> None:
        self._connection = connection
        self._held = held
        self._kind = 0
        self._left = 0

    def next(self, limit: int) -> tuple[int, bytes]:
        """Return the kind and up to ``limit`` bytes of a payload; ``(0, b"")`` at the end."""
        while not self._left:
            header = self._header()
            if len(header) < 8:
                return 0, b""
            self._kind, self._left = header[0], int.from_bytes(header[4:])
        chunk = self._take(min(limit, self._left))
        self._left -= len(chunk)
        return (self._kind, chunk) if chunk else (0, b"")

    def _header(self) -> bytes:
        header = b""
        while len(header) < 8:
            chunk = self._take(8 - len(header))
            if not chunk:
                break
            header += chunk
        return header

    def _take(self, limit: int) -> bytes:
        if self._held:
            chunk, self._held = self._held[:limit], self._held[limit:]
            return chunk
        return self._connection.recv(limit)


class ExecProcess:
    """One attached command. ``kill`` is given the leader's process id in the container."""

    def __init__(
        self,
        connection: socket.socket,
        held: bytes,
        *,
        exit_code: Callable[[], int],
        kill: Callable[[int], None],
    ) -> None:
        self._connection = connection
        self._frames = Frames(connection, held)
        self._exit_code = exit_code
        self._kill = kill
        self._early = bytearray()
        self._leader = 0
        self._ended = False
        self._closed = False
        self.stderr = bytearray()
        """The last 4 KiB of standard error."""

    def await_leader(self, remaining: Callable[[], float | None] = lambda: None) -> None:
        """Read until the wrapping shell has named its process id.

        ``remaining`` is asked before each read how many seconds are left; None is no limit.

        Raises: TimeoutError; EngineError.
        """
        line = bytearray()
        while b"\n" not in line:
            self._connection.settimeout(remaining())
            kind, chunk = self._frames.next(4096)
            if kind == _STDERR:
                line += chunk
            elif kind == _STDOUT:
                # The engine copies the two streams apart from each other: output may overtake.
                self._early += chunk
            else:
                self._ended = True
                said = bytes(line or self._early).decode(errors="replace").strip()
                raise EngineError(f"The command could not be started: {said or 'no reason given'}")
            if len(line) + len(self._early) > _EARLY_LIMIT:
                raise EngineError("The command wrote too much before it was started")
        first, _, rest = bytes(line).partition(b"\n")
        if not first.isdigit() or len(first) > _PID_DIGITS:
            said = first[:_STDERR_KEPT].decode(errors="replace")
            raise EngineError(f"The command could not be started: {said}")
        self._leader = int(first)
        self._keep(rest)

    def settimeout(self, seconds: float | None, /) -> None:
        """Bound every following read and write; they raise ``TimeoutError``."""
        self._connection.settimeout(seconds)

    def read(self, nbytes: int, /) -> bytes:
        """Return up to ``nbytes`` of standard output; ``b""`` when the command closed it."""
        if self._early:
            chunk = bytes(self._early[:nbytes])
            del self._early[:nbytes]
            return chunk
        while not self._ended:
            kind, chunk = self._frames.next(nbytes)
            if kind == _STDOUT:
                return chunk
            if kind == _STDERR:
                self._keep(chunk)
            else:
                self._ended = True
        return b""

    def write(self, data: bytes, /) -> None:
        """Send ``data`` to standard input."""
        self._connection.sendall(data)

    def end_input(self) -> None:
        """Close standard input; the output keeps flowing."""
        self._connection.shutdown(socket.SHUT_WR)

    def wait(self) -> int:
        """Return the exit code once standard output has ended; unread output is dropped."""
        while self.read(65536):
            pass
        return self._exit_code()

    def collect(self, limit: int, remaining: Callable[[], float]) -> Result:
        """Return everything the command writes, if that is no more than ``limit`` bytes.

        ``remaining`` is asked before each read how many seconds are left.

        Raises: TimeoutError; EngineError beyond ``limit``.
        """
        out, errors = bytearray(self._early), bytearray(self.stderr)
        while True:
            self._connection.settimeout(max(0.001, remaining()))
            kind, chunk = self._frames.next(65536)
            if not kind:
                break
            (out if kind == _STDOUT else errors).extend(chunk)
            if len(out) + len(errors) > limit:
                raise EngineError(f"The command wrote more than {limit} bytes")
        self._ended = True
        return Result(self._exit_code(), bytes(out), bytes(errors))

    def close(self) -> None:
        """End the command, with its children, if it still runs; closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._ended and self._leader:
                self._kill(self._leader)
        finally:
            with suppress(OSError):
                # Wakes whoever still reads or writes in another thread; close alone does not.
                self._connection.shutdown(socket.SHUT_RDWR)
            self._connection.close()

    def _keep(self, chunk: bytes) -> None:
        self.stderr += chunk
        del self.stderr[:-_STDERR_KEPT]
