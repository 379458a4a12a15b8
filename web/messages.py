"""A WebSocket that ends here: whole messages of text, in both directions.

What a terminal sends is passed on unread (see upgrade.py); of a watch or a language server each
message is looked at.
"""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Message, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from orchestrator.splice import CLIENT_OPTIONS
from orchestrator.websocket import accept_key
from web.upgrade import HIJACK, offer

READ_BYTES = 65536
SILENCE_SECONDS = 30.0
"""Then a ping: proxies drop connections on which nothing passes."""

# Close codes of RFC 6455, 7.4.1.
_GOING_AWAY, _NO_TEXT, _TOO_LARGE = 1001, 1003, 1009


class Messages:
    """One client's WebSocket. One thread receives; any may send and close."""

    def __init__(self, client: socket.socket, received: bytes, *, largest_bytes: int) -> None:
        self._client = client
        self._largest = largest_bytes
        self._protocol = Connection(ConnectionType.SERVER, trailing_data=received)
        self._sending = threading.Lock()
        for level, option, value in CLIENT_OPTIONS:
            client.setsockopt(level, option, value)
        client.settimeout(SILENCE_SECONDS)

    def receive(self) -> str | None:
        """Return the next message, or None when the client has left or sent what it may not."""
        parts: list[str] = []
        size = 0
        while self._protocol.state is ConnectionState.OPEN:
            for event in self._protocol.events():
                if isinstance(event, Ping):
                    self._send(event.response())
                elif isinstance(event, CloseConnection):
                    self._send(event.response())
                    return None
                elif isinstance(event, TextMessage):
                    size += len(event.data)
                    if size > self._largest:
                        self._send(CloseConnection(_TOO_LARGE, "too large"))
                        return None
                    parts.append(event.data)
                    if event.message_finished:
                        return "".join(parts)
                elif isinstance(event, Message):
                    self._send(CloseConnection(_NO_TEXT, "text only"))
                    return None
            if not self._read():
                return None
        return None

    def send(self, text: str) -> bool:
        """Send one message; false when the client has left."""
        return self._send(TextMessage(text))

    def close(self, code: int = _GOING_AWAY, reason: str = "") -> None:
        """Say good-bye and hang up; closing twice is allowed. ``reason`` has up to 123 bytes."""
        # A client that does not read must not keep us: it gets no good-bye.
        if self._sending.acquire(blocking=False):
            self._sending.release()
            self._send(CloseConnection(code, reason))
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for it
        self._client.close()

    def _read(self) -> bool:
        """Give the protocol what has come; false at the end."""
        while True:
            try:
                data = self._client.recv(READ_BYTES)
            except TimeoutError:
                if not self._send(Ping()):
                    return False
                continue
            except OSError:
                return False
            if data:
                self._protocol.receive_data(data)
            return bool(data)

    def _send(self, event: Any) -> bool:
        with self._sending:
            try:
                self._client.sendall(self._protocol.send(event))
            except (OSError, LocalProtocolError):
                return False
        return True


def take(environ: Mapping[str, Any], *, largest_bytes: int) -> Messages:
    """Accept the client's WebSocket and take its socket; whoever obtains it closes it.

    After a return the response of the view is thrown away: the contract is in app.py.
    Raises: BadInput.
    """
    key, _ = offer(environ, ())
    answer = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
    )
    client, received = environ[HIJACK]()
    try:
        messages = Messages(client, received, largest_bytes=largest_bytes)
        client.sendall(answer.encode("ascii"))
    except BaseException:
        client.close()
        raise
    return messages
