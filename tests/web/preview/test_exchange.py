"""Requests to apps and their answers, over the product's own server: honest ones and others."""

import socket

import pytest

from tests.web.preview.previewing import Previews, fields, once, running, saying, serving
from tests.wire import receive, receive_all, receive_head, wait_for

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def dechunked(body: bytes) -> bytes:
    content = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if not int(size, 16):
            assert body == b"\r\n"
            return content
        content, body = content + body[: int(size, 16)], body[int(size, 16) + 2 :]


def test_answers_arrive_by_length_by_chunks_and_by_the_end(previews: Previews) -> None:
    old = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"
    for talk, length in ((saying(HELLO), "5"), (once(old), None), (saying(CHUNKED), None)):
        with running(talk) as app:
            status, head, body = previews.ask(app)
            assert (status, fields(head).get("content-length")) == (200, length)
            assert (body if length else dechunked(body)) == b"hello"
            assert ("transfer-encoding" in fields(head)) is (length is None)


def test_an_old_client_gets_the_bytes_as_they_are(previews: Previews) -> None:
    for talk in (saying(CHUNKED), saying(HELLO), once(b"HTTP/1.1 200 OK\r\n\r\nhello")):
        with running(talk) as app, previews.connect() as sock:
            sock.sendall(f"GET / HTTP/1.0\r\nHost: {previews.host(app)}\r\n\r\n".encode())
            head, rest = receive_head(sock)
            assert b"Transfer-Encoding" not in head
            assert b"Connection: close" in head
            assert rest + receive_all(sock) == b"hello"


def test_connections_are_kept_on_both_sides(previews: Previews) -> None:
    with running(saying(HELLO, CHUNKED)) as app, previews.connect() as sock:
        for _ in range(3):
            sock.sendall(previews.request(previews.host(app)))
            head, rest = receive_head(sock)
            assert b"Connection: close" not in head
            rest += receive(sock, 5 - len(rest))
            sock.sendall(previews.request(previews.host(app)))
            head, rest = receive_head(sock)
            assert dechunked(rest + receive(sock, 15 - len(rest))) == b"hello"
        assert len(app.connections) == 1


def test_requests_in_a_row_are_answered_in_a_row(previews: Previews) -> None:
    def talk(connection: socket.socket) -> None:
        while True:
            head, _ = receive_head(connection)
            path = head.split()[1]
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path)
            )

    with running(talk) as app, previews.connect() as sock:
        host = previews.host(app)
        wanted = [f"/{n}" for n in range(20)]
        sock.sendall(b"".join(previews.request(host, target=path) for path in wanted))
        data = b""
        while data.count(b"\r\n\r\n") < 20 or not data.endswith(b"/19"):
            data += sock.recv(65536)
        found = [line for line in data.split(b"\r\n") if line.startswith(b"/")]
        assert [one.partition(b"HTTP")[0].decode() for one in found] == wanted


def test_one_connection_carries_requests_to_the_panel_and_to_previews(previews: Previews) -> None:
    with running(saying(HELLO)) as app, previews.connect() as sock:
        for _ in range(2):
            sock.sendall(previews.request(previews.host(app)))
            _, rest = receive_head(sock)
            assert rest + receive(sock, 5 - len(rest)) == b"hello"
            sock.sendall(b"POST /body HTTP/1.1\r\nHost: panel\r\nContent-Length: 3\r\n\r\nabc")
            head, rest = receive_head(sock)
            assert b"200 OK" in head
            size = int(fields(head.split(b"\r\n"))["content-length"])
            assert b'"size":3' in rest + receive(sock, size - len(rest))


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_answers_have_no_body(previews: Previews, status: bytes) -> None:
    said = b"HTTP/1.1 " + status + b"\r\nETag: x\r\nContent-Length: 7\r\n\r\n"
    with running(saying(said)) as app, previews.connect() as sock:
        for _ in range(2):
            sock.sendall(previews.request(previews.host(app)))
            head, rest = receive_head(sock)
            assert rest == b""
            # RFC 9110, 8.6: what the length would be, and of 204 nothing.
            assert (b"Content-Length: 7" in head) is status.startswith(b"304")


def test_head_is_answered_without_a_body(previews: Previews) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
    with running(saying(said)) as app, previews.connect() as sock:
        for _ in range(2):
            sock.sendall(previews.request(previews.host(app), method="HEAD"))
            head, rest = receive_head(sock)
            assert rest == b""
            assert b"Content-Length: 7" in head


def test_pieces_are_passed_on_as_they_come(previews: Previews) -> None:
    words: list[socket.socket] = []

    def events(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        words.append(connection)
        receive_all(connection)

    with running(events) as app, previews.connect() as sock:
        sock.sendall(previews.request(previews.host(app)))
        _, rest = receive_head(sock)
        assert rest == b""
        wait_for(lambda: words)
        for number in range(3):
            words[0].sendall(b"data: %d\n\n" % number)
            assert receive(sock, 14) == b"9\r\ndata: %d\n\n\r\n" % number


def test_early_hints_and_their_kind_are_not_the_answer(previews: Previews) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    processing = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    with running(saying(early + processing + HELLO)) as app:
        assert previews.ask(app)[::2] == (200, b"hello")


HOSTILE = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nX" + b"a" * 40_000,
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 17,
    b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_what_is_no_plain_answer_is_refused_with_a_reason(previews: Previews, said: bytes) -> None:
    with running(once(said)) as app:
        status, head, body = previews.ask(app)
        assert status == 502
        assert b"port-not-answering" in body
        assert b"not valid HTTP" in body
        assert fields(head)["content-type"] == "application/problem+json"
    previews.settles(held=0)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhellooo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    ],
)
def test_an_answer_that_is_cut_off_or_broken_is_seen_to_be(previews: Previews, said: bytes) -> None:
    with running(once(said)) as app, previews.connect() as sock:
        sock.sendall(previews.request(previews.host(app), "Connection: close"))
        data = receive_all(sock)
        # What was noticed before the first byte has an answer of ours.
        assert data.startswith(b"HTTP/1.1 502") or not data.endswith(b"0\r\n\r\n")
        assert b"hellooo" not in data
    previews.settles(held=0)


@pytest.mark.parametrize("late", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"x"])
def test_what_an_app_says_unasked_reaches_nobody(previews: Previews, late: bytes) -> None:
    """Right behind an answer, or later: the connection is not used again."""
    idle: list[socket.socket] = []

    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        if not idle:
            connection.sendall(HELLO + late)
        else:
            connection.sendall(HELLO)
        idle.append(connection)
        receive_all(connection)

    with running(talk) as app:
        for number in range(3):
            assert previews.ask(app)[::2] == (200, b"hello")
            wait_for(lambda wanted=number + 1: len(idle) == wanted)  # type: ignore[misc]
            if number == 1:
                idle[1].sendall(late)
        assert len(app.connections) == 3


def test_a_kept_connection_that_the_app_closed_is_replaced(previews: Previews) -> None:
    with running(once(HELLO)) as app:
        for _ in range(5):
            assert previews.ask(app)[::2] == (200, b"hello")


def test_a_request_that_changes_something_is_never_sent_twice(previews: Previews) -> None:
    """The app hangs up on every second request of a connection, without an answer."""
    asked: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        asked.append(receive_head(connection)[0].split()[0])
        connection.sendall(HELLO)
        asked.append(receive_head(connection)[0].split()[0])

    with running(talk) as app:
        assert previews.ask(app)[0] == 200
        assert previews.ask(app, "Content-Length: 0", method="POST")[0] == 200
        assert previews.ask(app)[0] == 200  # asked again on a fresh connection
        assert asked.count(b"POST") == 1


def test_an_app_that_says_nothing_is_not_there(previews: Previews) -> None:
    with running(receive_head) as app:
        status, _, body = previews.ask(app)
        assert status == 502
        assert b"without an answer" in body


def test_who_leaves_is_noticed_while_the_app_is_silent() -> None:
    ended: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        ended.append(receive_all(connection))

    with serving("web.preview.upstreams.WATCH_SECONDS=0.05") as previews, running(talk) as app:
        with previews.connect() as sock:
            sock.sendall(previews.request(previews.host(app)))
            previews.settles(held=1)
        wait_for(lambda: ended == [b""])
        previews.settles(held=0, open=0)


def test_an_answer_head_drop_by_drop_is_refused() -> None:
    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        receive_all(connection)

    bounds = ("web.preview.upstreams.WATCH_SECONDS=0.05", "web.preview.upstreams.HEAD_SECONDS=0.1")
    with serving(*bounds) as previews, running(talk) as app:
        assert previews.ask(app)[0] == 502


def test_connections_nobody_uses_are_closed() -> None:
    with (
        serving(
            "web.preview.upstreams.KEPT_SECONDS=0.2", "web.preview.gateway.SWEEP_SECONDS=0.05"
        ) as previews,
        running(saying(HELLO)) as app,
    ):
        assert previews.ask(app)[0] == 200
        previews.settles(open=0)


def test_a_workspace_has_a_bound_of_connections() -> None:
    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        receive_all(connection)

    with (
        serving("web.preview.upstreams.CONNECTIONS_EACH=2") as previews,
        running(talk) as app,
        previews.connect() as one,
        previews.connect() as two,
    ):
        for sock in (one, two):
            sock.sendall(previews.request(previews.host(app)))
        previews.settles(open=2)
        status, _, body = previews.ask(app)
        assert (status, b"too-many-requests" in body) == (429, True)


@pytest.mark.parametrize(
    ("said", "buffering"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "no"),
        (b"\r\n", "no"),
        (b"X-Accel-Buffering: yes\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "yes"),
        (b"Content-Length: 0\r\n\r\n", None),
    ],
)
def test_a_proxy_in_front_is_told_not_to_hold_streams_back(
    previews: Previews, said: bytes, buffering: str | None
) -> None:
    with running(once(b"HTTP/1.1 200 OK\r\n" + said)) as app:
        assert fields(previews.ask(app)[1]).get("x-accel-buffering") == buffering


def test_who_may_not_look_any_more_is_hung_up_on(previews: Previews) -> None:
    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
        receive_all(connection)

    with running(talk) as app, previews.connect() as sock:
        sock.sendall(previews.request(previews.host(app)))
        _, rest = receive_head(sock)
        assert rest + receive(sock, 10 - len(rest)) == b"5\r\nhello\r\n"
        previews.hang_up()
        assert receive_all(sock) == b""
    previews.settles(held=0)


@pytest.mark.slow
def test_who_does_not_read_is_hung_up_on_too(previews: Previews) -> None:
    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
        while True:
            connection.sendall(bytes(1 << 20))

    with running(talk) as app, previews.connect() as sock:
        sock.sendall(previews.request(previews.host(app)))
        receive_head(sock)
        previews.settles(held=1)
        previews.hang_up()
        previews.settles(held=0, open=0)
        assert len(receive_all(sock)) < 1 << 30
