import socket
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engines.docker_stream import ExecProcess, Frames, dial_engine, start_exec
from orchestrator.errors import EngineError, EngineUnreachable, ImageMissing, NoSpace


def frame(kind: int, payload: bytes) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(payload).to_bytes(4) + payload


class Wire:
    """Stands for a socket: gives what was sent, in pieces of the given sizes."""

    def __init__(self, data: bytes, sizes: Sequence[int] = ()) -> None:
        self.data = data
        self.sizes = list(sizes)
        self.asked = 0

    def recv(self, limit: int) -> bytes:
        self.asked = max(self.asked, limit)
        size = min(limit, self.sizes.pop() if self.sizes else limit)
        chunk, self.data = self.data[:size], self.data[size:]
        return chunk


def collected(frames: Frames, limit: int) -> dict[int, bytes]:
    found = {1: b"", 2: b""}
    while True:
        kind, chunk = frames.next(limit)
        if not kind:
            return found
        assert 0 < len(chunk) <= limit
        found[kind] += chunk


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50))),
    st.lists(st.integers(1, 12)),
    st.integers(1, 60),
    st.integers(0, 100),
)
def test_frames_come_out_whole_however_they_arrive(
    sent: list[tuple[int, bytes]], sizes: list[int], limit: int, held: int
) -> None:
    data = b"".join(frame(kind, payload) for kind, payload in sent)
    wire = Wire(data[held:], sizes)
    found = collected(Frames(wire, data[:held]), limit)  # type: ignore[arg-type]
    for kind in (1, 2):
        assert found[kind] == b"".join(payload for one, payload in sent if one == kind)


def test_a_huge_frame_is_passed_on_piece_by_piece() -> None:
    head = bytes([1, 0, 0, 0]) + (2**32 - 1).to_bytes(4)
    wire = Wire(head + b"x" * 100)
    assert Frames(wire).next(10) == (1, b"x" * 10)  # type: ignore[arg-type]
    assert wire.asked <= 10, "never asks for more than the caller has room for"


@settings(deadline=None)
@given(st.binary(max_size=30))
def test_a_torn_stream_is_an_end_not_an_error(data: bytes) -> None:
    frames = Frames(Wire(frame(1, b"abc") + data[:7]))  # type: ignore[arg-type]
    assert frames.next(100) == (1, b"abc")


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_stream_cut_anywhere_ends(cut: int) -> None:
    found = collected(Frames(Wire(frame(1, b"abcd")[:cut])), 100)  # type: ignore[arg-type]
    assert found == {1: b"abcd"[: max(0, cut - 8)], 2: b""}


def answered(answer: bytes) -> tuple[socket.socket, threading.Thread]:
    """Return a connection whose other end reads one request and gives ``answer``."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            request = b""
            while b'"Tty": false}' not in request:
                request += theirs.recv(4096)
            theirs.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return ours, thread


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", EngineUnreachable),
        (b"HTTP/1.1 404 Not Found\r\nContent-Le", EngineUnreachable),
        (b'HTTP/1.1 500 X\r\nContent-Length: 15\r\n\r\n{"message":"x"}', EngineError),
        (
            b'HTTP/1.1 500 X\r\ncontent-length: 37\r\n\r\n{"message":"no space left on device"}',
            NoSpace,
        ),
        (
            b'HTTP/1.1 404 X\r\ncontent-length: 29\r\n\r\n{"message":"No such image: x"}',
            ImageMissing,
        ),
        (b"HTTP/1.1 500 X\r\n\r\nnot json", EngineError),
    ],
)
def test_refusals_to_start_are_told(answer: bytes, error: type[EngineError]) -> None:
    ours, thread = answered(answer)
    with ours, pytest.raises(error):
        start_exec(ours, "1.41", "x")
    thread.join()


def test_output_that_comes_with_the_answer_is_not_lost() -> None:
    ours, thread = answered(b"HTTP/1.1 101 UPGRADED\r\nX: y\r\n\r\n" + frame(1, b"early"))
    with ours:
        held = start_exec(ours, "1.41", "x")
        assert Frames(ours, held).next(100) == (1, b"early")
    thread.join()


def process(sent: bytes) -> tuple[ExecProcess, list[int]]:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(sent)
    killed: list[int] = []
    return ExecProcess(ours, b"", exit_code=lambda: 7, kill=killed.append), killed


def test_output_that_overtakes_the_process_id_is_kept() -> None:
    one, killed = process(frame(1, b"out") + frame(2, b"4") + frame(2, b"2\nerr"))
    one.await_leader()
    assert one.read(2) == b"ou"
    assert one.read(9) == b"t"
    assert bytes(one.stderr) == b"err"
    one.close()
    assert killed == [42]
    one.close()
    assert killed == [42]


def test_an_ended_command_is_not_killed() -> None:
    one, killed = process(frame(2, b"42\n") + frame(1, b"x"))
    one.await_leader()
    assert one.wait() == 7
    one.close()
    assert killed == []


def test_only_the_last_errors_are_kept() -> None:
    one, _ = process(frame(2, b"42\n") + b"".join(frame(2, b"%06d" % n) for n in range(2000)))
    one.await_leader()
    assert one.read(1) == b""
    assert len(one.stderr) == 4096
    assert one.stderr.endswith(b"001999")
    one.close()


@pytest.mark.parametrize("sent", [b"", frame(1, b"no shell here"), frame(2, b"oops\n")])
def test_a_command_without_a_shell_is_told(sent: bytes) -> None:
    one, _ = process(sent)
    with pytest.raises(EngineError, match="could not be started"):
        one.await_leader()
    one.close()


def test_nobody_behind_the_socket_is_told() -> None:
    for url in ("unix:///nowhere.sock", "tcp://127.0.0.1:1"):
        with pytest.raises(EngineUnreachable):
            dial_engine(url, timeout=1)
