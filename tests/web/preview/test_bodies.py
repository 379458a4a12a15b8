"""Where bodies end: counted ones and chunked ones, in any pieces, honest or not."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web.heads import Malformed
from web.preview.bodies import EXTRAS_BYTES, LAST_CHUNK, Body, Chunked, Counted, chunk


def fed(body: Body, *pieces: bytes) -> bytes:
    """Return what a body's content is; what comes behind its end goes to ``rest``."""
    content = b""
    for number, piece in enumerate(pieces):
        if body.done:
            body.rest += b"".join(pieces[number:])
            break
        content += body.feed(piece)
    return content


def test_a_counted_body_ends_at_its_count() -> None:
    body = Counted(5)
    assert body.feed(b"ab") == b"ab"
    assert not body.done
    assert body.feed(b"cdeNEXT") == b"cde"
    assert (body.done, body.rest) == (True, b"NEXT")
    assert Counted(0).done


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.sampled_from([b"", b";a=b", b' ;x="y"']),
    st.sampled_from([b"", b"X-T: 1\r\n", b"A:\r\nB: c\r\n"]),
    st.binary(max_size=10),
    st.data(),
)
def test_chunks_are_read_in_any_pieces(
    contents: list[bytes], extension: bytes, trailers: bytes, rest: bytes, data: st.DataObject
) -> None:
    sent = b"".join(b"%X%b\r\n%b\r\n" % (len(c), extension, c) for c in contents)
    sent += b"0\r\n" + trailers + b"\r\n" + rest
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6))), len(sent)]
    body = Chunked()
    pieces = [sent[a:b] for a, b in pairwise(cuts)]
    assert fed(body, *[piece for piece in pieces if piece]) == b"".join(contents)
    assert body.done
    assert body.rest == rest


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
def test_our_chunks_are_read_as_they_were_written(contents: list[bytes]) -> None:
    body = Chunked()
    assert fed(body, b"".join(map(chunk, contents)) + LAST_CHUNK) == b"".join(contents)
    assert (body.done, body.rest) == (True, b"")


@pytest.mark.parametrize(
    "sent",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello",
        b"-5\r\nhello",
        b"+5\r\nhello",
        b"0x5\r\nhello",
        b"5 \r\nhello",
        b" 5\r\nhello",
        b"5\t\r\nhello",
        b"5;a\nb\r\nhello",
        b"5;a\rb\r\nhello",
        b"5;\0\r\nhello",
        b"5\r\r\nhello",
        b"g\r\n",
        b"5_0\r\n",
        b"F" * 16 + b"\r\n",
        b"5;" + b"a" * 300 + b"\r\nhello",
        b"1" * 300,
        b"0\r\nno trailer\r\n\r\n",
        b"0\r\nA: b\n\r\n",
        b"0\r\nA: b\r\n folded\r\n\r\n",
        b"0\n\r\n",
        b"0\r\n\n",
        b"0\r\nA: " + b"a" * EXTRAS_BYTES,
        b"0\r\n" + b"A: b\r\n" * EXTRAS_BYTES,
        b"1;aaaaaaaa\r\nx\r\n" * EXTRAS_BYTES,
    ],
)
def test_chunks_of_two_meanings_are_refused(sent: bytes) -> None:
    with pytest.raises(Malformed):
        fed(Chunked(), sent)
    with pytest.raises(Malformed):
        fed(Chunked(), *[sent[i : i + 1] for i in range(len(sent))])


def test_a_body_that_is_cut_off_is_not_done() -> None:
    body = Chunked()
    assert fed(body, b"5\r\nhel") == b"hel"
    assert not body.done


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.sampled_from([b"0", b"5", b"\r", b"\n", b";", b"a", b" ", b"\r\n", b"A: b"])))
def test_what_is_accepted_is_what_a_strict_reader_accepts(parts: list[bytes]) -> None:
    sent = b"".join(parts)
    body = Chunked()
    try:
        content = fed(body, sent)
    except Malformed:
        return
    if body.done:
        end = len(sent) - len(body.rest)
        assert sent[:end].endswith(b"\r\n")
        assert len(content) <= end
