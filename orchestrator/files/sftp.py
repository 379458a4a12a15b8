"""One sftp-server in a workspace, spoken to by requests and answers.

SFTP is spoken here by hand: paramiko 5.1 cannot list a folder that has a name which is no UTF-8
(``paramiko.util.u`` decodes strictly), shares a client badly between greenlets, and waits for every
answer before it asks the next. Here a batch of requests is sent at once; the server answers in
their order, so that one round trip does for many.
"""

import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.engines import Process
from orchestrator.errors import EngineError
from orchestrator.files.sftp_wire import (
    DATA_BYTES_MAX,
    PACKET_BYTES_MAX,
    VERSION,
    Attributes,
    Code,
    Kind,
    Lost,
    Open,
    Reader,
    mode,
    string,
)

# With a time zone given, it does not look for one at each entry that it lists (tzset(3)).
# It serves nobody who has no name. A workspace gives its user one at its start (rootblood-init),
# which its user may have spoilt, and a rescue gives none.
_START = r"""
id -un >/dev/null 2>&1 || {
  mkdir -p /run/rootblood/nss
  echo "user:x:$(id -u):$(id -g):::/bin/sh" > /run/rootblood/nss/passwd
}
TZ=UTC0 exec /usr/lib/openssh/sftp-server -e -l QUIET
"""
PROGRAM = ("/bin/sh", "-c", _START)
Spawn = Callable[[Sequence[str]], Process]
"""Starts a program where the files are, as their user."""

ANSWER_SECONDS = 20.0
SYNC_SECONDS = 120.0
"""A disk may have much to write."""
WINDOW_BYTES = 1 << 20
"""Of a file on their way at once, and in memory."""
_BATCH = 256  # requests before their answers are read: both ends must never wait to be read
_AHEAD = 8


class Silent(EngineError):
    """No answer came in time: a path led to what makes its openers wait, such as a FIFO."""

    slug = "engine-error"
    title = "What is there does not answer"
    default_hint = "It may not be an ordinary file. Look at it in the terminal."


class Refused(Exception):
    """A request was answered with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"SFTP status {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """A packet without its number."""

    kind: int
    body: bytes

    def take(self, kind: Kind) -> Reader:
        """Return the fields of an answer of that kind. Raises: Refused, Lost."""
        if self.kind == Kind.STATUS and kind is not Kind.STATUS:
            raise Refused(Reader(self.body).number())
        if self.kind != kind:
            raise Lost(f"The files answered with a packet of kind {self.kind}")
        return Reader(self.body)

    def check(self) -> None:
        """Raise Refused unless the answer says that all went well."""
        if code := self.take(Kind.STATUS).number():
            raise Refused(code)


Request = tuple[Kind, bytes]


class Client:
    """Speaks to one server. Several greenlets may use it: a batch goes out and in as one."""

    def __init__(self, spawn: Spawn) -> None:
        self._process = spawn(PROGRAM)
        self._lock = threading.Lock()
        self._number = 0
        self.waiting = 0
        """Batches that are on their way or wait for their turn."""
        self.handles = 0
        """Files and folders that are open."""
        self.lost = False
        self.patience = ANSWER_SECONDS
        try:
            self._process.settimeout(ANSWER_SECONDS)
            self._process.write(struct.pack(">IBI", 5, Kind.INIT, VERSION))
            kind, _ = self._packet()
            if kind != Kind.VERSION:
                raise Lost("What answers for the files is no sftp-server")
        except OSError as error:
            self.close()
            raise Lost("The files do not answer") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the server; closing twice is allowed."""
        self.lost = True
        self._process.close()

    def ask(self, *requests: Request, seconds: float | None = None) -> list[Answer]:
        """Send requests and return their answers, in order. Raises: Lost, Silent."""
        self.waiting += 1
        try:
            with self._lock:
                if self.lost:
                    raise Lost
                try:
                    self._process.settimeout(self.patience if seconds is None else seconds)
                    return [
                        answer
                        for start in range(0, len(requests), _BATCH)
                        for answer in self._exchange(requests[start : start + _BATCH])
                    ]
                except TimeoutError as error:
                    self.close()
                    raise Silent from error
                except OSError as error:
                    self.close()
                    raise Lost from error
                except BaseException:  # a greenlet that was killed has left answers on their way
                    self.close()
                    raise
        finally:
            self.waiting -= 1

    def _exchange(self, requests: Sequence[Request]) -> Iterator[Answer]:
        first = self._number + 1
        packets = []
        for kind, body in requests:
            self._number = self._number % 0xFFFFFFFF + 1
            packets.append(struct.pack(">IBI", len(body) + 5, kind, self._number) + body)
        self._process.write(b"".join(packets))
        for position in range(len(requests)):
            kind_, rest = self._packet()
            number = Reader(rest).number()
            if number != (first + position - 1) % 0xFFFFFFFF + 1:
                raise Lost("The files answered something else than they were asked")
            yield Answer(kind_, rest[4:])

    def _packet(self) -> tuple[int, bytes]:
        (length,) = struct.unpack(">I", self._exactly(4))
        if not 1 <= length <= PACKET_BYTES_MAX + 1024:
            raise Lost("The files answered with a packet of an impossible length")
        data = self._exactly(length)
        return data[0], data[1:]

    def _exactly(self, length: int) -> bytes:
        chunk = self._process.read(length)
        if len(chunk) == length:
            return chunk
        parts = bytearray(chunk)
        while chunk and len(parts) < length:
            chunk = self._process.read(length - len(parts))
            parts += chunk
        if len(parts) < length:
            raise Lost
        return bytes(parts)

    def stat(self, path: str) -> Attributes:
        """Return what ``path`` leads to."""
        return self.ask((Kind.STAT, string(path)))[0].take(Kind.ATTRS).attributes()

    def lstat(self, path: str) -> Attributes:
        """Return what stands at ``path`` itself."""
        return self.ask((Kind.LSTAT, string(path)))[0].take(Kind.ATTRS).attributes()

    def stats(self, paths: Sequence[str]) -> list[Attributes | None]:
        """Return what each of the paths leads to, None where that is nothing to be seen."""
        found: list[Attributes | None] = []
        for answer in self.ask(*((Kind.STAT, string(path)) for path in paths)):
            try:
                found.append(answer.take(Kind.ATTRS).attributes())
            except Refused:
                found.append(None)
        return found

    def real(self, path: str) -> str:
        """Return ``path`` without links; what it ends in need not exist."""
        fields = self.ask((Kind.REALPATH, string(path)))[0].take(Kind.NAME)
        fields.number()
        return fields.text()

    def listed(self, path: str, most: int) -> tuple[list[tuple[str, Attributes]], bool]:
        """Return up to ``most`` names with what stands there, and whether there are more."""
        handle = self._opened((Kind.OPENDIR, string(path)))
        found: list[tuple[str, Attributes]] = []
        try:
            while len(found) <= most:
                for answer in self.ask(*[(Kind.READDIR, string(handle))] * _AHEAD):
                    try:
                        fields = answer.take(Kind.NAME)
                    except Refused as refused:
                        if refused.code == Code.EOF:
                            return found[:most], len(found) > most
                        raise
                    found += _names(fields)
            return found[:most], True
        finally:
            self.release(handle)

    def open(self, path: str, flags: Open, bits: int | None = None) -> bytes:
        """Return a handle of a file. The server waits with whoever opens a FIFO."""
        body = string(path) + struct.pack(">I", flags) + mode(bits)
        return self._opened((Kind.OPEN, body))

    def _opened(self, request: Request) -> bytes:
        handle = self.ask(request)[0].take(Kind.HANDLE).raw()
        self.handles += 1
        return handle

    def attributes(self, handle: bytes) -> Attributes:
        """Return what an open file is."""
        return self.ask((Kind.FSTAT, string(handle)))[0].take(Kind.ATTRS).attributes()

    def release(self, handle: bytes) -> None:
        """Close a handle; that of a client that is lost is closed already."""
        self.handles -= 1
        if not self.lost:
            self.ask((Kind.CLOSE, string(handle)))

    def read(self, handle: bytes, offset: int, length: int) -> bytes:
        """Return some bytes, up to ``length`` and a window; b"" at the end of the file."""
        length = min(length, WINDOW_BYTES)
        starts = range(0, length, DATA_BYTES_MAX)
        sizes = [min(DATA_BYTES_MAX, length - at) for at in starts]
        head = string(handle)
        requests = [
            (Kind.READ, head + struct.pack(">QI", offset + at, size))
            for at, size in zip(starts, sizes, strict=True)
        ]
        pieces = []
        for size, answer in zip(sizes, self.ask(*requests), strict=True):
            try:
                piece = answer.take(Kind.DATA).raw()
            except Refused as refused:
                if refused.code != Code.EOF:
                    raise
                break
            if len(piece) > size:
                raise Lost
            pieces.append(piece)
            if len(piece) < size:  # what follows belongs further on
                break
        return b"".join(pieces)

    def write(self, handle: bytes, offset: int, data: bytes) -> None:
        """Write bytes, up to a window of them."""
        head = string(handle)
        requests = [
            (
                Kind.WRITE,
                head + struct.pack(">Q", offset + at) + string(data[at : at + DATA_BYTES_MAX]),
            )
            for at in range(0, len(data), DATA_BYTES_MAX)
        ]
        for answer in self.ask(*requests):
            answer.check()

    def finish(self, handle: bytes, bits: int | None) -> Attributes:
        """Give a file its mode, unless that is None, and return what it is."""
        fstat = (Kind.FSTAT, string(handle))
        if bits is None:
            return self.ask(fstat)[0].take(Kind.ATTRS).attributes()
        done, told = self.ask((Kind.FSETSTAT, string(handle) + mode(bits)), fstat)
        done.check()
        return told.take(Kind.ATTRS).attributes()

    def sync(self, handle: bytes) -> None:
        """Have an open file on the disk."""
        request = (Kind.EXTENDED, string("fsync@openssh.com") + string(handle))
        self.ask(request, seconds=SYNC_SECONDS)[0].check()

    def settle(self, folder: str) -> None:
        """Have the names in a folder on the disk."""
        handle = self.open(folder, Open.READ)  # as a file: what opendir opens cannot be synced
        try:
            self.sync(handle)
        finally:
            self.release(handle)

    def do(self, kind: Kind, *fields: bytes) -> None:
        """Ask for something that is only done."""
        self.ask((kind, b"".join(fields)))[0].check()

    def replace(self, source: str, target: str) -> None:
        """Rename, over what is there: rename(2)."""
        self.do(Kind.EXTENDED, string("posix-rename@openssh.com"), string(source), string(target))

    def room(self, path: str) -> tuple[int, int]:
        """Return how many bytes and how many files the disk of ``path`` has left."""
        request = (Kind.EXTENDED, string("statvfs@openssh.com") + string(path))
        fields = self.ask(request)[0].take(Kind.EXTENDED_REPLY)
        # As in statvfs(3): bsize, frsize, blocks, bfree, bavail, files, ffree, favail, ...
        numbers = [fields.long() for _ in range(8)]
        return numbers[1] * numbers[4], numbers[7]


def _names(fields: Reader) -> Iterator[tuple[str, Attributes]]:
    count = fields.number()
    if not count:  # of such answers there would be no end
        raise Lost
    for _ in range(count):
        name = fields.text()
        fields.raw()  # a line as of ls -l
        found = fields.attributes()
        if name not in (".", "..") and "/" not in name:
            yield name, found
