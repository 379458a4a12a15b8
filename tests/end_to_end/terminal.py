"""A terminal tab without a browser: ttyd's protocol over a WebSocket."""

import json
import re
import secrets
import socket
import threading
import time
from contextlib import suppress

import websocket

from tests.end_to_end.waiting import DEADLINE_SECONDS, until

OUTPUT, INPUT, RESIZE = b"0", b"0", b"1"  # ttyd 1.7.7, src/server.h
_KEPT_BYTES = 4 << 20
_SEQUENCES = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()].|\x1b."
)


class Terminal:
    """One open connection; a thread reads it, so that it never lags behind the server.

    ``buffer_bytes`` is what the kernel holds for a reader that does not read.
    """

    def __init__(
        self,
        url: str,
        header: dict[str, str],
        *,
        columns: int = 180,
        rows: int = 50,
        buffer_bytes: int = 0,
    ) -> None:
        options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)] if buffer_bytes else []
        self._socket = websocket.create_connection(
            url, header=header, subprotocols=["tty"], suppress_origin="Origin" in header,
            timeout=DEADLINE_SECONDS, enable_multithread=True, sockopt=options,
        )  # fmt: skip
        self._socket.settimeout(None)
        self.local_port: int = self._socket.sock.getsockname()[1]
        self._changed = threading.Condition()
        self._reading = threading.Event()
        self._reading.set()
        self._seen = bytearray()
        self.received_bytes = 0
        self.closed = threading.Event()
        size = {"AuthToken": "", "columns": columns, "rows": rows}
        self._socket.send_binary(json.dumps(size).encode())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError, websocket.WebSocketException):
            while True:
                self._reading.wait()
                opcode, data = self._socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    break
                if data[:1] == OUTPUT:
                    with self._changed:
                        self._seen += data[1:]
                        self.received_bytes += len(data)
                        if len(self._seen) > 2 * _KEPT_BYTES:
                            del self._seen[:-_KEPT_BYTES]
                        self._changed.notify_all()
        with self._changed:
            self.closed.set()
            self._changed.notify_all()

    def stop_reading(self) -> None:
        """Let what the server sends pile up, as a laptop in a tunnel does."""
        self._reading.clear()

    def resume_reading(self) -> None:
        self._reading.set()

    def type(self, text: str) -> None:
        """Press keys."""
        self._socket.send_binary(INPUT + text.encode())

    def resize(self, columns: int, rows: int) -> None:
        self._socket.send_binary(RESIZE + json.dumps({"columns": columns, "rows": rows}).encode())

    def text(self) -> str:
        """Return what was received, without control sequences."""
        with self._changed:
            return _SEQUENCES.sub(b"", bytes(self._seen)).decode(errors="replace")

    def wait_for(self, pattern: str, *, seconds: float = DEADLINE_SECONDS) -> re.Match[str]:
        """Return the last match in what was received; fail after ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            with self._changed:
                count = self.received_bytes
            if found := list(re.finditer(pattern, self.text())):
                return found[-1]
            with self._changed:
                more = self._changed.wait_for(
                    lambda seen=count: self.received_bytes != seen or self.closed.is_set(),
                    timeout=deadline - time.monotonic(),
                )
            shown = self.text()[-2000:]
            assert not self.closed.is_set(), f"closed without {pattern!r}:\n{shown}"
            assert more, f"{pattern!r} did not come within {seconds:g} s:\n{shown}"

    def value(self, expression: str, *, seconds: float = DEADLINE_SECONDS) -> str:
        """Return what the shell makes of an expression such as ``$HOME`` or ``$(date)``."""
        mark = secrets.token_hex(3)
        # The quotes keep the line as it is typed from being taken for its result.
        self.type(f'echo "{mark}""[{expression}]"\r')
        return self.wait_for(rf"{mark}\[([^\]]*)\]", seconds=seconds)[1]

    def run(self, command: str, *, seconds: float = DEADLINE_SECONDS) -> int:
        """Run a command line to its end; return its exit code."""
        self.type(f"{command}\r")
        return int(self.value("$?", seconds=seconds))

    def wait_closed(self, seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until the server has hung up."""
        until(self.closed.is_set, "the terminal is closed", seconds=seconds)

    def close(self) -> None:
        """Close the tab."""
        self._reading.set()
        if self._socket.sock is not None:
            with suppress(OSError):
                self._socket.sock.shutdown(socket.SHUT_RDWR)  # wakes the reader, as close does not
        self._reader.join(DEADLINE_SECONDS)
        self._socket.shutdown()
