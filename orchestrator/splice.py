"""Join two sockets so that bytes flow both ways without a greenlet or a thread per connection.

Terminals are many, idle for hours and then loud for a second, so a joined pair costs two waiting
watchers and no stack. One buffer serves every pair: what was read is sent at once, and only what
the sink would not take is kept, with its reader stopped until it is gone. So a slow reader costs
at most one buffer, and the pressure reaches the program that writes.

Each callback reads a bounded amount, so a flooding pair cannot starve the others. ttyd writes a
flood in pieces of 4 KiB, and to wake up for each costs more than to pass it on; so after a piece
of that size a direction is looked at by the clock, until little comes again.
"""

import _socket
import socket
from collections.abc import Callable

from orchestrator.loop import READ, WRITE, Loop, Ticker, Watcher, release

BUFFER_BYTES = 65536
CLIENT_BYTES = 16384
"""Read from a client at once: its meter walks every frame, and the smallest has six bytes."""

FLOOD_BYTES = 4096
"""A read of at least this much begins or continues a flood; echoes and lines are smaller."""
TICK_SECONDS = 0.00025
"""Between the reads of a fast flood: a unix socket holds some 45 KiB of ttyd's pieces, no more."""
WORTH_BYTES = 16384
"""What a read should give to be worth it; a slower flood is left alone for up to four ticks."""

CLIENT_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    # A laptop that vanished is noticed within 75 to 90 s, idle or not: tcp(7).
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 75_000),
    # Unsent output kept by the kernel; on a slow line Ctrl-C waits until it has passed.
    (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 131_072),
)

Meter = Callable[[memoryview], bool]
"""Sees what the client sent; false closes the pair. The bytes are valid during the call only."""

OnClose = Callable[[str], object]


class Splicer:
    """All joined pairs of one loop. Only the loop's own thread may use it."""

    __slots__ = ("_pairs", "buffer", "grace_seconds", "loop", "ticker")

    def __init__(self, loop: Loop, *, grace_seconds: float = 30.0) -> None:
        self.loop = loop
        self.grace_seconds = grace_seconds
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.ticker = Ticker(loop, TICK_SECONDS)
        self._pairs: set[Splice] = set()

    def __len__(self) -> int:
        return len(self._pairs)

    def join(
        self,
        client: socket.socket,
        upstream: socket.socket,
        *,
        meter: Meter,
        on_close: OnClose,
        from_client: bytes = b"",
        from_upstream: bytes = b"",
    ) -> "Splice":
        """Take both sockets over and pass bytes on until both sides ended or one failed.

        The given objects are detached and unusable afterwards. ``from_client`` and
        ``from_upstream`` were read from that side already and go first. After one side's end the
        other has ``grace_seconds`` to end too. ``on_close`` gets the reason exactly once, never
        before this returns: ``client-ended`` or ``upstream-ended`` (who ended first),
        ``client-lost``, ``upstream-lost``, ``bad-frame`` (the meter refused), or what
        :meth:`Splice.close` was given. The callbacks run in the loop and must not block.
        """
        pair = Splice(self, _taken(client), _taken(upstream), meter, on_close)
        self._pairs.add(pair)
        pair.begin(from_client, from_upstream)
        return pair

    def close(self, reason: str = "closed") -> None:
        """Close every pair at once."""
        for pair in list(self._pairs):
            pair.close(reason)

    def forget(self, pair: "Splice") -> None:
        """Drop a closed pair."""
        self._pairs.discard(pair)


class Splice:
    """One joined pair: a person's side and a workspace's side."""

    __slots__ = ("_down", "_on_close", "_reason", "_splicer", "_timer", "_up", "closed")

    def __init__(
        self,
        splicer: Splicer,
        client: _socket.socket,
        upstream: _socket.socket,
        meter: Meter,
        on_close: OnClose,
    ) -> None:
        if client.family in (socket.AF_INET, socket.AF_INET6):
            for level, option, value in CLIENT_OPTIONS:
                client.setsockopt(level, option, value)
        self._splicer = splicer
        self._on_close = on_close
        self._timer: Watcher | None = None
        self._reason = ""
        self.closed = False
        self._up = _Flow(self, splicer, client, upstream, sides=("client", "upstream"), meter=meter)
        self._down = _Flow(
            self, splicer, upstream, client, sides=("upstream", "client"), meter=None
        )

    def begin(self, from_client: bytes, from_upstream: bytes) -> None:
        """Start both directions; called once, by :meth:`Splicer.join`."""
        if not (self._up.begin(from_client) and self._down.begin(from_upstream)):
            self._close_after(0.0, "bad-frame")

    def close(self, reason: str = "closed") -> None:
        """Close both sides at once, dropping what was not sent; closing twice is allowed."""
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            release(self._timer)
        # No watcher may outlive its descriptor: the number is reused at once.
        self._up.release()
        self._down.release()
        self._up.source.close()
        self._down.source.close()
        self._splicer.forget(self)
        self._on_close(reason)

    def flow_ended(self, side: str) -> None:
        """Note that ``side`` sends no more; close when the other had ended already."""
        if self._reason:
            self.close(self._reason)
        else:
            self._reason = f"{side}-ended"
            self._close_after(self._splicer.grace_seconds, self._reason)

    def _close_after(self, seconds: float, reason: str) -> None:
        if self._timer is None:
            self._timer = self._splicer.loop.timer(seconds)
            self._timer.start(self.close, reason)


class _Flow:
    """One direction of a pair: ``source`` is its own, the sink is the other flow's source."""

    __slots__ = (
        "_limit", "_meter", "_pair", "_reader", "_sink", "_sink_side", "_skips", "_source_side",
        "_splicer", "_tail", "_writer", "source",
    )  # fmt: skip

    def __init__(
        self,
        pair: Splice,
        splicer: Splicer,
        source: _socket.socket,
        sink: _socket.socket,
        *,
        sides: tuple[str, str],
        meter: Meter | None,
    ) -> None:
        self._pair = pair
        self._splicer = splicer
        self.source = source
        self._sink = sink
        self._source_side, self._sink_side = sides
        self._meter = meter
        self._limit = BUFFER_BYTES if meter is None else CLIENT_BYTES
        self._tail = b""
        self._skips = 0
        self._reader = splicer.loop.io(source.fileno(), READ)
        self._writer = splicer.loop.io(sink.fileno(), WRITE)

    def begin(self, initial: bytes) -> bool:
        """Start with bytes that were read before; false when the meter refuses them."""
        if not initial:
            self._reader.start(self._on_readable)
            return True
        self._wait_for_sink(initial)
        return self._meter is None or self._meter(memoryview(initial))

    def release(self) -> None:
        """Let go of the loop."""
        release(self._reader)
        release(self._writer)
        self._splicer.ticker.discard(self._on_tick)
        self._tail = b""

    def _on_readable(self) -> None:
        count = self._pass()
        if count is not None and self._is_flood(count):
            self._reader.stop()
            self._splicer.ticker.add(self._on_tick)

    def _on_tick(self) -> None:
        if self._skips:
            self._skips -= 1
            return
        count = self._pass()
        if count is not None and self._is_flood(count):
            self._skips = min(3, WORTH_BYTES // count)
            return
        self._splicer.ticker.discard(self._on_tick)
        if count is not None:
            self._reader.start(self._on_readable)

    def _is_flood(self, count: int) -> bool:
        # A full buffer says that more is there already: no use in waiting for it.
        return FLOOD_BYTES <= count < self._limit

    def _pass(self) -> int | None:
        """Pass on what one read gives; None when the source must not be read any more by now."""
        buffer = self._splicer.buffer
        try:
            count = self.source.recv_into(buffer, self._limit)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._pair.close(f"{self._source_side}-lost")
            return None
        if not count:
            self._end()
            return None
        data = buffer[:count]
        sent = self._send(data)
        if sent is None:
            return None
        if sent < count:
            self._reader.stop()
            self._wait_for_sink(bytes(data[sent:]))
        # After the send: a keystroke does not wait for the books.
        if self._meter is not None and not self._meter(data):
            self._pair.close("bad-frame")
        return None if self._tail or self._pair.closed else count

    def _wait_for_sink(self, tail: bytes) -> None:
        self._tail = tail
        self._writer.start(self._on_writable)

    def _on_writable(self) -> None:
        sent = self._send(self._tail)
        if sent is None:
            return
        self._tail = self._tail[sent:]
        if not self._tail:
            self._writer.stop()
            self._reader.start(self._on_readable)

    def _send(self, data: memoryview | bytes) -> int | None:
        """Return how much the sink took; None when it is lost and the pair closed."""
        try:
            return self._sink.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._pair.close(f"{self._sink_side}-lost")
            return None

    def _end(self) -> None:
        # The reader runs only without a tail, so all that came is with the sink already.
        self._reader.stop()
        try:
            self._sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._pair.close(f"{self._sink_side}-lost")
            return
        self._pair.flow_ended(self._source_side)


def _taken(sock: socket.socket) -> _socket.socket:
    """Return the bare socket in ``sock``, without the layers of Python and gevent around it."""
    taken = _socket.socket(fileno=sock.detach())
    taken.setblocking(False)
    return taken
