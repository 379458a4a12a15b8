import socket
import threading
from collections.abc import Iterator

import pytest

from orchestrator.errors import BadInput
from tests.web.routes import UPGRADE
from tests.wire import client_frame, receive_all, receive_head, tcp_pair
from web.messages import Messages, take

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    client, server = tcp_pair()
    with client, server:
        yield client, server


@pytest.fixture
def client(pair: tuple[socket.socket, socket.socket]) -> socket.socket:
    return pair[0]


@pytest.fixture
def messages(pair: tuple[socket.socket, socket.socket]) -> Iterator[Messages]:
    made = Messages(pair[1], b"", largest_bytes=1000)
    yield made
    made.close()


def close_code(client: socket.socket) -> int:
    """Return the code of the close frame that comes."""
    data = receive_all(client)
    assert data[0] == 0x80 | CLOSE
    return int.from_bytes(data[2:4])


def test_messages_come_whole_however_they_are_cut(
    client: socket.socket, messages: Messages
) -> None:
    frames = (
        client_frame("hé".encode(), opcode=TEXT, final=False)
        + client_frame(b"?", opcode=PING)
        + client_frame(b"llo", opcode=0)
        + client_frame(b"two", opcode=TEXT)
    )
    for byte in frames:
        client.sendall(bytes([byte]))
    assert messages.receive() == "héllo"
    assert messages.receive() == "two"
    assert client.recv(100) == b"\x8a\x01?", "a ping is answered"


def test_what_came_with_the_handshake_is_read_first(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    messages = Messages(pair[1], client_frame(b"early", opcode=TEXT), largest_bytes=10)
    assert messages.receive() == "early"
    messages.close()


def test_answers_are_frames_of_text(client: socket.socket, messages: Messages) -> None:
    assert messages.send("ü")
    assert client.recv(100) == b"\x81\x02\xc3\xbc"


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (client_frame(b"x" * 1001, opcode=TEXT), 1009),
        (client_frame(b"x" * 600, opcode=TEXT, final=False) + client_frame(b"x" * 600, opcode=0),
         1009),
        (client_frame(b"x", opcode=BINARY), 1003),
        (client_frame(b"\xff", opcode=TEXT), 1007),
        (b"\x81\x01x", 1002),
        (client_frame(b"x", opcode=TEXT, start=0x40), 1002),
        (client_frame(b"\x03\xe8", opcode=CLOSE), 1000),
    ],
)  # fmt: skip
def test_what_may_not_be_sent_ends_it_with_its_code(
    client: socket.socket, messages: Messages, frames: bytes, code: int
) -> None:
    client.sendall(frames)
    assert messages.receive() is None
    messages.close()
    assert close_code(client) == code


def test_a_client_that_vanished_is_noticed(client: socket.socket, messages: Messages) -> None:
    client.close()
    assert messages.receive() is None


def test_closing_wakes_who_waits_and_says_good_bye(
    client: socket.socket, messages: Messages
) -> None:
    received: list[str | None] = ["nothing"]
    waiting = threading.Thread(target=lambda: received.append(messages.receive()))
    waiting.start()
    messages.close()
    messages.close()
    waiting.join(20)
    assert received[-1] is None
    assert close_code(client) == 1001
    assert not messages.send("late")


def environ(**changes: str) -> dict[str, object]:
    fields = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in UPGRADE.items()}
    return fields | changes


def test_a_handshake_is_answered_with_its_key(pair: tuple[socket.socket, socket.socket]) -> None:
    given = environ() | {"rootblood.hijack": lambda: (pair[1], b"")}
    messages = take(given, largest_bytes=10)
    head, rest = receive_head(pair[0])
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # RFC 6455, 1.3
    assert b"Extensions" not in head
    assert rest == b""
    messages.close()


@pytest.mark.parametrize(
    "changes",
    [{"HTTP_UPGRADE": "h2c"}, {"HTTP_SEC_WEBSOCKET_VERSION": "8"},
     {"HTTP_SEC_WEBSOCKET_KEY": "short"}],
)  # fmt: skip
def test_a_bad_handshake_takes_no_socket(changes: dict[str, str]) -> None:
    def hijack() -> None:
        raise AssertionError("taken")

    with pytest.raises(BadInput):
        take(environ(**changes) | {"rootblood.hijack": hijack}, largest_bytes=10)
    with pytest.raises(BadInput):
        take(environ(), largest_bytes=10)
