"""The one shape of a byte connection into a workspace.

A connected :class:`socket.socket` already is a ``Stream``; other engines wrap what they have.
"""

from typing import Protocol


class Stream(Protocol):
    """A connected, bidirectional byte stream. Whoever obtains one closes it."""

    def recv(self, nbytes: int, /) -> bytes:
        """Return up to ``nbytes`` bytes; ``b""`` is the end of the stream."""

    def sendall(self, data: bytes, /) -> object:
        """Send all of ``data`` or raise ``OSError``."""

    def shutdown(self, how: int, /) -> None:
        """Close one direction (``socket.SHUT_*``); the other keeps flowing."""

    def settimeout(self, seconds: float | None, /) -> None:
        """Bound every following call, in seconds; ``None`` waits for ever."""

    def close(self) -> None:
        """Release the connection; closing twice is allowed."""
