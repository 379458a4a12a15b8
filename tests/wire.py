"""Sockets, frames and a second event loop for the tests of the byte path."""

import base64
import os
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import gevent
from gevent.event import Event

T = TypeVar("T")
DEADLINE_SECONDS = 20.0


def wait_for(condition: Callable[[], T], what: str = "condition") -> T:
    """Return the first truthy value of ``condition``; fail after the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true"
        time.sleep(0.002)
    return value


class LoopThread:
    """A gevent loop in a thread of its own, so that the test may use blocking sockets."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(DEADLINE_SECONDS)

    def _run(self) -> None:
        hub = gevent.get_hub()
        self.loop = hub.loop
        self._end = Event()
        keeper = hub.loop.async_()  # a loop without anything to wait for would end
        keeper.start(lambda: None)
        self._ready.set()
        self._end.wait()
        keeper.close()
        hub.destroy(destroy_loop=True)

    def call(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run the function in the loop's thread and return its result."""

        def run() -> None:
            try:
                self._calls.put((True, function(*args, **named)))
            except BaseException as error:
                self._calls.put((False, error))

        self.loop.run_callback_threadsafe(run)
        done, value = self._calls.get(timeout=DEADLINE_SECONDS)
        if not done:
            raise value
        return value

    def close(self) -> None:
        self.call(self._end.set)
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive()


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected TCP sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=DEADLINE_SECONDS)
        far, _ = listener.accept()
    far.settimeout(DEADLINE_SECONDS)
    return near, far


def unix_pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected unix sockets."""
    near, far = socket.socketpair()
    near.settimeout(DEADLINE_SECONDS)
    far.settimeout(DEADLINE_SECONDS)
    return near, far


def reset(sock: socket.socket) -> None:
    """End a TCP connection with RST, as a crashed peer's kernel does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def receive(sock: socket.socket, size: int) -> bytes:
    """Read exactly ``size`` bytes, or less when the stream ends."""
    data = bytearray()
    while len(data) < size and (part := sock.recv(min(size - len(data), 1 << 20))):
        data += part
    return bytes(data)


def receive_all(sock: socket.socket) -> bytes:
    """Read up to the end of the stream."""
    data = bytearray()
    while part := sock.recv(1 << 20):
        data += part
    return bytes(data)


def receive_head(sock: socket.socket) -> tuple[bytes, bytes]:
    """Read a head up to its empty line; return it and what came behind."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        assert part, f"the stream ended inside a head: {data!r}"
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def client_frame(
    payload: bytes, *, opcode: int = 2, final: bool = True, mask: bytes = b"\x01\x02\x03\x04",
    start: int = 0,
) -> bytes:  # fmt: skip
    """Return one masked frame (RFC 6455, 5.2); ``start`` adds bits to its first byte."""
    size = len(payload)
    head = bytes([(0x80 if final else 0) | opcode | start])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + size.to_bytes(2)
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return head + mask + masked


def websocket_request(target: str, host: str, **fields: str) -> bytes:
    """Return a client's handshake for the subprotocol ``tty``; fields named ``X_Y`` override."""
    headers = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Origin": f"http://{host}",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "tty",
        "Sec-WebSocket-Extensions": "permessage-deflate",
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if value]
    return "\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode()


@contextmanager
def unix_server(path: str, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Serve one connection at a time on a unix socket with ``answer(connection)``."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.settimeout(DEADLINE_SECONDS)
                with connection, suppress(OSError):
                    answer(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(DEADLINE_SECONDS)
