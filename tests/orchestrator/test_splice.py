import hashlib
import random
import socket
import threading

import pytest

from orchestrator.splice import BUFFER_BYTES, Splicer
from tests.orchestrator.splicing import Pair, fill
from tests.wire import (
    DEADLINE_SECONDS,
    LoopThread,
    receive,
    receive_all,
    tcp_pair,
    unix_pair,
    wait_for,
)


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
