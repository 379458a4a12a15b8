"""How joined pairs end."""

import os
import socket

import pytest

from orchestrator.splice import CLIENT_OPTIONS, Splicer
from tests.orchestrator.splicing import Pair, fill
from tests.wire import (
    LoopThread,
    receive,
    receive_all,
    reset,
    tcp_pair,
)


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
