"""The server below the views: the handler, its bounds, the hijack, start and stop."""

import os
import resource
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import Serving, accept_upgrade, answer, ended, serving
from tests.wire import client_frame, receive, reset, unix_server, wait_for, websocket_request


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving() as server:
        yield server


def test_connection_is_kept_for_more_requests(server: Serving) -> None:
    with server.connect() as sock:
        for _ in range(3):
            assert server.request(sock, "/seen")[0] == 200


def test_bodies_arrive_by_length_and_by_chunks(server: Serving) -> None:
    with server.connect() as sock:
        sock.sendall(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
        assert answer(sock) == (200, {"size": 5})
        sock.sendall(
            b"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n"
        )
        assert answer(sock) == (200, {"size": 3})


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length: +5",
        b"Content-Length: 5, 5",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"Content-Length : 5",
        b"Host: other",
        b"X: a\rContent-Length: 5",
        b"X\0: a",
        b"X: a\r\n folded",
        b"no field at all",
        b"X: " + b"a" * 40_000,
        b"\r\n".join(b"X-%d: a" % i for i in range(150)),
    ],
)
def test_ambiguous_or_huge_heads_are_refused(server: Serving, fields: bytes) -> None:
    with server.connect() as sock:
        sock.sendall(b"POST /body HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n\r\n")
        said = ended(sock)
    # What the server did not read turns its answer into a reset.
    assert said.startswith(b"HTTP/1.1 400 ") or (not said and len(fields) > 16_384)


def test_request_line_is_bounded(server: Serving) -> None:
    with server.connect() as sock:
        sock.sendall(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not ended(sock).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("odd", [b"\xa0", b"\x85", "à".encode()])
def test_what_latin_takes_for_a_space_ends_no_target(server: Serving, odd: bytes) -> None:
    with server.connect() as sock:
        for _ in range(2):
            sock.sendall(b"GET /seen?a" + odd + b"b HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer(sock)[0] == 200


def test_head_that_is_cut_off_runs_nothing(server: Serving) -> None:
    with server.connect() as sock:
        sock.sendall(b"GET /seen HTTP/1.1\r\nHost: x\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert not ended(sock).startswith(b"HTTP/1.1 200")


def test_slow_heads_and_idle_connections_end() -> None:
    with serving("web.incoming.HEAD_SECONDS=0.2", "web.incoming.IDLE_SECONDS=0.3") as server:
        silent, slow, kept = server.connect(), server.connect(), server.connect()
        with silent, slow, kept:
            assert server.request(kept, "/seen")[0] == 200
            slow.sendall(b"GET /seen HTTP/1.1\r\nX-Slow: ")
            for sock in (silent, slow, kept):
                assert ended(sock) == b""


def test_crash_of_a_view_is_answered_and_logged_once() -> None:
    server = Serving()
    with server.connect() as sock:
        assert server.request(sock, "/crash")[0] == 500
        assert server.request(sock, "/seen")[0] == 200
    code, errors = server.stop()
    assert code == 0
    assert errors.count("RuntimeError: boom") == 1


def test_view_that_loses_the_socket_closes_it() -> None:
    server = Serving()
    with server.connect() as sock:
        sock.sendall(websocket_request("/steal", server.host))
        assert ended(sock) == b""
    assert server.get("/seen")["open"] == 0
    code, errors = server.stop()
    assert code == 0
    assert errors.count("RuntimeError: after the hijack") == 1


def test_body_announced_with_an_upgrade_is_not_waited_for(server: Serving, tmp_path: Path) -> None:
    with unix_server(str(tmp_path / "u.sock"), lambda c: accept_upgrade(c) and ended(c)):
        sock, head, _ = server.upgrade(tmp_path / "u.sock", Content_Length="100")
        with sock:
            assert b" 101 " in head
        wait_for(lambda: server.get("/seen")["open"] == 0)


def test_terminals_hold_no_threads_and_no_descriptors(server: Serving, tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))

    echo = client_frame(b"0x")

    def shell(connection: socket.socket) -> None:
        accept_upgrade(connection)
        connection.sendall(receive(connection, len(echo)))

    server.get("/seen")
    before, threads = descriptors(), server.get("/seen")["threads"]
    with unix_server(str(tmp_path / "u.sock"), shell):
        for _ in range(20):
            sock, _, rest = server.upgrade(tmp_path / "u.sock", early=echo)
            assert rest + receive(sock, len(echo) - len(rest)) == echo
            reset(sock)
    wait_for(lambda: server.get("/seen")["open"] == 0)
    wait_for(lambda: descriptors() <= before)
    assert server.get("/seen")["threads"] == threads


def test_work_is_offloaded_to_a_thread(server: Serving) -> None:
    assert server.get("/offload") == {"elsewhere": True}


def test_all_open_files_are_allowed(server: Serving) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert server.get("/limits") == {"files": [hard, hard]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_everything_cleanly(tmp_path: Path, number: int) -> None:
    server = Serving()
    with unix_server(str(tmp_path / "u.sock"), lambda c: accept_upgrade(c) and ended(c)):
        terminal, _, _ = server.upgrade(tmp_path / "u.sock")
        stream, idle = server.connect(), server.connect()
        with terminal, stream, idle:
            stream.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stream.recv(15) == b"HTTP/1.1 200 OK"
            assert server.request(idle, "/seen")[1]["open"] == 1
            code, errors = server.stop(number)
            assert ended(terminal) == b""
            assert ended(idle) == b""
    assert (code, errors) == (0, "")
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_address_in_use_is_said_in_one_line(server: Serving) -> None:
    second = Serving(port=server.port)
    _, errors = second.process.communicate(timeout=20)
    assert second.process.returncode == 1
    assert errors.count("\n") == 1
    assert f"127.0.0.1:{server.port}" in errors
    assert "ROOTBLOOD_LISTEN" in errors


def test_restart_gets_its_address_back_at_once(tmp_path: Path) -> None:
    first = Serving()
    with first.connect() as sock:
        assert first.request(sock, "/seen")[0] == 200
        first.stop()  # closes first: its port lingers in TIME_WAIT
    second = Serving(port=first.port)
    assert second.get("/seen")["open"] == 0
    assert second.stop() == (0, "")
