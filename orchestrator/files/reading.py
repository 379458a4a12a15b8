"""Reading a file over SFTP: what it is, told by an ETag, and what is in it."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from orchestrator.errors import EngineError, NotAFile
from orchestrator.files import Entry, Type, paths
from orchestrator.files.refusals import named
from orchestrator.files.sftp import ANSWER_SECONDS, WINDOW_BYTES, Client, Silent
from orchestrator.files.sftp_wire import DATA_BYTES_MAX, Attributes, Open

HASHED_BYTES_MAX = 8 << 20
"""Up to here a file's ETag is a hash of its content: SFTP tells times in whole seconds only."""


def hashed(content: bytes) -> str:
    """Return the ETag of a small file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def dated(found: Attributes) -> str:
    """Return the ETag of a large file."""
    return f"{found.mtime:x}-{found.size:x}"


@dataclass(slots=True)
class OpenFile:
    """A file as it was when it was opened: a small one wholly in memory."""

    client: Client
    handle: bytes
    entry: Entry
    etag: str
    size: int
    data: bytes | None

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        end = offset + length
        while offset < end:
            if self.data is not None:
                piece = self.data[offset : min(end, offset + WINDOW_BYTES)]
            else:
                piece = self.client.read(self.handle, offset, min(end - offset, WINDOW_BYTES))
            if not piece:
                raise EngineError("The file became shorter while it was read")
            offset += len(piece)
            yield piece

    def close(self) -> None:
        if self.handle:
            handle, self.handle = self.handle, b""
            with suppress(EngineError):
                self.client.release(handle)


def opened(client: Client, path: str) -> OpenFile:
    """Open a file. Raises: Refused, NotAFile, Silent."""
    # First a look: to open a FIFO is to wait for whoever writes to it.
    require_file(client.stat(path), path)
    handle = client.open(path, Open.READ)
    try:
        found = client.attributes(handle)
        require_file(found, path)
        entry = found.entry(paths.name_of(path))
        if found.size > HASHED_BYTES_MAX:
            return OpenFile(client, handle, entry, dated(found), found.size, None)
        data = _whole(client, handle, found.size)
    except BaseException:
        client.release(handle)
        raise
    client.release(handle)
    return OpenFile(client, b"", replace(entry, size=len(data)), hashed(data), len(data), data)


def require_file(found: Attributes, path: str) -> None:
    """Raise NotAFile unless that is what was found at ``path``."""
    if found.type is not Type.FILE:
        raise NotAFile(f"{named(path)} is a {_WORDS[found.type]}")


_WORDS = {Type.FOLDER: "folder", Type.LINK: "link", Type.OTHER: "device, a socket or a pipe"}


def _whole(client: Client, handle: bytes, size: int) -> bytes:
    """Read a small file. Raises: Silent where that takes very long."""
    # What /proc has says that it is empty, and makes itself anew from its beginning for whoever
    # does not go on where the last answer ended: so that is asked for piece by piece.
    most, at_once = (size, WINDOW_BYTES) if size else (HASHED_BYTES_MAX, DATA_BYTES_MAX)
    deadline, content = time.monotonic() + ANSWER_SECONDS, bytearray()
    while len(content) < most:
        piece = client.read(handle, len(content), min(most - len(content), at_once))
        if not piece:
            break
        content += piece
        if time.monotonic() > deadline:
            raise Silent
    return bytes(content)
