"""A page's WebSocket for messages of JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import websocket

from tests.end_to_end.person import Caller
from tests.end_to_end.waiting import DEADLINE_SECONDS


class Conversation:
    """One open connection."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._socket = connection
        self.code, self.reason = 0, ""
        """With which the server has hung up."""
        self.local_port: int = connection.sock.getsockname()[1]

    def say(self, message: Any) -> None:
        """Send what is text as it is, and else JSON."""
        self._socket.send(message if isinstance(message, str) else json.dumps(message))

    def next(self) -> Any:
        """Return the next message; None when the server has hung up."""
        try:
            opcode, data = self._socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self.code, self.reason = int.from_bytes(data[:2]), data[2:].decode()
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            return None
        return json.loads(data) if opcode == websocket.ABNF.OPCODE_TEXT else None

    def until(self, wanted: Callable[[Any], Any]) -> Any:
        """Return the first message of which ``wanted`` holds."""
        while True:
            said = self.next()
            assert said is not None, "the server has hung up"
            if wanted(said):
                return said

    def close(self) -> None:
        self._socket.shutdown()


@contextmanager
def conversing(caller: Caller, path: str) -> Iterator[Conversation]:
    """Open a WebSocket of the API, and close it at the end."""
    made = websocket.create_connection(
        f"ws://{caller.server.host}/api/v1/workspaces/main/{path}", header=caller.header,
        suppress_origin="Origin" in caller.header, timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    conversation = Conversation(made)
    try:
        yield conversation
    finally:
        conversation.close()
