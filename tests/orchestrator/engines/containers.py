"""What the engine tests run: small containers that sleep, or send back what they get."""

import time
from collections.abc import Callable
from typing import Any

from orchestrator.spec import Limits

OWNER = (20001, 20001)
ECHO_PORT = 7000
LIMITS = Limits(cpus=1.0, memory_bytes=128 << 20, pids=64)
SLEEP = ("sh", "-c", "echo hello; exec sleep 1000")
ECHO_SERVER = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while chunk := self.request.recv(65536):
            self.request.sendall(chunk)
socketserver.ThreadingUnixStreamServer("/run/rootblood/echo.sock", Echo).serve_forever()
"""
LISTEN_PORT = 7002
LISTEN_SERVER = f"""
import socket, time
here, elsewhere = socket.socket(), socket.socket()
here.bind(("127.0.0.1", {LISTEN_PORT}))
elsewhere.bind(("127.0.0.2", {LISTEN_PORT + 1}))
here.listen()
elsewhere.listen()
time.sleep(1000)
"""


def eventually(check: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Return the first true answer of ``check``; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.005)
