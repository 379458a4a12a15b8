"""A client, whatever the server at its other end says."""

import struct
import threading
from collections.abc import Callable, Sequence

import pytest

from orchestrator.engines import Process
from orchestrator.files.pool import CLIENTS_MAX, DUE_MAX, IDLE_SECONDS, Pool, Pools
from orchestrator.files.sftp import Client, Refused, Silent
from orchestrator.files.sftp_wire import Kind, Lost, Open, string
from tests.engine import WatchedEngine
from tests.orchestrator.engines.containers import eventually

HELLO = struct.pack(">IBI", 5, Kind.VERSION, 3)
Say = Callable[[int], bytes]


class Server:
    """Says hello, and then what it is told to; ``b""`` is its end, None that nothing comes."""

    def __init__(self, *answers: bytes | None, hello: bytes = HELLO) -> None:
        self._out = [hello, *answers]
        self.closed = 0

    def read(self, nbytes: int, /) -> bytes:
        if not self._out:
            return b""
        if self._out[0] is None:
            raise TimeoutError
        chunk, rest = self._out[0][:nbytes], self._out[0][nbytes:]
        self._out[0] = rest
        if not rest:
            del self._out[0]
        return chunk

    def write(self, data: bytes, /) -> None:
        if self.closed:
            raise BrokenPipeError

    def settimeout(self, seconds: float | None, /) -> None:
        assert seconds, "a server that says nothing must not be waited for for ever"

    def wait(self) -> int:
        return 0

    def close(self) -> None:
        self.closed += 1


def packet(kind: int, number: int, body: bytes) -> bytes:
    return struct.pack(">IBI", len(body) + 5, kind, number) + body


def status(number: int, code: int) -> bytes:
    return packet(Kind.STATUS, number, struct.pack(">I", code) + string("") + string(""))


@pytest.mark.parametrize(
    "hello", [b"", b"\0\0\0", packet(Kind.STATUS, 1, b""), b"No user found for uid 20001\n"]
)
def test_what_is_no_server_is_not_used(hello: bytes) -> None:
    server = Server(hello=hello)
    with pytest.raises(Lost):
        Client(lambda _: server)
    assert server.closed


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0",
        struct.pack(">I", 0xFFFFFFF0),
        struct.pack(">I", 0),
        packet(Kind.ATTRS, 9, b""),
        packet(Kind.ATTRS, 1, b"")[:-2],
    ],
    ids=["end", "cut off", "huge", "empty", "another's number", "too short"],
)
def test_nonsense_ends_the_client(answer: bytes) -> None:
    server = Server(answer)
    client = Client(lambda _: server)
    with pytest.raises(Lost):
        client.stat("/x")
    assert client.lost
    assert server.closed
    with pytest.raises(Lost):
        client.stat("/x")


LISTING = (
    packet(Kind.HANDLE, 1, string("h")),
    *(packet(Kind.NAME, 2 + number, struct.pack(">I", 0)) for number in range(96)),
    *(status(98 + number, 1) for number in range(9)),
)


@pytest.mark.parametrize(
    ("answers", "ask"),
    [
        (LISTING, lambda client: client.listed("/", 100)),
        ([packet(Kind.ATTRS, 1, b"\0\0\0\xff")], lambda client: client.stat("/x")),
        ([packet(Kind.DATA, 1, string("too long"))], lambda client: client.read(b"h", 0, 3)),
        ([packet(Kind.DATA, 1, struct.pack(">I", 99))], lambda client: client.read(b"h", 0, 3)),
        ([packet(Kind.NAME, 1, struct.pack(">I", 2**31))], lambda client: client.real("/x")),
    ],
    ids=["no end of names", "no attributes", "more than asked for", "a cut string", "no name"],
)
def test_answers_that_are_no_answers_are_refused(
    answers: Sequence[bytes], ask: Callable[[Client], object]
) -> None:
    with pytest.raises(Lost):
        ask(Client(lambda _: Server(*answers)))


def test_a_server_that_is_silent_is_ended() -> None:
    server = Server(None)
    client = Client(lambda _: server)
    with pytest.raises(Silent):
        client.stat("/x")
    assert client.lost
    assert server.closed


def test_refusals_leave_the_client_as_it_is() -> None:
    client = Client(lambda _: Server(status(1, 2), status(2, 3)))
    for code in (2, 3):
        with pytest.raises(Refused) as caught:
            client.stat("/x")
        assert caught.value.code == code
    assert not client.lost


def test_numbers_of_requests_go_round() -> None:
    client = Client(lambda _: Server(status(0xFFFFFFFF, 0), status(1, 0)))
    client._number = 0xFFFFFFFE
    for answer in client.ask((Kind.REMOVE, string("/a")), (Kind.REMOVE, string("/b"))):
        answer.check()


class Spawning(WatchedEngine):
    """Starts the servers that it is given."""

    def __init__(self, *servers: Server) -> None:
        super().__init__()
        self.servers = list(servers)

    def spawn(self, name: str, argv: Sequence[str]) -> Process:
        return self.servers.pop(0)


def test_a_server_that_ended_while_idle_is_replaced_unseen() -> None:
    stale, fresh = Server(status(1, 0)), Server(status(1, 0))
    pool = Pool(Spawning(stale, fresh), "rb-x-main")
    for _ in range(2):
        pool.do(lambda client: client.do(Kind.REMOVE, string("/x")))
    assert stale.closed
    assert not fresh.closed


def test_a_server_that_fails_at_once_is_not_tried_for_ever() -> None:
    engine = Spawning(Server(), Server())
    with pytest.raises(Lost):
        Pool(engine, "rb-x-main").do(lambda client: client.stat("/x"))
    assert len(engine.servers) == 1


def test_what_is_silent_is_not_asked_again() -> None:
    engine = Spawning(Server(status(1, 0), None), Server())
    pool = Pool(engine, "rb-x-main")
    pool.do(lambda client: client.do(Kind.REMOVE, string("/x")))
    with pytest.raises(Silent):
        pool.do(lambda client: client.stat("/fifo"))
    assert len(engine.servers) == 1


def test_a_busy_client_gets_company_up_to_a_limit() -> None:
    servers = [Server(*(status(1 + n, 0) for n in range(9))) for _ in range(CLIENTS_MAX)]
    pool = Pool(Spawning(*servers), "rb-x-main")
    used: list[Client] = []

    def work(client: Client) -> None:
        used.append(client)
        if len(used) < CLIENTS_MAX + 1:
            client.waiting += 1  # as while its answers are on their way
            pool.do(work)
            client.waiting -= 1

    pool.do(work)
    assert len(set(used)) == CLIENTS_MAX
    pool.close()
    assert all(server.closed for server in servers)


def test_who_has_lost_a_server_goes_on_with_one_that_is_there() -> None:
    """Many may have waited for it: each with one of its own would be as many again."""
    lost, other, spare = Server(status(1, 0)), Server(status(1, 0), status(2, 0)), Server()
    engine = Spawning(lost, other, spare)
    pool = Pool(engine, "rb-x-main")

    def remove(client: Client) -> None:
        client.do(Kind.REMOVE, string("/x"))

    def work(client: Client) -> None:
        client.waiting += 1  # as while its answers are on their way
        pool.do(remove)
        client.waiting -= 1
        remove(client)

    pool.do(work)
    pool.do(remove)
    assert lost.closed
    assert engine.servers == [spare]


def test_what_is_due_later_is_done_at_once_where_much_is() -> None:
    pool = Pool(Spawning(), "rb-x-main")
    gate, started, done = threading.Event(), threading.Semaphore(0), []

    def wait() -> None:
        started.release()
        assert gate.wait(30)
        done.append("later")

    for _ in range(DUE_MAX):
        pool.later(wait)
    for _ in range(DUE_MAX):
        assert started.acquire(timeout=30)
    pool.later(lambda: done.append("at once"))
    assert done == ["at once"]
    gate.set()
    eventually(lambda: len(done) == DUE_MAX + 1)


def test_what_fails_later_is_nobodys_error() -> None:
    pool = Pool(Spawning(), "rb-x-main")

    def fail() -> None:
        raise Refused(4)

    for _ in range(3 * DUE_MAX):
        pool.later(fail)


def test_idle_servers_end_but_not_under_an_open_file() -> None:
    server = Server(packet(Kind.HANDLE, 1, string("h")), status(2, 0))
    pools, engine = Pools(), Spawning(server)
    pool = pools.of(engine, "rb-x-main")
    client, handle = pool.do(lambda client: (client, client.open("/x", Open.READ)))
    soon, late = pool.used + IDLE_SECONDS - 1, pool.used + IDLE_SECONDS
    pools.close_idle(late)
    assert not server.closed
    client.release(handle)
    pools.close_idle(soon)
    assert not server.closed
    pools.close_idle(late)
    assert server.closed
    assert not pools.live("rb-x-main")
