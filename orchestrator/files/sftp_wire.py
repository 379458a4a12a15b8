"""The packets of SFTP version 3 as OpenSSH speaks it. Pure.

A process of the user may write into the server's output: no packet is trusted.

Sources: draft-ietf-secsh-filexfer-02, and PROTOCOL (section 4) in OpenSSH's sources for extensions.
"""

import stat
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from orchestrator.errors import EngineError
from orchestrator.files import Entry, Type

VERSION = 3
PACKET_BYTES_MAX = 256 << 10
"""SFTP_MAX_MSG_LENGTH of OpenSSH's sftp-common.h."""
DATA_BYTES_MAX = PACKET_BYTES_MAX - 1024
"""Of one read or write, as its limits@openssh.com answers."""


class Lost(EngineError):
    """The server has ended, hangs, or talks nonsense: it can be used no more."""

    slug = "engine-error"
    title = "The connection to the files was lost"
    default_hint = "Try again."


class Kind(IntEnum):
    """What a packet is."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


class Code(IntEnum):
    """How a request went."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5


class Open(IntFlag):
    """What a file is opened for."""

    READ = 0x01
    WRITE = 0x02
    CREATE = 0x08
    EXCLUSIVE = 0x20


_SIZE, _OWNER, _MODE, _TIMES, _EXTENDED = 1, 2, 4, 8, 0x80000000
_USUAL, _ALL = _SIZE | _OWNER | _MODE | _TIMES, struct.Struct(">QIIIII")
_NUMBER, _LONG = struct.Struct(">I"), struct.Struct(">Q")
_TYPES = {stat.S_IFREG: Type.FILE, stat.S_IFDIR: Type.FOLDER, stat.S_IFLNK: Type.LINK}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What SFTP tells of a file; ``mode`` includes its type."""

    size: int = 0
    mode: int = 0
    mtime: int = 0

    @property
    def type(self) -> Type:
        return _TYPES.get(stat.S_IFMT(self.mode), Type.OTHER)

    def entry(self, name: str, target: Type | None = None) -> Entry:
        """Return them as an entry of that name."""
        return Entry(name, self.type, self.size, self.mtime, stat.S_IMODE(self.mode), target)


def string(text: str | bytes) -> bytes:
    """Return a counted string."""
    raw = text.encode(errors="surrogateescape") if isinstance(text, str) else text
    return struct.pack(">I", len(raw)) + raw


def mode(bits: int | None) -> bytes:
    """Return attributes that set permissions alone; None sets nothing."""
    return struct.pack(">I", 0) if bits is None else struct.pack(">II", _MODE, bits)


class Reader:
    """Takes a packet's fields one after another. Raises: Lost beyond its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        """Return a uint32."""
        return int(self._take(_NUMBER)[0])

    def long(self) -> int:
        """Return a uint64."""
        return int(self._take(_LONG)[0])

    def raw(self) -> bytes:
        """Return a counted string."""
        length = self.number()
        if length > len(self._data) - self._at:
            raise Lost
        self._at += length
        return self._data[self._at - length : self._at]

    def text(self) -> str:
        """Return a counted string as a path or name."""
        return self.raw().decode(errors="surrogateescape")

    def attributes(self) -> Attributes:
        """Return the attributes of a file."""
        flags = self.number()
        if flags == _USUAL:  # of every file that OpenSSH lists: in one go, as there may be many
            size, _, _, bits, _, mtime = self._take(_ALL)
            return Attributes(size, bits, mtime)
        size = self.long() if flags & _SIZE else 0
        if flags & _OWNER:
            self.long()
        bits = self.number() if flags & _MODE else 0
        mtime = self.long() & 0xFFFFFFFF if flags & _TIMES else 0  # after the last access
        if flags & _EXTENDED:
            for _ in range(self.number()):
                self.raw()
                self.raw()
        return Attributes(size, bits, mtime)

    @property
    def done(self) -> bool:
        """Whether all of it has been taken."""
        return self._at >= len(self._data)

    def _take(self, form: struct.Struct) -> tuple[int, ...]:
        try:
            values = form.unpack_from(self._data, self._at)
        except struct.error as error:
            raise Lost from error
        self._at += form.size
        return values
