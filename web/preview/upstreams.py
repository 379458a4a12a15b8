"""Connections to the apps, kept for the next request.

An app is its owner's program and may send anything at any time. So a connection is kept only after
an answer that ended exactly where it said, and used again only while nothing has come since: what
comes unasked would be read as the answer to somebody else's request.
"""

import math
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from orchestrator.engines import Engine
from orchestrator.errors import (
    DialFailed,
    EngineError,
    RootBloodError,
    TooManyRequests,
    WorkspaceStopped,
)
from orchestrator.logs import log
from web.heads import Malformed, cut

LOG = log(__name__)
DIAL_SECONDS = 1.0
"""For a program that is about to listen; the page that says so tries again by itself."""
REFUSED_SECONDS = 1.0
"""So long after a refusal nobody waits again: a page has many pictures."""
GLANCE_SECONDS = 0.02
DIALS_EACH = 8
"""Under way to one place: each may have to ask the engine. Who comes later waits for these."""
KEPT_SECONDS = 4.0
"""Node.js, of the usual servers, hangs up first: after 5 s."""
KEPT_EACH = 32
CONNECTIONS_EACH = 512
"""Of one workspace, WebSockets and all."""
PIECE_BYTES = 262_144
TURN_SECONDS = 10.0
"""For others who dial the same place, before somebody gives up."""
WATCH_SECONDS = 2.0
"""How often it is looked whether whoever waits for an answer is still there."""
HEAD_SECONDS = 20.0
"""For an answer's head, once it has begun."""

Target = tuple[str, int]
"""A container and a port in it."""


class Gone(OSError):  # the field's word
    """The app hung up, or whoever asked."""


class Upstream:
    """One connection to an app."""

    __slots__ = ("_buffer", "_deadline", "idle_since", "is_waited_for", "sock", "target")

    def __init__(self, sock: socket.socket, target: Target) -> None:
        sock.settimeout(WATCH_SECONDS)
        self.sock = sock
        self.target = target
        self.idle_since = 0.0
        self.is_waited_for: Callable[[], bool] = _always
        """Whether anybody still wants the answer; asked every ``WATCH_SECONDS``."""
        self._buffer = b""
        self._deadline = math.inf
        """Of the head that has begun to come."""

    def head(self) -> bytes:
        """Return the next answer's head with its empty line; b"" where the app hung up before.

        Raises: Malformed; OSError, such as Gone when nobody waits for it any more.
        """
        self._deadline = math.inf
        head, self._buffer = cut(self._buffer, self._receive_head, "answer")
        return head

    def piece(self) -> bytes:
        """Return what is there already, or what comes next; b"" is the end. Raises: OSError."""
        data = self._buffer
        if data:
            self._buffer = b""
            return data
        return self._receive()

    def rest(self) -> bytes:
        """Return what came already, and is not waited for."""
        data, self._buffer = self._buffer, b""
        return data

    @property
    def has_more(self) -> bool:
        """Whether something came that nobody has read."""
        return bool(self._buffer)

    def is_quiet(self) -> bool:
        """Return whether the app neither hung up nor sent anything unasked."""
        sock = self.sock
        sock.settimeout(0)
        try:
            sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            sock.settimeout(WATCH_SECONDS)
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Hang up; closing twice is allowed."""
        self.sock.close()

    def _receive(self, deadline: float = math.inf) -> bytes:
        while True:
            if time.monotonic() > deadline:
                raise Malformed("the answer's head has no end")
            try:
                return self.sock.recv(PIECE_BYTES)
            except TimeoutError:
                if not self.is_waited_for():
                    raise Gone("nobody waits for the answer") from None

    def _receive_head(self) -> bytes:
        data = self._receive(self._deadline)
        if self._deadline == math.inf:
            self._deadline = time.monotonic() + HEAD_SECONDS
        return data


def _always() -> bool:
    return True


def _nothing(target: Target) -> DialFailed:
    return DialFailed(
        f"Nothing listens on port {target[1]} of the workspace",
        hint="Start the program there, and check that it listens on that port.",
    )


class Pool:
    """The connections of this process to all apps. Only the loop's own thread may use it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[Target, deque[Upstream]] = {}
        self._open: Counter[str] = Counter()
        self._refused: dict[Target, float] = {}
        """When a place that was waited for was found empty."""
        self._missed: dict[Target, tuple[float, RootBloodError]] = {}
        """When it last could not be reached, however short the look, and why."""
        self._dialling: Counter[Target] = Counter()
        self._turns: dict[Target, threading.Event] = {}

    def take(self, target: Target) -> Upstream | None:
        """Return a kept connection that still seems good."""
        kept = self._kept.get(target)
        while kept:
            upstream = kept.pop()
            if time.monotonic() - upstream.idle_since < KEPT_SECONDS and upstream.is_quiet():
                return upstream
            self.drop(upstream)
        return None

    def dial(self, target: Target) -> Upstream:
        """Return a fresh connection. Raises: DialFailed, WorkspaceStopped, EngineError."""
        container, port = target
        if self._open[container] >= CONNECTIONS_EACH and not self._drop_one(container):
            raise TooManyRequests(
                "Too many connections into this workspace are open",
                hint="Close pages that you do not need, then try again.",
            )
        came = time.monotonic()
        self._open[container] += 1  # before the wait: others count it
        try:
            self._take_turn(target, came)
            try:
                sock = self._dial(container, port)
            finally:
                self._end_turn(target)
        except BaseException:
            self._closed(container)
            raise
        return Upstream(sock, target)

    def keep(self, upstream: Upstream) -> None:
        """Keep a connection whose answer has ended, for the next request."""
        kept = self._kept.setdefault(upstream.target, deque())
        if len(kept) >= KEPT_EACH:
            self.drop(upstream)
            return
        upstream.is_waited_for = _always
        upstream.idle_since = time.monotonic()
        kept.append(upstream)

    def drop(self, upstream: Upstream) -> None:
        """Hang up."""
        upstream.close()
        self._closed(upstream.target[0])

    def let_go(self, upstream: Upstream) -> Callable[[], None]:
        """Give the socket away; return what is to be called when it is closed."""
        container = upstream.target[0]
        return lambda: self._closed(container)

    def sweep(self, now: float) -> None:
        """Hang up on what nobody has used for long; ``now`` is ``time.monotonic()``'s."""
        for target, kept in list(self._kept.items()):
            while kept and now - kept[0].idle_since >= KEPT_SECONDS:
                self.drop(kept.popleft())
            if not kept:
                del self._kept[target]
        for target, at in list(self._refused.items()):
            if now - at >= REFUSED_SECONDS:
                del self._refused[target]
        for target, (at, _) in list(self._missed.items()):
            if now - at >= REFUSED_SECONDS:
                del self._missed[target]

    def into(self, container: str) -> int:
        """Return how many connections there are into one container."""
        return self._open[container]

    @property
    def open(self) -> int:
        """How many connections there are, kept ones and others."""
        return self._open.total()

    def _take_turn(self, target: Target, came: float) -> None:
        """Wait until the place may be dialled. Raises: what is found meanwhile; TooManyRequests.

        One look is enough for all who come to a place that was empty a moment ago: else each of
        the many requests that anybody can send to a dead port would be one to the engine.
        """
        while True:
            at, error = self._missed.get(target, (0.0, None))
            if error is not None and at >= came:
                raise type(error)(error.message, hint=error.hint)
            if self._dialling[target] < (1 if target in self._refused else DIALS_EACH):
                break
            if time.monotonic() - came > TURN_SECONDS:
                raise TooManyRequests("Too many wait for this app", hint="Try again in a moment.")
            self._turns.setdefault(target, threading.Event()).wait(DIAL_SECONDS)
        self._dialling[target] += 1

    def _end_turn(self, target: Target) -> None:
        self._dialling[target] -= 1
        if not self._dialling[target]:
            del self._dialling[target]
        turn = self._turns.pop(target, None)
        if turn is not None:
            turn.set()

    def _dial(self, container: str, port: int) -> socket.socket:
        target = container, port
        refused = self._refused.get(target)
        waits = refused is None or time.monotonic() - refused >= REFUSED_SECONDS
        try:
            stream = self._engine.dial(
                container, port, timeout=DIAL_SECONDS if waits else GLANCE_SECONDS
            )
        # What the engine says names the container, and may quote its log: not for every viewer.
        except WorkspaceStopped:
            raise self._miss(target, WorkspaceStopped()) from None
        except DialFailed:
            if waits:
                self._refused[target] = time.monotonic()
            raise self._miss(target, _nothing(target)) from None
        except EngineError as error:
            LOG.warning("preview.unreachable", detail=error.message)
            away = DialFailed("The workspace cannot be reached", hint="Try again.")
            raise self._miss(target, away) from None
        self._refused.pop(target, None)
        self._missed.pop(target, None)
        if not isinstance(stream, socket.socket):
            stream.close()
            raise TypeError(f"only sockets can be spliced, not {type(stream).__name__}")
        if stream.family in (socket.AF_INET, socket.AF_INET6):
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream

    def _miss(self, target: Target, error: RootBloodError) -> RootBloodError:
        self._missed[target] = time.monotonic(), error
        return error

    def _drop_one(self, container: str) -> bool:
        """Hang up on a kept connection into the container, to make room."""
        for (name, _), kept in self._kept.items():
            if name == container and kept:
                self.drop(kept.popleft())
                return True
        return False

    def _closed(self, container: str) -> None:
        self._open[container] -= 1
        if self._open[container] <= 0:
            del self._open[container]
