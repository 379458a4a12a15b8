"""The heads of answers, from apps that send as they like."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.heads import HEAD_BYTES, Malformed
from web.preview.upstreams import HEAD_SECONDS, WATCH_SECONDS, Gone, Upstream

HEAD = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"


class Slow:
    """A socket with its data piece by piece, b"" for a wait that is too long; ``then`` is first."""

    def __init__(self, pieces: list[bytes], then: Callable[[], object] = bool) -> None:
        self._pieces = iter(pieces)
        self._then = then

    def settimeout(self, seconds: float) -> None:
        assert seconds == WATCH_SECONDS

    def recv(self, _size: int) -> bytes:
        self._then()
        if piece := next(self._pieces, None):
            return piece
        if piece is None:
            return b""
        raise TimeoutError


def upstream(*slow: Any) -> Upstream:
    return Upstream(Slow(*slow), ("rb-secret", 8000))  # type: ignore[arg-type]


@given(st.lists(st.integers(1, len(HEAD * 2)), max_size=5))
def test_heads_come_whole_however_they_are_cut(cuts: list[int]) -> None:
    pieces = [(HEAD * 2)[a:b] for a, b in pairwise([0, *sorted({*cuts, len(HEAD * 2)})])]
    app = upstream(pieces)
    assert [app.head(), app.head(), app.head()] == [HEAD, HEAD, b""]


def test_what_comes_with_a_head_is_not_lost() -> None:
    app = upstream([HEAD + b"body", b"more"])
    assert (app.head(), app.has_more, app.piece()) == (HEAD, True, b"body")
    assert (app.has_more, app.piece(), app.piece()) == (False, b"more", b"")


@pytest.mark.parametrize(
    "said", [HEAD[:-1], b"H" * (HEAD_BYTES + 1), b"A: b\r\n" * HEAD_BYTES + b"\r\n"]
)
def test_a_head_that_has_no_end_is_none(said: bytes) -> None:
    with pytest.raises(Malformed):
        upstream([said]).head()


@pytest.mark.parametrize(
    "late", [[HEAD[:5], b"", b"", HEAD[5:]], [HEAD[:5], HEAD[5:6], HEAD[6:7], HEAD[7:]]]
)
def test_a_head_that_has_begun_has_a_deadline(
    late: list[bytes], pass_time: Callable[[float], None]
) -> None:
    with pytest.raises(Malformed, match="no end"):
        upstream(late, lambda: pass_time(HEAD_SECONDS * 0.6)).head()


def test_one_that_has_not_begun_has_none(pass_time: Callable[[float], None]) -> None:
    app = upstream([b"", b"", HEAD, b"", b"", HEAD], lambda: pass_time(HEAD_SECONDS * 0.6))
    assert (app.head(), app.head()) == (HEAD, HEAD)


def test_a_wait_that_is_nobodys_ends() -> None:
    app = upstream([b"", b"", b"", HEAD])
    app.is_waited_for = iter([True, True, False]).__next__
    with pytest.raises(Gone):
        app.head()
