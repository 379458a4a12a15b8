"""Heads of HTTP/1.1 messages, read so that each has one meaning or none (RFC 9112).

Between a client and an app stand a reverse proxy, this server and the app's own parser. What they
could read differently is how requests are smuggled and answers swapped, so whatever is not plain
is refused, from either side: bare CR or LF, folded lines, a space before the colon, control
characters, two lengths. Section numbers are those of RFC 9112.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

HEAD_BYTES = 32768
AUTHORITY_BYTES = 260
"""A host's name (RFC 1035, 2.3.4: 253 as it is written) and a port."""
FIELDS_MAX = 100
REMEMBERED = 256
REMEMBERED_BYTES = 4096

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
# No two parts of these can match the same byte, so they are linear in what anybody sends.
FIELD_LINE = rb"%s+:[\t\x20-\x7e\x80-\xff]*\r\n" % _TOKEN
_REQUEST_LINE = re.compile(rb"(%s+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])" % _TOKEN)
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})( [\t\x20-\x7e\x80-\xff]*)?")
_BLOCK = re.compile(rb"(?:%s)*\r\n" % FIELD_LINE)
_LENGTH = re.compile(rb"[0-9]{1,18}")
# What any parser would take for the end of a head, so that ours ends no later than another's.
_END = re.compile(rb"\n\r?\n")

Line = tuple[bytes, bytes]
"""A field's name in lower case, and its whole line as it came, without the end."""


class Malformed(ValueError):
    """The message could be read in more than one way, or in none."""


class Fields(NamedTuple):
    """What the fields of a head say. Shared by heads that have the same ones: not to be changed."""

    lines: list[Line]
    named: dict[bytes, bytes]
    """By lower-case name; repeated ones joined, cookies by ``; `` and all others by ``, ``."""
    length: int | None
    """Of the body in bytes, None where no field says so (6.3)."""
    chunked: bool
    options: frozenset[bytes]
    """What ``Connection`` names, in lower case."""


@dataclass(slots=True)
class RequestHead:
    """A request, but for its body."""

    method: bytes
    target: bytes
    minor: int
    """0 of HTTP/1.0, or 1."""
    block: bytes
    """The fields as they came, with the empty line."""
    lines: list[Line]
    fields: dict[bytes, bytes]
    length: int | None
    chunked: bool
    options: frozenset[bytes]

    @property
    def keeps_open(self) -> bool:
        """Whether the client may send another request on the connection (9.3).

        Of the old version never: it has to ask for it, and only old clients would.
        """
        return self.minor == 1 and b"close" not in self.options

    @property
    def has_body(self) -> bool:
        """Whether a body follows that is not empty, as far as is known (6.3)."""
        return self.chunked or bool(self.length)

    @property
    def upgrades(self) -> bool:
        """Whether the client asks to go on with a WebSocket (RFC 6455, 4.1)."""
        upgrade = self.fields.get(b"upgrade")
        return (
            upgrade is not None and upgrade.lower() == b"websocket" and b"upgrade" in self.options
        )


@dataclass(slots=True)
class ResponseHead:
    """An answer, but for its body."""

    status: int
    reason: bytes
    """With the space before it."""
    minor: int
    lines: list[Line]
    fields: dict[bytes, bytes]
    length: int | None
    chunked: bool
    options: frozenset[bytes]


def cut(data: bytes, receive: Callable[[], bytes], whose: str) -> tuple[bytes, bytes]:
    """Return a head with its empty line, and what came behind it; b"" where none began.

    ``data`` came already, ``receive`` returns what comes next, b"" at the end. ``whose`` head it is
    says the error. Raises: Malformed when it is cut off or too large; what ``receive`` does.
    """
    seen = 0
    while (end := _END.search(data, seen)) is None:
        if len(data) > HEAD_BYTES:
            raise Malformed(f"the {whose}'s head is too large")
        received = receive()
        if not received:
            if data:
                raise Malformed(f"the {whose}'s head is cut off")
            return b"", b""
        seen = max(0, len(data) - 2)
        data += received
    size = end.end()
    if size > HEAD_BYTES:
        raise Malformed(f"the {whose}'s head is too large")
    return data[:size], data[size:]


def parse_request(head: bytes) -> RequestHead:
    """Return what a client's head says; it ends with the empty line. Raises: Malformed."""
    line, _, block = head.partition(b"\r\n")
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise Malformed("the request's head is malformed")
    fields = remembered(block)
    method, target, minor = found.groups()
    host = fields.named.get(b"host")
    if minor == b"1":
        if host is None:
            raise Malformed("one Host is needed")  # 3.2
    elif fields.chunked:
        raise Malformed("the body's transfer coding is unknown")  # 6.1
    # Nobody in front may see another host than we do. A comma is how two were joined.
    if host is not None and (b"," in host or len(host) > AUTHORITY_BYTES):
        raise Malformed("one Host is needed")
    return RequestHead(method, target, 1 if minor == b"1" else 0, block, *fields)


def parse_response(head: bytes) -> ResponseHead:
    """Return what an app's head says; it ends with the empty line. Raises: Malformed."""
    line, _, block = head.partition(b"\r\n")
    found = _STATUS_LINE.fullmatch(line)
    if found is None:
        raise Malformed("the answer's head is malformed")
    fields = parse_fields(block)
    minor, status, reason = found.groups()
    if fields.chunked and minor == b"0":
        raise Malformed("the body's transfer coding is unknown")
    return ResponseHead(int(status), reason or b" ", int(minor), *fields)


def remembered(block: bytes) -> Fields:
    """Return what :func:`parse_fields` does: a browser sends the same fields again and again."""
    return _remembered(block) if len(block) <= REMEMBERED_BYTES else parse_fields(block)


def parse_fields(block: bytes) -> Fields:
    """Return what a head's fields say, up to the empty line. Raises: Malformed."""
    if not _BLOCK.fullmatch(block):
        raise Malformed("a header field is malformed")
    lines: list[Line] = []
    named: dict[bytes, bytes] = {}
    for line in block.split(b"\r\n")[:-2]:
        name, _, value = line.partition(b":")
        name = name.lower()
        value = value.strip(b" \t")
        lines.append((name, line))
        if name in named:
            joint = b"; " if name == b"cookie" else b", "
            value = joint.join((named[name], value))
        named[name] = value
    if len(lines) > FIELDS_MAX:
        raise Malformed("there are too many fields")
    return Fields(lines, named, *_framing(named), _tokens(named.get(b"connection")))


_remembered = lru_cache(REMEMBERED)(parse_fields)


def _tokens(value: bytes | None) -> frozenset[bytes]:
    if value is None:
        return frozenset()
    return frozenset(token.strip(b" \t") for token in value.lower().split(b","))


def _framing(named: dict[bytes, bytes]) -> tuple[int | None, bool]:
    """Return the body's length and whether it is chunked; repeated fields fail as joined ones."""
    length = named.get(b"content-length")
    coding = named.get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise Malformed("the length of the body is ambiguous")  # 6.3, 3
        if coding.lower() != b"chunked":
            raise Malformed("the body's transfer coding is unknown")
        return None, True
    if length is None:
        return None, False
    if not _LENGTH.fullmatch(length):
        raise Malformed("the length of the body is ambiguous")
    return int(length), False
