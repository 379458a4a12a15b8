"""One request passed to an app, and its answer passed back, piece by piece as they come."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress

from orchestrator.connections import Hangable
from orchestrator.errors import DialFailed
from orchestrator.websocket import accept_key
from web.heads import Malformed, RequestHead, ResponseHead, parse_response
from web.incoming import IDLE_SECONDS, Incoming
from web.preview.bodies import LAST_CHUNK, Body, Chunked, Counted, chunk
from web.preview.requests import for_app
from web.preview.responses import for_browser
from web.preview.sites import Site
from web.preview.uploads import Spawn, Upload, hang_up
from web.preview.upstreams import Gone, Pool, Target, Upstream

WHOLE_BYTES = 65536
"""A request's body up to this size is read before the app is asked; a longer one streams."""
INTERIM_MOST = 16
"""Answers before the answer (RFC 9110, 15.2); a program that floods them means none."""
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
"""RFC 9110, 9.2.2: asking twice is asking once."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = b"Connection: close\r\n"
_UNBUFFERED = b"X-Accel-Buffering: no\r\n"
"""Has nginx pass on what comes piece by piece, also where nobody told it to."""
_UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"

Join = Callable[[Upstream, bytes], object]
"""Takes the client's socket and the app's over, with what the client gets first."""


class Exchange:
    """From the request's head to the answer's last byte.

    ``close`` may be called from elsewhere at any time: then both sides hang up.
    """

    __slots__ = (
        "_address", "_begun", "_framed_by", "_head", "_incoming", "_keeps", "_pool", "_site",
        "_spawn", "_upload", "_upstream", "carrier", "closed",
    )  # fmt: skip

    def __init__(
        self,
        pool: Pool,
        spawn: Spawn,
        incoming: Incoming,
        head: RequestHead,
        site: Site,
        *,
        address: str,
        framed_by: bytes | None,
    ) -> None:
        self._pool = pool
        self._spawn = spawn
        self._incoming = incoming
        self._head = head
        self._site = site
        self._address = address
        self._framed_by = framed_by
        self._upload: Upload | None = None
        self._upstream: Upstream | None = None
        self._begun = False
        self._keeps = head.keeps_open
        self.carrier: Hangable | None = None
        """What joins both sides, once the exchange is a WebSocket."""
        self.closed = False

    @property
    def begun(self) -> bool:
        """Whether the client has some of the answer, so that no other can be given."""
        return self._begun

    def close(self) -> None:
        """Hang up on both sides, from whichever greenlet."""
        self.closed = True
        if self.carrier is not None:
            self.carrier.close()
            return
        hang_up(self._incoming.sock)
        if self._upstream is not None:
            hang_up(self._upstream.sock)

    def run(self, target: Target) -> bool:
        """Pass the request and its answer on; return whether the client may send another one.

        Raises: Malformed when either side breaks the protocol; Gone; OSError; DialFailed and its
        kind.
        """
        head = self._head
        streams = head.chunked or (head.length or 0) > WHOLE_BYTES or b"expect" in head.fields
        body = b"" if streams or not head.length else self._incoming.read(head.length)
        if not streams and len(body) < (head.length or 0):
            raise Gone("the request's body is cut off")
        request = for_app(head, self._site, self._address)
        upstream, raw = self._ask(target, request + body, streams)
        is_clean = False
        try:
            answer = self._final(upstream, raw)
            is_clean = self._pass_answer(upstream, answer)
        finally:
            if self._upload is not None and not self._upload.finish():
                is_clean = self._keeps = False
            # Of a body the app may have read less than it was sent, or than was announced. To it
            # the rest would be the next request's beginning, and that may be somebody else's.
            if is_clean and not head.has_body and not self.closed and not upstream.has_more:
                self._pool.keep(upstream)
            else:
                self._pool.drop(upstream)
        return self._keeps and not self.closed

    def tunnel(self, target: Target, join: Join) -> bool:
        """Pass the request for a WebSocket on, and hand both sides to ``join`` once it is one.

        Return whether the client may send another request. Raises: as :meth:`run` does.
        """
        upstream = self._pool.dial(target)
        try:
            self._send(upstream, for_app(self._head, self._site, self._address, upgrade=True))
            answer = self._final(upstream, self._expect(upstream), changes=True)
            if answer.status != 101:
                self._pass_answer(upstream, answer)
            else:
                self._check_upgrade(answer)
                head = for_browser(answer, self._site, _UPGRADE)
                self._begun = True
                join(upstream, head + upstream.rest())
                return False
        except BaseException:
            self._pool.drop(upstream)
            raise
        self._pool.drop(upstream)
        return self._keeps and not self.closed

    def _check_upgrade(self, answer: ResponseHead) -> None:
        """Make sure that both sides mean a WebSocket (RFC 6455, 4.1): its bytes are not looked at.

        Raises: Malformed.
        """
        fields, key = answer.fields, self._head.fields.get(b"sec-websocket-key", b"")
        if (
            fields.get(b"upgrade", b"").lower() != b"websocket"
            or b"upgrade" not in answer.options
            or fields.get(b"sec-websocket-accept") != accept_key(key.decode("latin-1")).encode()
            or answer.chunked
            or answer.length
        ):
            raise Malformed("its handshake does not match the request")

    def _ask(self, target: Target, request: bytes, streams: bool) -> tuple[Upstream, bytes]:
        """Send the request; return the connection and the first head that came back on it.

        A kept connection may have been closed meanwhile. Only what can be asked twice is sent on
        one, and asked again on another.
        """
        kept = None if streams or self._head.method not in IDEMPOTENT else self._pool.take(target)
        if kept is not None:
            try:
                self._send(kept, request)
                raw = kept.head()
            except OSError:
                raw = b""
            except BaseException:
                self._pool.drop(kept)
                raise
            if raw:
                return kept, raw
            self._pool.drop(kept)
            if self.closed or not self._is_waited_for():
                raise Gone("nobody waits for the answer")
        upstream = self._pool.dial(target)
        try:
            with suppress(OSError):  # it may have answered without reading all
                self._send(upstream, request)
            if streams:
                self._upload = Upload(self._incoming, upstream, self._head)
                self._upload.start(self._spawn)
            return upstream, self._expect(upstream)
        except BaseException:
            if self._upload is not None:
                self._upload.finish()
            self._pool.drop(upstream)
            raise

    def _send(self, upstream: Upstream, request: bytes) -> None:
        self._upstream = upstream
        upstream.is_waited_for = self._is_waited_for
        _send(upstream.sock, request)

    def _expect(self, upstream: Upstream) -> bytes:
        try:
            raw = upstream.head()
        except Gone:
            raise
        except OSError:
            raw = b""
        if not raw:
            if self._upload is not None and self._upload.is_lost:
                raise Gone("the request's body is cut off")
            raise DialFailed(
                "The app closed the connection without an answer",
                hint="Look at what it printed in its terminal, then try again.",
            )
        return raw

    def _final(self, upstream: Upstream, raw: bytes, *, changes: bool = False) -> ResponseHead:
        """Return the answer's own head, past those that come before it.

        ``changes``: it may be the change of protocol that was asked for.
        """
        for _ in range(INTERIM_MOST):
            answer = parse_response(raw)
            if answer.status >= 200 or (answer.status == 101 and changes):
                return answer
            if answer.status == 101:
                raise Malformed("it changed to a protocol that nobody asked for")
            if answer.status == 100 and b"expect" in self._head.fields and self._head.minor:
                self._incoming.sock.sendall(_CONTINUE)
            raw = self._expect(upstream)
        raise Malformed("it begins answers without an end")

    def _pass_answer(self, upstream: Upstream, answer: ResponseHead) -> bool:
        """Pass an answer on; return whether its connection can be used again."""
        body = self._body_of(answer)
        chunks, ends = self._framing(answer, body)
        head = for_browser(answer, self._site, ends, framed_by=self._framed_by)
        # What is there already goes with the head: one packet, one wake-up.
        out = head
        if body is None or not body.done:
            data = upstream.rest()
            if data:
                out += self._part(body, data, chunks)
        client = self._incoming.sock
        self._begun = True
        _send(client, out)
        ended = body is not None and body.done
        while not ended:
            data = upstream.piece()
            if data:
                part = self._part(body, data, chunks)
            elif body is not None:
                raise Gone("the answer is cut off")
            else:
                part = LAST_CHUNK if chunks else b""
            ended = not data or (body is not None and body.done)
            if part:
                _send(client, part)
            time.sleep(0)  # a flood may not keep the loop from everybody else
        if body is None or body.rest:
            return False
        return answer.minor == 1 and b"close" not in answer.options

    def _body_of(self, answer: ResponseHead) -> Body | None:
        """Return what finds the answer's end; None where that is the connection's."""
        if self._head.method == b"HEAD" or answer.status in (204, 304):
            return Counted(0)
        if answer.chunked:
            return Chunked()
        return None if answer.length is None else Counted(answer.length)

    def _framing(self, answer: ResponseHead, body: Body | None) -> tuple[bool, bytes]:
        """Return whether the client gets chunks, and the fields that say how the body ends."""
        sized = b""
        if answer.length is not None and answer.status != 204:
            sized = b"Content-Length: %d\r\n" % answer.length
        endless = body is None or isinstance(body, Chunked)
        chunks = endless and self._head.minor == 1
        if chunks:
            sized = b"Transfer-Encoding: chunked\r\n"
        if endless and b"x-accel-buffering" not in answer.fields:
            sized += _UNBUFFERED
        # What is still being sent when the answer begins may have been given up by then.
        if self._upload is not None and not self._upload.is_done:
            self._keeps = False
        return chunks, sized if self._keeps else sized + _CLOSE

    @staticmethod
    def _part(body: Body | None, data: bytes, chunks: bool) -> bytes:
        if body is not None:
            data = body.feed(data)
        if not chunks:
            return data
        return (chunk(data) if data else b"") + (LAST_CHUNK if body and body.done else b"")

    def _is_waited_for(self) -> bool:
        """Return whether the client is still there; asked now and then while the app is silent."""
        if self.closed:
            return False
        if self._upload is not None and self._upload.is_going_on:
            return True  # who reads from the client learns it
        if self._incoming.buffered:
            return True
        return is_there(self._incoming.sock)


def _send(sock: socket.socket, data: bytes) -> None:
    """Send all of it, mostly at one go: gevent's ``sendall`` first asks for the buffer's size."""
    sent = sock.send(data)
    if sent < len(data):
        sock.sendall(memoryview(data)[sent:])


def is_there(sock: socket.socket) -> bool:
    """Return whether a client has not hung up, without reading what it sends."""
    sock.settimeout(0)
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        sock.settimeout(IDLE_SECONDS)
