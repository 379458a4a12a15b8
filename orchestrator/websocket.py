"""As much of RFC 6455 as a proxy needs that does not parse what it passes on.

A workspace belongs to its user, so what its server answers is hostile input here: of its handshake
only the verdict is used, and the answer for the browser is written anew. Section numbers are those
of RFC 6455.
"""

import base64
import binascii
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.errors import BadInput, DialFailed
from orchestrator.stream import Stream

HEAD_BYTES = 16384
VERSION = "13"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # 1.3

# Opcodes (5.2) and ttyd's command for input.
_CONTINUATION, _CLOSE = 0x0, 0x8
_DATA = frozenset((_CONTINUATION, 0x1, 0x2))
_CONTROL = frozenset((_CLOSE, 0x9, 0xA))
_INPUT = ord("0")


def upgrade_request(path: str, key: str, protocols: Sequence[str], host: str) -> bytes:
    """Return the handshake (4.1) for a server in a workspace.

    It carries the client's own key, so the server's answer proves itself to the client too, and
    nothing else of the client's request: no cookie, no authorization, no origin, and no extension,
    since compression would halve the throughput. Raises: BadInput.
    """
    check_key(key)
    for text in (path, host, *protocols):
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise BadInput(f"{text!r} cannot stand in a handshake", field="path")
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        f"Sec-WebSocket-Version: {VERSION}",
    ]
    if protocols:
        lines.append(f"Sec-WebSocket-Protocol: {', '.join(protocols)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def accept_key(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` that answers ``key`` (4.2.2)."""
    digest = hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What a server answered: its head, verbatim, and bytes that came right after it."""

    status: int
    head: bytes
    rest: bytes


def read_response_head(stream: Stream, timeout: float) -> ResponseHead:
    """Read the head of one response, within ``timeout`` seconds in all and 16 KiB.

    Leaves a timeout set on the stream. Raises: DialFailed.
    """
    deadline = time.monotonic() + timeout
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) >= HEAD_BYTES:
            raise DialFailed("The workspace's answer has no end")
        left = deadline - time.monotonic()
        if left <= 0:
            raise DialFailed("The workspace did not answer in time")
        try:
            stream.settimeout(left)
            received = stream.recv(HEAD_BYTES - len(data))
        except TimeoutError as error:
            raise DialFailed("The workspace did not answer in time") from error
        except OSError as error:
            raise DialFailed(f"The connection into the workspace broke: {error}") from error
        if not received:
            raise DialFailed("The workspace closed the connection without an answer")
        data += received
    head, rest = data[: end + 4], data[end + 4 :]
    return ResponseHead(_status(head), head, rest)


def client_head(response: ResponseHead, key: str, protocols: Sequence[str]) -> bytes:
    """Return the 101 for the client, after checking the server's one (4.1, last list).

    Nothing of the server's head is copied: a workspace can set no cookie and no header of ours.
    ``protocols`` are those that were asked for. Raises: DialFailed.
    """
    if response.status != 101:
        raise DialFailed(f"The workspace answered with status {response.status} instead of 101")
    fields = _fields(response.head)
    if fields.get("upgrade", "").lower() != "websocket":
        raise DialFailed("The workspace did not upgrade to a WebSocket")
    if "upgrade" not in _tokens(fields.get("connection", "").lower()):
        raise DialFailed("The workspace did not upgrade the connection")
    if fields.get("sec-websocket-accept") != accept_key(key):
        raise DialFailed("The workspace's handshake does not match the request")
    if fields.get("sec-websocket-extensions"):
        raise DialFailed("The workspace uses a WebSocket extension that nobody asked for")
    protocol = fields.get("sec-websocket-protocol", "")
    if protocol and protocol not in protocols:
        raise DialFailed("The workspace chose a WebSocket protocol that nobody asked for")
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
    ]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


class FrameMeter:
    """Notices data frames in what a client sends, while they pass; a ``Meter`` for the splicer.

    ``on_frame`` is called as each begins, for pings it is not. Refuses nothing: what it cannot read
    it lets pass, and counts no more. Extensions may be in use. Keeps a few bytes, whatever comes
    and however it is cut.
    """

    __slots__ = ("_ended", "_head", "_left", "_need", "_on_frame")

    _ACCEPTS_BROKEN = True

    def __init__(self, on_frame: Callable[[], object]) -> None:
        self._on_frame = on_frame
        self._head = bytearray()  # of the current frame
        self._need = 2  # how long that head is, as far as is known
        self._left = 0  # payload bytes of the current frame still to come
        self._ended: bool | None = None  # once frames are over: what is said of all that follows

    def __call__(self, data: memoryview | bytes) -> bool:
        """Walk over what the client sent; return whether it may pass."""
        position, size = 0, len(data)
        while position < size:
            if self._ended is not None:
                return self._ended
            if self._left:
                self._look(data[position])
                step = min(self._left, size - position)
                self._left -= step
                position += step
                continue
            part = data[position : position + self._need - len(self._head)]
            self._head += part
            position += len(part)
            if len(self._head) == 2 and self._need == 2:
                self._begin_frame(self._head[0], self._head[1])
            elif len(self._head) == self._need:
                self._end_head()
        return self._ended is not False

    def _begin_frame(self, start: int, size: int) -> None:
        """Judge the first two bytes of a frame (5.2)."""
        opcode, length = start & 0x0F, size & 0x7F
        if opcode == _CLOSE:
            self._ended = True  # 5.5.1: no data follows
        if not size & 0x80 or opcode not in _DATA | _CONTROL:  # 5.1: clients mask every frame
            self._ended = self._ACCEPTS_BROKEN
        elif opcode in _DATA:
            self._on_frame()
        self._need = 6 + (8 if length == 127 else 2 if length == 126 else 0)

    def _end_head(self) -> None:
        head = self._head
        extended = head[2:-4]
        if len(extended) == 8 and extended[0] & 0x80:  # 5.2: the top bit is zero
            self._ended = self._ACCEPTS_BROKEN
        self._left = int.from_bytes(extended) if extended else head[1] & 0x7F
        self._need = 2
        head.clear()

    def _look(self, byte: int) -> None:
        """Take note of a byte of a payload: the first of each frame is among them."""


class InputMeter(FrameMeter):
    """Notices human input in a client's frames to ttyd, and frames that no client may send.

    ttyd's client starts a message of input with the byte ``0`` (ttyd ``src/server.h``: INPUT);
    ``on_input`` is called once for each such message, for pings and resizes it is not.
    """

    __slots__ = ("_first", "_fragmented", "_mask", "_on_input")

    _ACCEPTS_BROKEN = False

    def __init__(self, on_input: Callable[[], object]) -> None:
        super().__init__(_nothing)
        self._on_input = on_input
        self._first = False  # the current message's first byte is still to come
        self._mask = -1  # mask of the next byte, when it is that first one
        self._fragmented = False  # more frames of the current message follow

    def _begin_frame(self, start: int, size: int) -> None:
        opcode, final, length = start & 0x0F, start & 0x80, size & 0x7F
        super()._begin_frame(start, size)
        if opcode in _CONTROL:
            valid = final and length <= 125  # 5.5
        else:
            # 5.4: a continuation continues something, and nothing else comes in between.
            valid = (opcode == _CONTINUATION) == self._fragmented
            self._fragmented = not final
            self._first = self._first if opcode == _CONTINUATION else True
        # No extension was agreed on that could use a reserved bit.
        if not valid or start & 0x70:
            self._ended = False

    def _end_head(self) -> None:
        opcode, mask = self._head[0] & 0x0F, self._head[-4]
        super()._end_head()
        self._mask = mask if self._first and opcode not in _CONTROL else -1

    def _look(self, byte: int) -> None:
        if self._mask < 0:
            return
        self._first = False
        if byte ^ self._mask == _INPUT:
            self._on_input()
        self._mask = -1


def _nothing() -> None:
    """Be called for nothing."""


def check_key(key: str) -> None:
    """Raise BadInput unless ``key`` is what a client sends: 16 bytes in base64 (4.1)."""
    try:
        decoded = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != 16:
        raise BadInput("Sec-WebSocket-Key is not 16 bytes in base64", field="Sec-WebSocket-Key")


def _status(head: bytes) -> int:
    version, _, rest = head.partition(b"\r\n")[0].partition(b" ")
    status = rest[:3]
    if version != b"HTTP/1.1" or not status.isdigit() or len(status) != 3 or rest[3:4].strip():
        raise DialFailed("The workspace's answer is not HTTP/1.1")
    return int(status)


def _fields(head: bytes) -> dict[str, str]:
    """Return the header fields, names in lower case, repeated ones joined (RFC 9110, 5.3)."""
    fields: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:-2]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise DialFailed("The workspace's answer has a broken header")
        name, value = name.lower(), value.strip(" \t")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _tokens(value: str) -> list[str]:
    return [token.strip() for token in value.split(",")]
