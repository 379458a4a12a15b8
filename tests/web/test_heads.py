"""One meaning or none: heads of requests and answers, as clients and apps may send them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web.heads import (
    FIELDS_MAX,
    Malformed,
    RequestHead,
    ResponseHead,
    parse_fields,
    parse_request,
    parse_response,
)


def request(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> RequestHead:
    return parse_request(b"\r\n".join([first, *lines, b"", b""]))


def answer(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> ResponseHead:
    return parse_response(b"\r\n".join([first, *lines, b"", b""]))


def test_a_request_is_taken_apart() -> None:
    head = request(b"Host: a:1", b"X-One:  two \t", b"COOKIE: a=b", b"cookie: c", b"X-one: 3")
    assert (head.method, head.target, head.minor) == (b"GET", b"/", 1)
    assert head.fields[b"x-one"] == b"two, 3"
    assert head.fields[b"cookie"] == b"a=b; c"
    assert head.lines[1] == (b"x-one", b"X-One:  two \t")
    assert (head.length, head.chunked, head.keeps_open) == (None, False, True)


def test_an_answer_is_taken_apart() -> None:
    head = answer(b"Content-Length: 5", first=b"HTTP/1.0 404 Nicht da")
    assert (head.status, head.reason, head.minor, head.length) == (404, b" Nicht da", 0, 5)
    assert answer(first=b"HTTP/1.1 204").reason == b" "
    assert answer(b"Transfer-Encoding: Chunked").chunked


def test_heads_with_the_same_fields_share_what_was_read() -> None:
    host = b"Host: shared.example"
    assert request(host).fields is request(host, first=b"GET /b HTTP/1.1").fields
    assert request(b"Host: a", b"A: " + b"x" * 5000).fields[b"host"] == b"a"


AMBIGUOUS = [
    [b"Content-Length: 5", b"Content-Length: 6"],
    [b"Content-Length: 5", b"Content-Length: 5"],
    [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    [b"Transfer-Encoding: chunked", b"content-length: 0"],
    [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
    [b"Transfer-Encoding: gzip, chunked"],
    [b"Transfer-Encoding: chunked, identity"],
    [b"Transfer-Encoding: identity"],
    [b"Transfer-Encoding: xchunked"],
    [b"Transfer-Encoding:"],
    [b"Transfer-Encoding: \x0bchunked"],
    [b"Content-Length: +5"],
    [b"Content-Length: -5"],
    [b"Content-Length: 5, 5"],
    [b"Content-Length: 0x5"],
    [b"Content-Length: 5 5"],
    [b"Content-Length: \xb2"],
    [b"Content-Length: 1" + b"0" * 18],
    [b"Content-Length:"],
    [b"Content-Length : 5"],
    [b" Content-Length: 5"],
    [b"X: a", b" folded"],
    [b"X: a", b"\tfolded"],
    [b"X: a\rContent-Length: 5"],
    [b"X: a\nContent-Length: 5"],
    [b"X: a\0b"],
    [b"X: a\x7fb"],
    [b"no field at all"],
    [b": nameless"],
    [b"X\x80: a"],
    [b"X(: a"],
    [b"", b"X: behind the end"],
    [b"X-%d: a" % i for i in range(FIELDS_MAX + 1)],
]


@pytest.mark.parametrize("lines", AMBIGUOUS)
def test_fields_of_two_meanings_are_refused_from_both_sides(lines: list[bytes]) -> None:
    with pytest.raises(Malformed):
        request(b"Host: a", *lines)
    with pytest.raises(Malformed):
        answer(*lines)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        b"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
        b"GET / http/1.1\r\nHost: a\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GE:T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody",
        b"",
        b"\r\n\r\n",
    ],
)
def test_what_is_no_plain_request_is_refused(head: bytes) -> None:
    with pytest.raises(Malformed):
        parse_request(head)


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 20", b"HTTP/1.1 2000 x", b"HTTP/1.1 099 x", b"HTTP/1.1  200 x", b"HTTP/2 200 x",
     b"HTTP/1.2 200 x", b"ICY 200 OK", b"HTTP/1.1 200 a\x00", b"HTTP/1.1 200 a\rb", b"HTTP/1.1",
     b" HTTP/1.1 200 OK", b"HTTP/1.1 2x0 OK", b"HTTP/1.1\t200 OK", b""],
)  # fmt: skip
def test_what_is_no_plain_answer_is_refused(first: bytes) -> None:
    with pytest.raises(Malformed):
        answer(first=first)


def test_an_old_answer_has_no_chunks() -> None:
    with pytest.raises(Malformed):
        answer(b"Transfer-Encoding: chunked", first=b"HTTP/1.0 200 OK")


@pytest.mark.parametrize(
    ("lines", "first", "keeps"),
    [
        ([], b"GET / HTTP/1.1", True),
        ([b"Connection: keep-alive"], b"GET / HTTP/1.1", True),
        ([b"Connection: Close"], b"GET / HTTP/1.1", False),
        ([b"Connection: x", b"Connection: upgrade ,close"], b"GET / HTTP/1.1", False),
        ([b"Connection: keep-alive"], b"GET / HTTP/1.0", False),
    ],
)
def test_a_connection_goes_on_where_both_want_it(
    lines: list[bytes], first: bytes, keeps: bool
) -> None:
    assert request(b"Host: a", *lines, first=first).keeps_open is keeps


def test_a_websocket_is_asked_for_in_two_fields() -> None:
    upgrade, connection = b"Upgrade: WebSocket", b"Connection: keep-alive, Upgrade"
    assert request(b"Host: a", upgrade, connection).upgrades
    assert not request(b"Host: a", upgrade).upgrades
    assert not request(b"Host: a", connection).upgrades
    assert not request(b"Host: a", connection, b"Upgrade: h2c").upgrades


BYTES = st.binary(max_size=60)
PARTS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"Host: a", b"Content-Length: 1", b"chunked",
     b"Transfer-Encoding: ", b"GET / HTTP/1.1", b"HTTP/1.1 200 OK", b"\0", b"X: y", b",", b"a"]
)  # fmt: skip


@settings(deadline=None)  # the machine may be busy
@given(st.lists(PARTS | BYTES, max_size=14).map(b"".join))
def test_what_is_accepted_ends_where_everybody_sees_it(head: bytes) -> None:
    """No bare CR or LF, no NUL, one empty line, at the end; and the lengths are plain."""
    for parse in (parse_request, parse_response):
        try:
            found = parse(head)
        except Malformed:
            continue
        assert re.search(rb"\n\r?\n", head).end() == len(head)  # type: ignore[union-attr]
        assert head.count(b"\r") == head.count(b"\n") == head.count(b"\r\n")
        assert b"\0" not in head
        assert not (found.chunked and found.length is not None)
        lower = head.lower()
        assert lower.count(b"\r\ncontent-length:") == (found.length is not None)
        assert lower.count(b"\r\ntransfer-encoding:") == found.chunked


NAMES = st.text("abcXYZ-", min_size=1, max_size=10).map(str.encode)
VALUES = st.text("abc \t;=\xe4", max_size=12).map(lambda text: text.encode("latin-1"))


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_fields_come_back_as_they_were_sent(pairs: list[tuple[bytes, bytes]]) -> None:
    block = b"".join(b"%b:%b\r\n" % pair for pair in pairs) + b"\r\n"
    found = parse_fields(block)
    assert b"".join(line + b"\r\n" for _, line in found.lines) + b"\r\n" == block
    for name, value in pairs:
        assert value.strip(b" \t") in found.named[name.lower()].split(b", ")
