"""Requests with bodies: small ones, huge ones, ones that stop halfway, and ones nobody wants."""

import socket
from pathlib import Path

import pytest

from tests.web.preview.previewing import Previews, fields, running
from tests.wire import receive, receive_all, receive_head, wait_for
from web.preview.exchange import WHOLE_BYTES

HUGE = 64 << 20
MEBIBYTE = bytes(range(256)) * 4096


def counting(connection: socket.socket) -> None:
    """Answer how many bytes a counted body had, again and again."""
    while True:
        head, rest = receive_head(connection)
        size = int(fields(head.split(b"\r\n")).get("content-length", 0))
        while len(rest) < min(size, 1 << 20):
            rest += connection.recv(1 << 20)
        count = len(rest)
        while count < size:
            count += len(connection.recv(1 << 20))
        said = str(count).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))


def heard(connection: socket.socket) -> bytes:
    """Answer with the request's own bytes, once a body in chunks has ended."""
    head, rest = receive_head(connection)
    while not rest.endswith(b"0\r\n\r\n"):
        rest += connection.recv(65536)
    whole = head + b"\r\n\r\n" + rest
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(whole), whole))
    return receive_all(connection)


@pytest.mark.parametrize("size", [0, 1, WHOLE_BYTES, WHOLE_BYTES + 1, 3 << 20])
def test_bodies_of_all_sizes_arrive_and_the_connection_goes_on(
    previews: Previews, size: int
) -> None:
    body = (MEBIBYTE * (size // len(MEBIBYTE) + 1))[:size]
    with running(counting) as app, previews.connect() as sock:
        for _ in range(2):
            length = f"Content-Length: {size}"
            host = previews.host(app)
            sock.sendall(previews.request(host, length, method="POST", body=body))
            head, rest = receive_head(sock)
            wanted = str(size).encode()
            assert rest + receive(sock, len(wanted) - len(rest)) == wanted
            # It may have been said before all was sent that nothing follows; never after.
            if b"Connection: close" in head:
                assert size > WHOLE_BYTES
                assert receive_all(sock) == b""
                break


def test_a_body_in_chunks_is_put_together_anew(previews: Previews) -> None:
    sent = b"5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nX-Trailer: gone\r\n\r\n"
    with running(heard) as app:
        status, _, body = previews.ask(
            app, "Transfer-Encoding: chunked", method="POST", body=sent
        )  # fmt: skip
        head, _, content = body.partition(b"\r\n\r\n")
        assert status == 200
        assert head.count(b"Transfer-Encoding: chunked") == 1
        assert b"ext" not in content
        assert b"Trailer" not in content
        assert content.endswith(b"\r\n0\r\n\r\n")
        assert b"hello" in content


@pytest.mark.parametrize(
    "sent",
    [
        b"5\r\nhelloX\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n folded\r\n\r\n",
        b"zz\r\n",
    ],
)
def test_chunks_of_two_meanings_never_end_at_the_app(previews: Previews, sent: bytes) -> None:
    got: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        _, rest = receive_head(connection)
        try:
            got.append(rest + receive_all(connection))
        except ConnectionResetError:
            got.append(b"")

    with running(talk) as app, previews.connect() as sock:
        host = previews.host(app)
        hidden = previews.request(host, target="/hidden")
        chunked = "Transfer-Encoding: chunked"
        sock.sendall(previews.request(host, chunked, method="POST", body=sent + hidden))
        assert b"HTTP/1.1 200" not in receive_all(sock)
        wait_for(lambda: got)
    assert b"hidden" not in got[0]
    assert not got[0].endswith(b"0\r\n\r\n")
    previews.settles(held=0)


def test_a_client_that_leaves_halfway_takes_its_request_along(previews: Previews) -> None:
    got: list[int] = []

    def talk(connection: socket.socket) -> None:
        _, rest = receive_head(connection)
        got.append(len(rest + receive_all(connection)))

    with running(talk) as app:
        with previews.connect() as sock:
            length = f"Content-Length: {HUGE}"
            host = previews.host(app)
            sock.sendall(previews.request(host, length, method="POST", body=MEBIBYTE))
        wait_for(lambda: got)
        assert got[0] <= len(MEBIBYTE)
    previews.settles(held=0)


def test_who_asks_first_is_told_to_go_on(previews: Previews) -> None:
    def talk(connection: socket.socket) -> None:
        head, rest = receive_head(connection)
        assert fields(head.split(b"\r\n"))["expect"] == "100-continue"
        assert rest == b""
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert receive(connection, 5) == b"hello"
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        receive_all(connection)

    with running(talk) as app, previews.connect() as sock:
        expect = ("Expect: 100-continue", "Content-Length: 5")
        sock.sendall(previews.request(previews.host(app), *expect, method="PUT"))
        assert receive_head(sock) == (b"HTTP/1.1 100 Continue", b"")
        sock.sendall(b"hello")
        assert b"201 Created" in receive_head(sock)[0]


def test_an_app_may_refuse_before_the_body_comes(previews: Previews) -> None:
    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")

    with running(talk) as app, previews.connect() as sock:
        expect = ("Expect: 100-continue", f"Content-Length: {HUGE}")
        sock.sendall(previews.request(previews.host(app), *expect, method="PUT"))
        head, rest = receive_head(sock)
        assert b"413 Too Large" in head
        assert b"Connection: close" in head
        sock.shutdown(socket.SHUT_WR)
        assert rest + receive_all(sock) == b"no!"
    previews.settles(held=0)


def test_an_answer_before_the_end_of_a_huge_body_arrives(previews: Previews) -> None:
    """Though the client goes on sending, as most do, and looks at the answer only then."""

    def talk(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        connection.shutdown(socket.SHUT_WR)
        receive_all(connection)

    with running(talk) as app, previews.connect() as sock:
        asked = ("Content-Length: 900000", "Connection: close")
        sock.sendall(previews.request(previews.host(app), *asked, method="POST"))
        for _ in range(9):
            sock.sendall(MEBIBYTE[:100_000])
        head, rest = receive_head(sock)
        assert b"413 Too Large" in head
        assert rest + receive_all(sock) == b"no!"
    previews.settles(held=0)


def test_both_directions_flow_at_once(previews: Previews) -> None:
    def echo(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")
        for _ in range(3):
            connection.sendall(receive(connection, 4))
        receive_all(connection)

    with running(echo) as app, previews.connect() as sock:
        fields_ = ("Expect: 100-continue", "Content-Length: 12")  # else it is read at once
        sock.sendall(previews.request(previews.host(app), *fields_, method="POST"))
        assert b"200 OK" in receive_head(sock)[0]
        for word in (b"one.", b"two.", b"six."):
            sock.sendall(word)
            assert receive(sock, 4) == word


def test_a_huge_body_needs_no_memory(previews: Previews) -> None:
    def resident() -> int:
        status = Path(f"/proc/{previews.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    with running(counting) as app, previews.connect() as sock:
        length = f"Content-Length: {HUGE}"
        before = resident()
        sock.sendall(previews.request(previews.host(app), length, method="POST"))
        for _ in range(HUGE // len(MEBIBYTE)):
            sock.sendall(MEBIBYTE)
        _, rest = receive_head(sock)
        wanted = str(HUGE).encode()
        assert rest + receive(sock, len(wanted) - len(rest)) == wanted
        assert resident() - before < HUGE // 8
