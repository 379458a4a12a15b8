"""A request's body that is still coming, passed on to the app while its answer may begin."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from web.heads import Malformed, RequestHead
from web.incoming import Incoming
from web.preview.bodies import LAST_CHUNK, Body, Chunked, Counted, chunk
from web.preview.upstreams import Upstream

LINGER_BYTES = 1 << 20
LINGER_SECONDS = 2.0
APP_SECONDS = 300.0
"""For an app that takes no more of a body: it may be at work on what it has."""

Spawn = Callable[[Callable[[], object]], object]
"""Runs a function beside the caller: a greenlet's or a thread's start."""


class Upload:
    """The way of one body; :meth:`start` lets it flow, and :meth:`finish` ends it either way."""

    def __init__(self, incoming: Incoming, upstream: Upstream, head: RequestHead) -> None:
        self.is_lost = False
        """Whether the client left, or sent what is no body."""
        self._incoming = incoming
        self._upstream = upstream
        # Of its own: the other's timeout is for who waits for the answer.
        self._sink = upstream.sock.dup()
        self._sink.settimeout(APP_SECONDS)
        self._body: Body = Chunked() if head.chunked else Counted(head.length or 0)
        self._is_chunked = head.chunked
        self._taken = True
        self._discarded = 0
        self._ended = threading.Event()

    def start(self, spawn: Spawn) -> None:
        """Begin to pass it on."""
        spawn(self._run)

    @property
    def is_done(self) -> bool:
        """Whether the client has sent all of it."""
        return self._body.done

    @property
    def is_going_on(self) -> bool:
        """Whether somebody still reads from the client."""
        return not self._ended.is_set()

    def finish(self) -> bool:
        """Return whether the client has sent all, once nobody reads from it any more.

        The answer is over, so an app that did not want the rest does not get it; but to hang up
        with something unread would take the answer back from the client (RFC 9112, 9.6).
        """
        self._taken = False
        if not self._ended.wait(LINGER_SECONDS):
            hang_up(self._incoming.sock, socket.SHUT_RD)
            hang_up(self._sink)
            self._ended.wait()
        return self.is_done and not self.is_lost

    def _run(self) -> None:
        try:
            while not self._body.done and self._discarded <= LINGER_BYTES:
                data = self._incoming.piece()
                if not data:
                    raise ConnectionError("the body is cut off")
                self._pass(self._body.feed(data))
            self._incoming.unread(self._body.rest)
        except (OSError, Malformed):
            self.is_lost = True
            hang_up(self._sink)  # who waits for the answer learns it that way
        finally:
            self._sink.close()
            self._ended.set()

    def _pass(self, data: bytes) -> None:
        if self._is_chunked:
            data = (chunk(data) if data else b"") + (LAST_CHUNK if self._body.done else b"")
        if not self._taken:
            self._discarded += len(data)
            return
        try:
            self._sink.sendall(data)
        except OSError:
            self._taken = False  # it may have answered all the same


def hang_up(sock: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    """End both directions of a connection or one, which wakes up whoever waits for it."""
    with suppress(OSError):
        sock.shutdown(how)
