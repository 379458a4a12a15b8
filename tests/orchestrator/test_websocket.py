import base64
import socket
import threading
import tracemalloc
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BadInput, DialFailed
from orchestrator.websocket import (
    HEAD_BYTES,
    FrameMeter,
    InputMeter,
    ResponseHead,
    accept_key,
    client_head,
    read_response_head,
    upgrade_request,
)
from tests.wire import client_frame, unix_pair

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # the example of RFC 6455, 1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
GOOD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\nSec-WebSocket-Protocol: tty\r\n\r\n"
)


def test_accept_key_is_that_of_the_standard() -> None:
    assert accept_key(KEY) == ACCEPT


def test_request_carries_nothing_but_the_handshake() -> None:
    assert upgrade_request("/ws?arg=main", KEY, ["tty"], "localhost") == (
        b"GET /ws?arg=main HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: " + KEY.encode() + b"\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tty\r\n\r\n"
    )


@pytest.mark.parametrize("key", ["", "short", KEY + "\r\nX: y", "A" * 24, "ü" * 24])
def test_request_with_a_broken_key_is_refused(key: str) -> None:
    with pytest.raises(BadInput):
        upgrade_request("/ws", key, ["tty"], "localhost")


@pytest.mark.parametrize("path", ["", "/ws HTTP/1.1", "/ws\r\nCookie: a", "/ws\n", "/\x00", "/ü"])
def test_request_with_a_broken_path_is_refused(path: str) -> None:
    with pytest.raises(BadInput):
        upgrade_request(path, KEY, ["tty"], "localhost")


@given(st.text(max_size=30), st.binary(min_size=16, max_size=16))
def test_request_is_always_one_head(path: str, key: bytes) -> None:
    try:
        request = upgrade_request(path, base64.b64encode(key).decode(), ["tty"], "localhost")
    except BadInput:
        return
    assert request.count(b"\r\n\r\n") == 1
    assert request.endswith(b"\r\n\r\n")
    assert request.count(b"\n") == 8


def read(sent: bytes, *, timeout: float = 5.0, end: bool = True) -> ResponseHead:
    near, far = unix_pair()
    with near, far:
        thread = threading.Thread(target=far.sendall, args=(sent,))
        thread.start()
        if end:
            thread.join()
            far.shutdown(socket.SHUT_WR)
        return read_response_head(near, timeout)


def test_head_and_what_came_behind_it_are_told_apart() -> None:
    assert read(GOOD + b"\x82\x01x") == ResponseHead(101, GOOD, b"\x82\x01x")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "closed"),
        (GOOD[:-2], "closed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 1x1 No\r\n\r\n", "not HTTP"),
        (b"HTTP/1.0 101 Old\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 1010 Long\r\n\r\n", "not HTTP"),
        (b"\x00" * HEAD_BYTES, "no end"),
        (b"HTTP/1.1 101 Big\r\nX: " + b"a" * HEAD_BYTES, "no end"),
    ],
)
def test_what_is_no_answer_is_refused(sent: bytes, reason: str) -> None:
    with pytest.raises(DialFailed, match=reason):
        read(sent)


def test_server_that_never_answers_is_given_up() -> None:
    with pytest.raises(DialFailed, match="in time"):
        read(b"HTTP/1.1 101 ", timeout=0.02, end=False)


def test_server_that_answers_drop_by_drop_is_given_up() -> None:
    class Dripping:
        def recv(self, nbytes: int, /) -> bytes:
            return b"X"

        def settimeout(self, seconds: float | None, /) -> None:
            assert seconds

    with pytest.raises(DialFailed):
        read_response_head(Dripping(), 0.05)  # type: ignore[arg-type]


def test_reset_is_an_answer_that_failed() -> None:
    class Broken:
        def recv(self, nbytes: int, /) -> bytes:
            raise ConnectionResetError(104, "reset")

        def settimeout(self, seconds: float | None, /) -> None: ...

    with pytest.raises(DialFailed, match="broke"):
        read_response_head(Broken(), 1.0)  # type: ignore[arg-type]


def test_client_gets_only_the_fields_of_the_upgrade() -> None:
    hostile = GOOD[:-2] + (
        b"Set-Cookie: session=stolen\r\nStrict-Transport-Security: max-age=1\r\n"
        b"X-Long: " + b"a" * 9000 + b"\r\n\r\n"
    )
    assert client_head(ResponseHead(101, hostile, b""), KEY, ["tty"]) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\nSec-WebSocket-Protocol: tty\r\n\r\n"
    )


def test_server_may_choose_no_protocol() -> None:
    plain = GOOD.replace(b"Sec-WebSocket-Protocol: tty\r\n", b"")
    assert b"-Protocol" not in client_head(ResponseHead(101, plain, b""), KEY, ["tty"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Upgrade: WebSocket", b"Upgrade: h2c"),
        (b"Connection: Upgrade", b"Connection: close"),
        (b"Connection: Upgrade\r\n", b""),
        (ACCEPT.encode(), b"AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        (ACCEPT.encode(), ACCEPT.lower().encode()),
        (b"Protocol: tty", b"Protocol: other"),
        (b"Protocol: tty", b"Protocol: tty\r\nSec-WebSocket-Protocol: tty"),
        (b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        (b"\r\n\r\n", b"\r\nno colon\r\n\r\n"),
        (b"\r\n\r\n", b"\r\n folded: yes\r\n\r\n"),
    ],
)
def test_answer_that_does_not_match_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(DialFailed):
        client_head(ResponseHead(101, GOOD.replace(old, new, 1), b""), KEY, ["tty"])


@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_other_status_is_refused(status: int) -> None:
    with pytest.raises(DialFailed, match=str(status)):
        client_head(ResponseHead(status, GOOD, b""), KEY, ["tty"])


@dataclass
class Count:
    """What a meter said about a stream."""

    inputs: int = 0
    accepted: bool = True


def metered(*chunks: bytes) -> Count:
    count = Count()

    def on_input() -> None:
        count.inputs += 1

    meter = InputMeter(on_input)
    for chunk in chunks:
        count.accepted = meter(memoryview(chunk))
    return count


def test_input_counts_and_the_rest_does_not() -> None:
    frames = [
        client_frame(b'{"AuthToken":""}', opcode=1),
        client_frame(b"0l"),
        client_frame(b"", opcode=9),
        client_frame(b"0 in a pong", opcode=10),
        client_frame(b'1{"columns":80,"rows":24}'),
        client_frame(b"0" + b"pasted" * 20_000),
        client_frame(b""),
        client_frame(b"2"),
        client_frame(b"0s", opcode=1),
    ]
    assert metered(b"".join(frames)) == Count(3)


def test_fragments_are_one_message() -> None:
    stream = (
        client_frame(b"", final=False)
        + client_frame(b"", opcode=9)
        + client_frame(b"0", opcode=0, final=False)
        + client_frame(b"0000", opcode=0)
        + client_frame(b"1", final=False)
        + client_frame(b"0", opcode=0)
    )
    assert metered(stream) == Count(1)


def test_nothing_counts_after_a_close_frame() -> None:
    stream = client_frame(b"0a") + client_frame(b"\x03\xe8", opcode=8) + b"\x00garbage"
    assert metered(stream, client_frame(b"0")) == Count(1)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"\x82\x010", id="unmasked"),
        pytest.param(client_frame(b"0", start=0x40), id="compressed"),
        pytest.param(client_frame(b"0", start=0x10), id="reserved-bit"),
        pytest.param(client_frame(b"0", opcode=3), id="reserved-opcode"),
        pytest.param(client_frame(b"0", opcode=11), id="reserved-control"),
        pytest.param(client_frame(b"", opcode=9, final=False), id="fragmented-ping"),
        pytest.param(client_frame(b"0" * 126, opcode=9), id="long-ping"),
        pytest.param(client_frame(b"0", opcode=0), id="continues-nothing"),
        pytest.param(client_frame(b"1", final=False) + client_frame(b"0"), id="interleaved"),
        pytest.param(b"\x82\xff\x80" + bytes(11), id="length-over-63-bits"),
        pytest.param(b"GET / HTTP/1.1\r\n", id="http"),
    ],
)
def test_what_no_client_may_send_is_refused_for_good(frame: bytes) -> None:
    assert metered(frame) == Count(0, accepted=False)
    assert metered(*[frame[i : i + 1] for i in range(len(frame))]) == Count(0, accepted=False)
    assert metered(frame, client_frame(b"0")) == Count(0, accepted=False)


messages = st.builds(
    lambda payload, cuts, pings: (payload, sorted(c % (len(payload) + 1) for c in cuts), pings),
    st.one_of(
        st.binary(max_size=40),
        st.binary(max_size=20).map(lambda rest: b"0" + rest),
        st.integers(120, 70_000).map(lambda size: b"0" * size),
    ),
    st.lists(st.integers(0, 70_000), max_size=3),
    st.booleans(),
)


@given(st.lists(messages, max_size=6), st.data())
def test_count_does_not_depend_on_how_the_stream_is_cut(sent, data: st.DataObject) -> None:
    stream, inputs = bytearray(), 0
    for payload, cuts, pings in sent:
        inputs += payload.startswith(b"0")
        edges = [0, *cuts, len(payload)]
        for i, (start, end) in enumerate(pairwise(edges)):
            stream += client_frame(
                payload[start:end], opcode=0 if i else 2, final=i == len(edges) - 2
            )
            if pings:
                stream += client_frame(b"0", opcode=9)
    edges = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    chunks = [
        bytes(stream[start:end])
        for start, end in zip([0, *edges], [*edges, len(stream)], strict=True)
    ]
    assert metered(*chunks) == Count(inputs)
    if len(stream) < 2000:
        assert metered(*[bytes([byte]) for byte in stream]) == Count(inputs)


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_garbage_never_breaks_the_meter(chunks: list[bytes]) -> None:
    whole, cut = metered(b"".join(chunks)), metered(*chunks)
    if chunks:
        assert whole == cut


def test_memory_does_not_grow() -> None:
    meter = InputMeter(lambda: None)
    huge = client_frame(b"0" * 70_000)[:14].replace((70_000).to_bytes(8), (1 << 62).to_bytes(8))
    tracemalloc.start()
    try:
        assert meter(huge)
        chunk = memoryview(bytes(16384))
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            assert meter(chunk)
        assert tracemalloc.get_traced_memory()[0] - before < 4096
    finally:
        tracemalloc.stop()


def counted(*chunks: bytes) -> int:
    """Return how many data frames of a client are noticed; whatever comes is let pass."""
    seen: list[None] = []
    meter = FrameMeter(lambda: seen.append(None))
    for chunk in chunks:
        assert meter(memoryview(chunk))
    return len(seen)


def test_data_frames_are_counted_and_pings_are_not() -> None:
    frames = [
        client_frame(b"{}", opcode=1),
        client_frame(b"", opcode=9),
        client_frame(b"x" * 300, final=False),
        client_frame(b"pong", opcode=10),
        client_frame(b"y" * 70_000, opcode=0),
        client_frame(b""),
    ]
    assert counted(b"".join(frames)) == 4
    stream = b"".join(frames[:4] + frames[5:])
    assert counted(*[stream[i : i + 1] for i in range(len(stream))]) == 3


def test_what_is_compressed_is_counted_too() -> None:
    """The browser and the app may agree on permessage-deflate (RFC 7692) here."""
    assert counted(client_frame(b"\xf2\x48\x05\x00", start=0x40) * 3) == 3


@pytest.mark.parametrize(
    "frame",
    [b"\x82\x010", client_frame(b"0", opcode=3), client_frame(b"0", opcode=11), b"GET / HTTP/1.1",
     b"\x82\xff\x80" + bytes(11), client_frame(b"\x03\xe8", opcode=8)],
)  # fmt: skip
def test_after_what_cannot_be_read_nothing_is_counted(frame: bytes) -> None:
    before = client_frame(b"1")
    assert counted(before, frame, client_frame(b"2") * 5) <= 2


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_garbage_passes_the_frame_meter(chunks: list[bytes]) -> None:
    assert counted(*chunks) == counted(b"".join(chunks))
