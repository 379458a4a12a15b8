import hashlib
import os
import random
import select
import socket
import threading
from collections.abc import Iterator

import pytest

from orchestrator.splice import BUFFER_BYTES, CLIENT_OPTIONS, Splice, Splicer
from tests.wire import (
    DEADLINE_SECONDS,
    LoopThread,
    receive,
    receive_all,
    reset,
    tcp_pair,
    unix_pair,
    wait_for,
)


class Pair:
    """A joined pair with the far end of each side in the test's hands."""

    def __init__(
        self, thread: LoopThread, splicer: Splicer, *,
        client_side=None, shell_side=None, meter=None, **initial,
    ) -> None:  # fmt: skip
        self.browser, client = client_side or tcp_pair()
        self.shell, upstream = shell_side or unix_pair()
        self.thread = thread
        self.reasons: list[str] = []
        self.metered: list[bytes] = []

        def note(data: memoryview) -> bool:
            self.metered.append(bytes(data))
            return True

        self.splice: Splice = thread.call(
            splicer.join, client, upstream,
            meter=meter or note, on_close=self.reasons.append, **initial,
        )  # fmt: skip
        # The near ends belong to the splice now; their objects are empty.
        assert client.fileno() == upstream.fileno() == -1

    def reason(self) -> str:
        wait_for(lambda: self.reasons, "on_close")
        assert self.splice.closed
        return self.reasons[0]

    def close(self) -> None:
        self.thread.call(self.splice.close)
        self.browser.close()
        self.shell.close()
        assert len(self.reasons) == 1


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture
def splicer(thread: LoopThread) -> Splicer:
    return Splicer(thread.loop)


@pytest.fixture
def pair(thread: LoopThread, splicer: Splicer) -> Iterator[Pair]:
    pair = Pair(thread, splicer)
    yield pair
    pair.close()


def test_bytes_pass_both_ways(pair: Pair) -> None:
    for word in (b"l", b"s", b"\n" * 1000):
        pair.browser.sendall(word)
        assert receive(pair.shell, len(word)) == word
        pair.shell.sendall(word.upper())
        assert receive(pair.browser, len(word)) == word.upper()


def test_only_what_the_client_sent_is_metered(pair: Pair) -> None:
    pair.shell.sendall(b"output")
    assert receive(pair.browser, 6) == b"output"
    pair.browser.sendall(b"input")
    assert receive(pair.shell, 5) == b"input"
    assert b"".join(wait_for(lambda: pair.metered)) == b"input"


def test_bytes_read_before_the_join_go_first(thread: LoopThread, splicer: Splicer) -> None:
    pair = Pair(thread, splicer, from_client=b"early ", from_upstream=b"101 ")
    pair.browser.sendall(b"late")
    pair.shell.sendall(b"prompt")
    assert receive(pair.shell, 10) == b"early late"
    assert receive(pair.browser, 10) == b"101 prompt"
    wait_for(lambda: b"".join(pair.metered) == b"early late")
    pair.close()


def test_bulk_arrives_unchanged_in_both_directions_at_once(pair: Pair) -> None:
    chunk = random.Random(7).randbytes(1 << 20)
    total = 24 << 20

    def send(sock: socket.socket, seed: int) -> None:
        rng, left = random.Random(seed), total
        while left:
            size = min(left, rng.randrange(1, 200_000))
            sock.sendall(chunk[:size])
            left -= size

    def expected(seed: int) -> str:
        rng, left, digest = random.Random(seed), total, hashlib.sha256()
        while left:
            size = min(left, rng.randrange(1, 200_000))
            digest.update(chunk[:size])
            left -= size
        return digest.hexdigest()

    received: dict[int, str] = {}

    def read(sock: socket.socket, seed: int) -> None:
        received[seed] = hashlib.sha256(receive(sock, total)).hexdigest()

    work = [
        threading.Thread(target=send, args=(pair.browser, 1)),
        threading.Thread(target=send, args=(pair.shell, 2)),
        threading.Thread(target=read, args=(pair.shell, 1)),
        threading.Thread(target=read, args=(pair.browser, 2)),
    ]
    for one in work:
        one.start()
    for one in work:
        one.join()
    assert received == {1: expected(1), 2: expected(2)}


def test_a_flood_of_small_pieces_is_passed_on_in_few(pair: Pair) -> None:
    pieces = 2000

    def flood() -> None:
        for _ in range(pieces):
            pair.browser.sendall(b"p" * 4096)
        pair.browser.sendall(b"the end")

    writer = threading.Thread(target=flood)
    writer.start()
    received = receive(pair.shell, pieces * 4096 + 7)
    writer.join()
    assert received.endswith(b"ppp" + b"the end")
    assert len(pair.metered) < pieces
    pair.browser.sendall(b"x")
    assert receive(pair.shell, 1) == b"x"


def test_close_in_the_middle_of_a_flood(pair: Pair) -> None:
    ended = threading.Event()

    def flood() -> None:
        try:
            while True:
                pair.shell.sendall(b"p" * 4096)
        except OSError:
            ended.set()

    writer = threading.Thread(target=flood)
    writer.start()
    receive(pair.browser, 1 << 20)
    pair.thread.call(pair.splice.close)
    assert ended.wait(DEADLINE_SECONDS)
    writer.join()
    assert pair.reasons == ["closed"]


def fill(sock: socket.socket) -> int:
    """Send until nobody takes any more; return how much went."""
    sock.setblocking(False)
    sent = 0
    while select.select([], [sock], [], 0.3)[1]:
        try:
            sent += sock.send(b"y\n" * 4096)
        except BlockingIOError:
            continue
    sock.settimeout(20)
    return sent


@pytest.mark.parametrize("side", ["shell", "browser"])
def test_reader_that_stops_makes_the_writer_stop(
    thread: LoopThread, splicer: Splicer, side: str
) -> None:
    browser, client = tcp_pair()
    shell, upstream = unix_pair()
    kernel = 0
    for sock in (browser, client, shell, upstream):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, 65536)
            kernel += sock.getsockopt(socket.SOL_SOCKET, option)
    pair = Pair(thread, splicer, client_side=(browser, client), shell_side=(shell, upstream))
    writer, reader = (shell, browser) if side == "shell" else (browser, shell)
    sent = fill(writer)
    assert 0 < sent <= kernel + BUFFER_BYTES
    assert receive(reader, sent) == b"y\n" * (sent // 2)
    writer.sendall(b"end")
    assert receive(reader, 3) == b"end"
    pair.close()


def test_a_stopped_reader_does_not_stop_the_other_direction(pair: Pair) -> None:
    fill(pair.shell)
    pair.browser.sendall(b"\x03")
    assert receive(pair.shell, 1) == b"\x03"


def test_flood_does_not_starve_another_pair(thread: LoopThread, splicer: Splicer) -> None:
    loud, quiet = Pair(thread, splicer), Pair(thread, splicer)
    ended = threading.Event()

    def flood() -> None:
        while not ended.is_set():
            loud.shell.sendall(b"y\n" * 32768)
        loud.shell.close()

    drained: list[int] = []
    work = [
        threading.Thread(target=flood),
        threading.Thread(target=lambda: drained.append(len(receive_all(loud.browser)))),
    ]
    for one in work:
        one.start()
    for _ in range(200):
        quiet.browser.sendall(b"x")
        assert receive(quiet.shell, 1) == b"x"
    ended.set()
    for one in work:
        one.join()
    assert drained[0] > 0
    loud.browser.close()
    assert loud.reason() == "upstream-ended"
    loud.close()
    quiet.close()


def test_client_that_ends_first_still_gets_the_rest(pair: Pair) -> None:
    pair.browser.sendall(b"last")
    pair.browser.shutdown(socket.SHUT_WR)
    assert receive_all(pair.shell) == b"last"
    assert not pair.splice.closed
    pair.shell.sendall(b"goodbye")
    pair.shell.close()
    assert receive_all(pair.browser) == b"goodbye"
    assert pair.reason() == "client-ended"


def test_upstream_that_ends_first_still_gets_the_rest(pair: Pair) -> None:
    pair.shell.sendall(b"logout")
    pair.shell.shutdown(socket.SHUT_WR)
    assert receive_all(pair.browser) == b"logout"
    pair.browser.sendall(b"close frame")
    pair.browser.close()
    assert receive_all(pair.shell) == b"close frame"
    assert pair.reason() == "upstream-ended"


def test_end_waits_for_what_the_reader_has_not_taken(pair: Pair) -> None:
    sent = fill(pair.shell)
    pair.shell.close()
    assert len(receive_all(pair.browser)) == sent
    pair.browser.close()
    assert pair.reason() == "upstream-ended"


def test_one_sided_end_is_bounded(thread: LoopThread) -> None:
    pair = Pair(thread, Splicer(thread.loop, grace_seconds=0.05))
    pair.browser.shutdown(socket.SHUT_WR)
    assert pair.reason() == "client-ended"
    assert receive_all(pair.shell) == b""
    assert receive_all(pair.browser) == b""
    pair.close()


def test_close_ends_both_sides_and_calls_once(
    thread: LoopThread, splicer: Splicer, pair: Pair
) -> None:
    fill(pair.shell)
    thread.call(pair.splice.close, "signed-out")
    thread.call(pair.splice.close, "again")
    with pytest.raises(ConnectionResetError):  # as a unix socket says "you left bytes unread"
        receive_all(pair.shell)
    receive_all(pair.browser)
    assert pair.reasons == ["signed-out"]
    assert len(splicer) == 0


def test_client_reset_is_noticed(pair: Pair) -> None:
    reset(pair.browser)
    assert pair.reason() == "client-lost"
    assert receive_all(pair.shell) == b""


def test_client_reset_is_noticed_while_it_reads_nothing(pair: Pair) -> None:
    fill(pair.shell)
    reset(pair.browser)
    assert pair.reason() == "client-lost"


def test_upstream_reset_is_noticed(thread: LoopThread, splicer: Splicer) -> None:
    pair = Pair(thread, splicer, shell_side=tcp_pair())
    reset(pair.shell)
    assert pair.reason() == "upstream-lost"
    assert receive_all(pair.browser) == b""
    pair.close()


def test_refused_frame_closes(thread: LoopThread, splicer: Splicer) -> None:
    pair = Pair(thread, splicer, meter=lambda data: b"bad" not in bytes(data))
    pair.browser.sendall(b"good")
    assert receive(pair.shell, 4) == b"good"
    pair.browser.sendall(b"bad")
    assert pair.reason() == "bad-frame"
    pair.close()


def test_refused_early_frame_closes_after_the_join(thread: LoopThread, splicer: Splicer) -> None:
    pair = Pair(thread, splicer, meter=lambda data: False, from_client=b"bad")
    assert pair.reason() == "bad-frame"
    pair.close()


def test_vanished_client_will_be_noticed(thread: LoopThread, splicer: Splicer) -> None:
    sockets = tcp_pair()
    with socket.socket(fileno=os.dup(sockets[1].fileno())) as same:
        pair = Pair(thread, splicer, client_side=sockets)
        for level, option, value in CLIENT_OPTIONS:
            assert same.getsockopt(level, option) == value
    pair.close()


def test_no_descriptor_is_left_behind(thread: LoopThread, splicer: Splicer) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    pairs = [Pair(thread, splicer) for _ in range(20)]
    assert len(splicer) == 20
    thread.call(splicer.close, "server-stopping")
    for pair in pairs:
        assert pair.reasons == ["server-stopping"]
        pair.close()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert len(splicer) == 0
