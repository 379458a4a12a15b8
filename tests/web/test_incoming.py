"""Reading requests from a socket: in any pieces, within bounds, and never too much."""

import socket
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire import unix_pair
from web import incoming
from web.heads import HEAD_BYTES, Malformed
from web.incoming import Incoming


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Incoming]]:
    far, near = unix_pair()
    with far, near:
        yield far, Incoming(near)


def test_heads_and_bodies_come_apart(pair: tuple[socket.socket, Incoming]) -> None:
    client, reader = pair
    client.sendall(b"GET / HTTP/1.1\r\nA: b\r\n\r\nbodyGET /2 HTTP/1.1\r\n\r\nrest")
    assert reader.head() == b"GET / HTTP/1.1\r\nA: b\r\n\r\n"
    assert reader.read(4) == b"body"
    assert reader.head() == b"GET /2 HTTP/1.1\r\n\r\n"
    assert (reader.buffered, reader.rest(), reader.buffered) == (4, b"rest", 0)
    client.shutdown(socket.SHUT_WR)
    assert reader.head() == b""


@settings(deadline=None)  # the machine may be busy
@given(st.data())
def test_pieces_do_not_matter(data: st.DataObject) -> None:
    sent = b"POST / HTTP/1.1\r\nHost: a\r\n\r\n5\r\nhello\nworld\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=5)))
    pieces: Any = _Piecewise([sent[a:b] for a, b in _spans(cuts, len(sent))])
    reader = Incoming(pieces)
    assert reader.head() == b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert reader.readline() == b"5\r\n"
    assert reader.read(3) == b"hel"
    assert reader.readline(2) == b"lo"
    assert reader.readline() == b"\n"
    reader.unread(b"x")
    assert reader.read() == b"xworld\r\n"
    assert reader.readline() == b""


def _spans(cuts: list[int], size: int) -> Iterator[tuple[int, int]]:
    edges = [0, *cuts, size]
    for start, end in pairwise(edges):
        if start < end:
            yield start, end


class _Piecewise:
    """A socket that gives what it was given, piece by piece."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def settimeout(self, _: float) -> None:
        pass

    def recv(self, size: int) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > size:
            self._pieces.insert(0, piece[size:])
        return piece[:size]


def test_a_head_ends_where_the_most_lenient_reader_says(
    pair: tuple[socket.socket, Incoming],
) -> None:
    client, reader = pair
    client.sendall(b"GET / HTTP/1.1\nA: b\n\nGET /hidden HTTP/1.1\r\n\r\n")
    assert reader.head() == b"GET / HTTP/1.1\nA: b\n\n"


@pytest.mark.parametrize("more", [b"", b"\r\n\r\n"])
def test_a_huge_head_is_refused(pair: tuple[socket.socket, Incoming], more: bytes) -> None:
    client, reader = pair
    client.sendall(b"GET / HTTP/1.1\r\nA: " + b"a" * HEAD_BYTES + more)
    with pytest.raises(Malformed):
        reader.head()


def test_a_head_that_is_cut_off_is_none(pair: tuple[socket.socket, Incoming]) -> None:
    client, reader = pair
    client.sendall(b"GET / HTTP/1.1\r\n")
    client.shutdown(socket.SHUT_WR)
    with pytest.raises(Malformed):
        reader.head()


def test_a_slow_head_times_out(
    pair: tuple[socket.socket, Incoming], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "HEAD_SECONDS", 0.05)
    client, reader = pair
    client.sendall(b"GET / HT")
    with pytest.raises(TimeoutError):
        reader.head()
    assert reader.sock.gettimeout() == incoming.IDLE_SECONDS
