"""Bodies that end by themselves: a count of bytes, or chunks (RFC 9112, 6 and 7.1).

Chunks are taken apart and put together anew, so that whoever reads what we send sees exactly the
pieces that we saw. Extensions and trailers mean nothing to us and are dropped, within bounds.
"""

import re
from typing import Protocol

from web.heads import FIELD_LINE, Malformed

LINE_BYTES = 256
"""The longest line with a chunk's size: an extension that needs more hides something."""
EXTRAS_BYTES = 16384
"""Of extensions and trailers in one whole body."""
LAST_CHUNK = b"0\r\n\r\n"

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})([\t ]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(FIELD_LINE)


def chunk(data: bytes) -> bytes:
    """Return ``data``, which is not empty, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Body(Protocol):
    """Knows where a body ends, of which it is given one piece after another."""

    done: bool
    rest: bytes
    """What came behind the end."""

    def feed(self, data: bytes, /) -> bytes:
        """Return what of ``data`` is the body's content. Raises: Malformed."""


class Counted:
    """A body of so many bytes."""

    __slots__ = ("_left", "done", "rest")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = not length
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """See :class:`Body`."""
        left = self._left
        if len(data) < left:
            self._left = left - len(data)
            return data
        self._left = 0
        self.done = True
        if len(data) > left:
            self.rest = data[left:]
            return data[:left]
        return data


class Chunked:
    """A body in chunks."""

    __slots__ = ("_extras", "_held", "_left", "_read", "done", "rest")

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._extras = 0
        self._read = self._read_size
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """See :class:`Body`."""
        if self._held:
            data = self._held + data
        out: list[bytes] = []
        position = 0
        while position >= 0 and not self.done:
            start = position
            position = self._read(data, start, out)
        if self.done:
            self._held, self.rest = b"", data[position:]
        else:
            self._held = data[start:]
        return out[0] if len(out) == 1 else b"".join(out)

    # Each of these reads one element of the grammar and returns where it ends; -1 asks for more.

    def _read_size(self, data: bytes, start: int, out: list[bytes]) -> int:
        end = data.find(b"\n", start, start + LINE_BYTES)
        if end < 0:
            if len(data) - start >= LINE_BYTES:
                raise Malformed("a chunk's size has no end")
            return -1
        found = _SIZE.fullmatch(data, start, max(start, end - 1))
        if found is None or data[end - 1 : end] != b"\r":
            raise Malformed("a chunk's size is malformed")
        self._count(len(found[2] or b""))
        self._left = int(found[1], 16)
        self._read = self._read_data if self._left else self._read_trailer
        return end + 1

    def _read_data(self, data: bytes, start: int, out: list[bytes]) -> int:
        part = data[start : start + self._left]
        if part:
            out.append(part)
            self._left -= len(part)
        if not self._left:
            self._read = self._read_end
        elif not part:
            return -1
        return start + len(part)

    def _read_end(self, data: bytes, start: int, out: list[bytes]) -> int:
        end = data[start : start + 2]
        if end == b"\r\n":
            self._read = self._read_size
            return start + 2
        if end not in (b"", b"\r"):
            raise Malformed("a chunk is longer than its size")
        return -1

    def _read_trailer(self, data: bytes, start: int, out: list[bytes]) -> int:
        end = data.find(b"\n", start) + 1
        if not end:
            self._check(len(data) - start)
            return -1
        line = data[start:end]
        if line == b"\r\n":
            self.done = True
        elif not _TRAILER.fullmatch(line):
            raise Malformed("a trailer is malformed")
        self._count(len(line))
        return end

    def _count(self, size: int) -> None:
        self._extras += size
        self._check(0)

    def _check(self, more: int) -> None:
        if self._extras + more > EXTRAS_BYTES:
            raise Malformed("there is too much around the chunks")
