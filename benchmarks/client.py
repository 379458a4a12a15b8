"""A terminal's client: as little code as can tell what the path below it costs."""

import base64
import json
import os
import socket
from collections.abc import Mapping
from typing import Self

TIMEOUT_SECONDS = 60.0
_WASTE = memoryview(bytearray(1 << 20))


class Terminal:
    """One WebSocket that speaks ttyd's protocol; ``sock`` is connected and becomes its own."""

    def __init__(
        self, sock: socket.socket, target: str, headers: Mapping[str, str] | None = None
    ) -> None:
        sock.settimeout(TIMEOUT_SECONDS)
        self.sock = sock
        self._data = bytearray()
        fields = {
            "Host": "localhost",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": "tty",
        } | dict(headers or {})
        lines = [f"{name}: {value}" for name, value in fields.items()]
        sock.sendall("\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode())
        while (end := self._data.find(b"\r\n\r\n")) < 0:
            self._receive()
        status = self._data.split(b" ", 2)[1]
        if status != b"101":
            raise ConnectionError(bytes(self._data[:2000]).decode(errors="replace"))
        del self._data[: end + 4]

    @classmethod
    def over_unix(cls, path: str, target: str) -> Self:
        """Connect to a server's unix socket."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        return cls(sock, target)

    @classmethod
    def over_tcp(cls, port: int, target: str, headers: Mapping[str, str] | None = None) -> Self:
        """Connect to a port of this machine."""
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock, target, headers)

    def begin(self, columns: int = 80, rows: int = 24) -> None:
        """Tell ttyd the window's size; it starts its program then."""
        self._send(json.dumps({"AuthToken": "", "columns": columns, "rows": rows}).encode())

    def type(self, text: bytes) -> None:
        """Send input."""
        self._send(b"0" + text)

    def output(self) -> bytes:
        """Wait for the next piece of output and return it."""
        while True:
            opcode, payload = self._frame()
            if opcode == 8:
                raise ConnectionError("the terminal was closed")
            if opcode in (1, 2) and payload[:1] == b"0":
                return payload[1:]

    def wait_for(self, text: bytes) -> bytes:
        """Read output up to and including ``text``; return all of it."""
        seen = bytearray()
        while text not in seen:
            seen += self.output()
        return bytes(seen)

    def drain(self, size: int) -> int:
        """Read and drop ``size`` bytes of whatever comes; return how many it were."""
        count = len(self._data)
        self._data.clear()
        while count < size:
            received = self.sock.recv_into(_WASTE)
            if not received:
                raise ConnectionError("the terminal was closed")
            count += received
        return count

    def close(self) -> None:
        """Hang up."""
        self.sock.close()

    def _send(self, payload: bytes) -> None:
        size = len(payload)
        head = bytes([0x82, 0x80 | size]) if size < 126 else b"\x82\xfe" + size.to_bytes(2)
        self.sock.sendall(head + bytes(4) + payload)  # a mask of zeros masks nothing

    def _frame(self) -> tuple[int, bytes]:
        self._need(2)
        size, start = self._data[1], 2
        if size > 125:
            start = 4 if size == 126 else 10
            self._need(start)
            size = int.from_bytes(self._data[2:start])
        self._need(start + size)
        opcode, payload = self._data[0] & 15, bytes(self._data[start : start + size])
        del self._data[: start + size]
        return opcode, payload

    def _need(self, size: int) -> None:
        while len(self._data) < size:
            self._receive()

    def _receive(self) -> None:
        received = self.sock.recv(1 << 18)
        if not received:
            raise ConnectionError("the terminal was closed")
        self._data += received
