"""A joined pair with a test at both far ends."""

import select
import socket

from orchestrator.splice import Splice, Splicer
from tests.wire import (
    LoopThread,
    tcp_pair,
    unix_pair,
    wait_for,
)


class Pair:
    """A joined pair with the far end of each side in the test's hands."""

    def __init__(
        self, thread: LoopThread, splicer: Splicer, *,
        client_side=None, shell_side=None, meter=None, **initial,
    ) -> None:  # fmt: skip
        self.browser, client = client_side or tcp_pair()
        self.shell, upstream = shell_side or unix_pair()
        self.thread = thread
        self.reasons: list[str] = []
        self.metered: list[bytes] = []

        def note(data: memoryview) -> bool:
            self.metered.append(bytes(data))
            return True

        self.splice: Splice = thread.call(
            splicer.join, client, upstream,
            meter=meter or note, on_close=self.reasons.append, **initial,
        )  # fmt: skip
        # The near ends belong to the splice now; their objects are empty.
        assert client.fileno() == upstream.fileno() == -1

    def reason(self) -> str:
        wait_for(lambda: self.reasons, "on_close")
        assert self.splice.closed
        return self.reasons[0]

    def close(self) -> None:
        self.thread.call(self.splice.close)
        self.browser.close()
        self.shell.close()
        assert len(self.reasons) == 1


def fill(sock: socket.socket) -> int:
    """Send until nobody takes any more; return how much went."""
    sock.setblocking(False)
    sent = 0
    while select.select([], [sock], [], 0.3)[1]:
        try:
            sent += sock.send(b"y\n" * 4096)
        except BlockingIOError:
            continue
    sock.settimeout(20)
    return sent
