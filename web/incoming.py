"""What one client sends on its connection: heads within bounds, then bodies in pieces.

pywsgi takes an :class:`Incoming` for the file that it reads requests from.
"""

import socket
import time

from web.heads import cut

HEAD_SECONDS = 20.0
"""For a whole request head, so that nobody holds connections by sending it drop by drop."""
IDLE_SECONDS = 75.0
"""Between requests, between pieces of a body, and for a client that does not read."""
PIECE_BYTES = 65536


class Incoming:
    """The reading side of a client's socket. Every wait is bounded by ``IDLE_SECONDS``."""

    __slots__ = ("_buffer", "_deadline", "_fresh", "closed", "sock")

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(IDLE_SECONDS)
        self.sock = sock
        self.closed = False
        self._buffer = b""
        self._fresh = True
        self._deadline = 0.0
        """Of the head that has begun to come; 0 before."""

    def head(self) -> bytes:
        """Return the next request's head with its empty line; b"" when the client said goodbye.

        Raises: Malformed when it is cut off or too large; OSError, TimeoutError among them.
        """
        begins = self._fresh or self._buffer
        self._deadline = time.monotonic() + HEAD_SECONDS if begins else 0.0
        self._fresh = False
        head, self._buffer = cut(self._buffer, self._receive, "request")
        return head

    def piece(self, limit: int = PIECE_BYTES) -> bytes:
        """Return what is there already, or what comes next; b"" is the end. Raises: OSError."""
        data = self._buffer
        if not data:
            return self.sock.recv(limit)
        self._buffer = data[limit:]
        return data[:limit]

    def unread(self, data: bytes) -> None:
        """Put back what was read too much."""
        self._buffer = data + self._buffer

    @property
    def raw(self) -> "Incoming":
        """Be what simple-websocket, under flask-sock, finds the socket in: a socket's file."""
        return self

    @property
    def _sock(self) -> socket.socket:
        return self.sock

    @property
    def buffered(self) -> int:
        """How many bytes can be had without waiting."""
        return len(self._buffer)

    def rest(self) -> bytes:
        """Return all that was read already; whoever takes the socket over gets it."""
        data, self._buffer = self._buffer, b""
        return data

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes, less only at the end, as a file does. Raises: OSError."""
        if len(self._buffer) >= size >= 0:
            return self.piece(size) if size else b""
        parts, count = [], 0
        while size < 0 or count < size:
            part = self.piece(PIECE_BYTES if size < 0 else min(size - count, 1 << 20))
            if not part:
                break
            parts.append(part)
            count += len(part)
        return b"".join(parts)

    def readline(self, size: int = PIECE_BYTES) -> bytes:
        """Return up to ``size`` bytes, up to a line's end, as a file does. Raises: OSError."""
        data = self._buffer
        while (end := data.find(b"\n", 0, size)) < 0 and len(data) < size:
            received = self.sock.recv(PIECE_BYTES)
            if not received:
                break
            data += received
        cut = end + 1 if end >= 0 else min(size, len(data))
        self._buffer = data[cut:]
        return data[:cut]

    def close(self) -> None:
        """Read no more; the socket is its owner's."""
        self.closed = True

    def _receive(self) -> bytes:
        """Return what comes next of a head. Raises: OSError, TimeoutError when it is late."""
        if not self._deadline:
            data = self.sock.recv(PIECE_BYTES)
            self._deadline = time.monotonic() + HEAD_SECONDS
            return data
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request's head took too long")
        self.sock.settimeout(left)
        try:
            return self.sock.recv(PIECE_BYTES)
        finally:
            self.sock.settimeout(IDLE_SECONDS)
