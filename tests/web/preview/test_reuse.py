"""Which connections to an app may carry another viewer's request."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from models import Audience
from orchestrator.errors import DialFailed
from orchestrator.previews import Decision, Label, Verdict
from orchestrator.previews.domain import AppsDomain
from orchestrator.previews.viewers import Viewer
from tests.wire import DEADLINE_SECONDS, receive_head, wait_for
from web.heads import parse_request
from web.incoming import Incoming
from web.preview.entry import Knock
from web.preview.exchange import Exchange
from web.preview.gateway import OTHERS_MOST, PERSON_MOST, STRANGER_MOST, Gateway
from web.preview.sites import Site
from web.preview.upstreams import KEPT_SECONDS, Pool

SITE = Site(Label(8000, "web", "bob"), "http", "8000--web--bob.localhost")
TARGET = ("box", 8000)
EMPTY = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Bench:
    """A pool whose every app is the other end of a pair of sockets."""

    stack: ExitStack
    apps: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pool = Pool(self)  # type: ignore[arg-type]  # it only dials

    def dial(self, name: str, port: int, *, timeout: float) -> socket.socket:
        near, far = socket.socketpair()
        far.settimeout(DEADLINE_SECONDS)
        self.apps.append(self.stack.enter_context(far))
        return near

    def begin(self, request: bytes) -> tuple[socket.socket, Callable[[], None]]:
        """Pass a request on beside the test; return its client, and what waits for the end."""
        client, server = map(self.stack.enter_context, socket.socketpair())
        client.sendall(request)
        incoming = Incoming(server)
        head = parse_request(incoming.head())
        exchange = Exchange(
            self.pool, beside, incoming, head, SITE, address="192.0.2.1", framed_by=None
        )
        thread = beside(lambda: exchange.run(TARGET))

        def end() -> None:
            thread.join(DEADLINE_SECONDS)
            assert not thread.is_alive()

        return client, end


def beside(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        made = Bench(stack)
        yield made
        made.pool.sweep(time.monotonic() + KEPT_SECONDS)
        assert made.pool.open == 0


def answered(bench: Bench, request: bytes, *more: bytes) -> None:
    """Let an app answer a request as soon as it has its head, and the client send more then."""
    client, end = bench.begin(request)
    wait_for(lambda: bench.apps, "the app is dialled")
    receive_head(bench.apps[-1])
    bench.apps[-1].sendall(EMPTY)
    receive_head(client)
    for data in more:
        client.sendall(data)
    end()


def test_an_answer_that_ends_leaves_the_connection_for_the_next(bench: Bench) -> None:
    for _ in range(2):
        answered(bench, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(bench.apps) == 1


LATE = b"A" * 10, b"A" * 99_990
"""An app that was promised all of it takes what comes next for the rest."""


@pytest.mark.parametrize(
    ("request_", "more"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", LATE),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
         (b"a\r\n", b"A" * 10, b"\r\n0\r\n\r\n")),
        # What many small servers do not read of a GET is the next request to them.
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\nGET /evil HTTP/1.1\r\nX:", ()),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nG", ()),
    ],
    ids=["early-answer", "early-answer-to-chunks", "unread-body", "unread-body-of-head"],
)  # fmt: skip
def test_what_one_viewer_sent_never_begins_anothers_request(
    bench: Bench, request_: bytes, more: tuple[bytes, ...]
) -> None:
    answered(bench, request_, *more)
    assert bench.pool.open == 0


class Carrier:
    def close(self) -> None: ...


def served(
    request: bytes, viewer: Viewer | None = None, *, own: bool = True, open_ones: int = 0
) -> tuple[bool | None, Incoming, bytes]:
    """Ask a gateway whose apps are away; return whether it goes on, what is left, the answer.

    ``open_ones`` are the connections into the workspace that others have.
    """

    class Nothing:
        def dial(self, name: str, port: int, *, timeout: float) -> socket.socket:
            raise DialFailed("Nothing listens")

    def decide(asked: Knock) -> Decision:
        return Decision(
            Verdict.OPEN, asked.label, Audience.PRIVATE, "box", own=own,
            viewer=viewer or Viewer(("x",)),
        )  # fmt: skip

    platform: Any = SimpleNamespace(
        engine=Nothing(), splicer=None, settings=SimpleNamespace(trusted_proxies=0)
    )
    gateway = Gateway(platform, AppsDomain("localhost"), decide, beside)
    gateway.pool._open["box"] = open_ones
    client, server = socket.socketpair()
    with client, server:
        client.sendall(request)
        incoming = Incoming(server)
        goes_on = gateway.serve(incoming, parse_request(incoming.head()), "192.0.2.1")
        return goes_on, incoming, client.recv(65536)


def test_an_answer_in_the_apps_stead_takes_nothing_of_the_next_request() -> None:
    following = b"GET /next HTTP/1.1\r\nHost: 8000--web--bob.localhost\r\n\r\n"
    post = b"POST / HTTP/1.1\r\nHost: 8000--web--bob.localhost\r\nContent-Length: 5\r\n\r\nhello"
    goes_on, incoming, said = served(post + following)
    assert said.startswith(b"HTTP/1.1 502")
    assert not goes_on
    assert b"Connection: close" in said
    assert incoming.rest() == following


@pytest.mark.parametrize(("known", "most"), [(True, PERSON_MOST), (False, STRANGER_MOST)])
def test_one_viewer_does_not_take_all_connections(known: bool, most: int) -> None:
    viewer = Viewer(("x",), known=known)
    for _ in range(most - 1):
        viewer.hold(Carrier())
    asked = b"GET / HTTP/1.1\r\nHost: 8000--web--bob.localhost\r\n\r\n"
    assert served(asked, viewer)[2].startswith(b"HTTP/1.1 502")
    viewer.hold(Carrier())
    assert served(asked, viewer)[2].startswith(b"HTTP/1.1 429")


@pytest.mark.parametrize(("own", "status"), [(True, b"502"), (False, b"429")])
def test_others_together_leave_connections_for_the_owner(own: bool, status: bytes) -> None:
    asked = b"GET / HTTP/1.1\r\nHost: 8000--web--bob.localhost\r\n\r\n"
    assert served(asked, own=own, open_ones=OTHERS_MOST - 1)[2][9:12] == b"502"
    assert served(asked, own=own, open_ones=OTHERS_MOST)[2][9:12] == status


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_what_would_change_the_connections_meaning_is_asked_of_no_app(method: str) -> None:
    said = served(f"{method} / HTTP/1.1\r\nHost: 8000--web--bob.localhost\r\n\r\n".encode())[2]
    assert said.startswith(b"HTTP/1.1 405")
    assert b"\r\nAllow: GET, HEAD, POST" in said
