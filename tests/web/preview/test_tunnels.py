"""WebSockets through the gateway: verified once, then raw, and hung up on when the right ends."""

import socket
import struct

import pytest

from orchestrator.websocket import accept_key
from tests.web.preview.previewing import Previews, fields, running
from tests.wire import (
    client_frame,
    receive,
    receive_all,
    receive_head,
    wait_for,
    websocket_request,
)

FRAME = client_frame(b"hello")


def accepted(head: bytes, *more: bytes, key: bytes = b"") -> bytes:
    given = key or fields(head.split(b"\r\n"))["sec-websocket-key"].encode()
    lines = (
        b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: upgrade",
        b"Sec-WebSocket-Accept: " + accept_key(given.decode()).encode(), *more, b"", b"",
    )  # fmt: skip
    return b"\r\n".join(lines)


def echo(connection: socket.socket) -> None:
    head, rest = receive_head(connection)
    connection.sendall(accepted(head) + rest)
    while data := connection.recv(65536):
        connection.sendall(data)


def opened(previews: Previews, port: int, early: bytes = b"", **more: str) -> socket.socket:
    sock = previews.connect()
    sock.sendall(websocket_request("/ws?x", previews.host(port), **more) + early)
    return sock


def test_frames_pass_as_they_are_both_ways(previews: Previews) -> None:
    with running(echo) as app, opened(previews, app.port, FRAME) as sock:
        head, rest = receive_head(sock)
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols")
        assert rest + receive(sock, len(FRAME) - len(rest)) == FRAME
        sock.sendall(FRAME * 3)
        assert receive(sock, 3 * len(FRAME)) == FRAME * 3
        assert previews.seen()["spliced"] == 1
        assert previews.seen()["held"] == 1
    previews.settles(spliced=0, held=0)


def test_the_app_is_asked_for_the_clients_own_socket(previews: Previews) -> None:
    asked: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        head, _ = receive_head(connection)
        asked.append(head)
        sets = (b"Set-Cookie: a=b", b"Set-Cookie: __Host-rootblood-pass=x", b"X-Own: 1")
        connection.sendall(accepted(head, *sets, b"Sec-WebSocket-Protocol: vite"))
        receive_all(connection)

    cookie = "__Host-rootblood-pass=secret; sid=1"
    with running(talk) as app, opened(previews, app.port, Cookie=cookie) as sock:
        head, _ = receive_head(sock)
        assert b"Sec-WebSocket-Protocol: vite" in head
        assert b"Set-Cookie: a=b" in head
        assert b"rootblood" not in head
        seen = fields(asked[0].split(b"\r\n"))
        assert seen["cookie"] == "sid=1"
        assert seen["host"] == f"localhost:{app.port}"
        assert seen["sec-websocket-extensions"] == "permessage-deflate"
        assert (seen["connection"], seen["upgrade"]) == ("Upgrade", "websocket")


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        accepted(b"", key=b"AAAAAAAAAAAAAAAAAAAAAA=="),
        accepted(b"", key=b"AAAAAAAAAAAAAAAAAAAAAA==").replace(b"websocket", b"h2c"),
        accepted(b"", b"Content-Length: 5", key=b"AAAAAAAAAAAAAAAAAAAAAA=="),
    ],
)
def test_a_change_to_something_else_is_refused(previews: Previews, said: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(said)
        receive_all(connection)

    with running(talk) as app, opened(previews, app.port) as sock:
        head, rest = receive_head(sock)
        assert b"502 Bad Gateway" in head
        assert b"handshake" in rest + receive_all(sock)
    previews.settles(spliced=0, held=0)


def test_an_answer_instead_of_a_socket_is_passed_on(previews: Previews) -> None:
    said = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!"

    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(said)

    with running(talk) as app, opened(previews, app.port) as sock:
        head, rest = receive_head(sock)
        assert b"403 Forbidden" in head
        assert rest + receive(sock, 3 - len(rest)) == b"no!"
    previews.settles(spliced=0, held=0)


@pytest.mark.parametrize(
    "more", [{"Sec_WebSocket_Key": "short"}, {"Sec_WebSocket_Key": ""}, {"Content_Length": "5"}]
)
def test_what_no_websocket_can_come_of_does_not_reach_the_app(
    previews: Previews, more: dict[str, str]
) -> None:
    with running(echo) as app, opened(previews, app.port, **more) as sock:
        assert b"422 Unprocessable" in receive_head(sock)[0]
        assert app.connections == []


def test_another_protocol_is_not_upgraded_to(previews: Previews) -> None:
    def talk(connection: socket.socket) -> None:
        head, _ = receive_head(connection)
        assert b"pgrade" not in head
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with running(talk) as app, opened(previews, app.port, Upgrade="h2c") as sock:
        assert b"200 OK" in receive_head(sock)[0]


def test_who_may_not_look_any_more_is_cut_off(previews: Previews) -> None:
    with running(echo) as app, opened(previews, app.port) as sock:
        receive_head(sock)
        previews.settles(spliced=1)
        previews.hang_up()
        assert receive_all(sock) == b""
        wait_for(lambda: app.connections)
    previews.settles(spliced=0, held=0)


def test_either_end_ends_the_other(previews: Previews) -> None:
    def bye(connection: socket.socket) -> None:
        head, _ = receive_head(connection)
        connection.sendall(accepted(head) + b"\x88\x02" + struct.pack("!H", 1000))

    with running(bye) as app, opened(previews, app.port) as sock:
        _, rest = receive_head(sock)
        assert (rest + receive_all(sock)).endswith(b"\x88\x02\x03\xe8")
    previews.settles(spliced=0, held=0)


@pytest.mark.slow
def test_sockets_leave_nothing_behind(previews: Previews) -> None:
    previews.settles(spliced=0, held=0)
    with running(echo) as app:
        for number in range(60):
            with opened(previews, app.port) as sock:
                receive_head(sock)
            if number == 20:
                previews.settles(spliced=0, open=0)
                before = previews.seen()["files"]
        previews.settles(spliced=0, held=0, open=0)
        assert previews.seen()["files"] <= before
