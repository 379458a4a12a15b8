"""What bounds people's files: their allowance, the lock of their home, their turns."""

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.end_to_end.box import FILES, Box, slug
from tests.end_to_end.person import Person
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine


ALLOWANCE_BYTES = 64 << 20


@pytest.mark.slow
def test_saving_keeps_a_workspace_awake(
    make_server: Callable[..., Server], people: Callable[..., Person]
) -> None:
    """What is only looked at does not."""
    server = make_server(idle_seconds=4, collector_seconds=1).start()
    people(server, "boss")
    saver, looker = people(server), people(server)
    for person in (saver, looker):
        person.open()

    def looked_long_enough() -> bool:
        assert Box(saver).content("PUT", "file", b"x")[0] in (200, 201)
        if looker.state() == "running":
            Box(looker).names()
        return looker.state() == "stopped"

    until(looked_long_enough, "who only looks is idle", every=0.5)
    assert saver.state() == "running"


@pytest.fixture(scope="module")
def vaults(make_server: Callable[..., Server]) -> Server:
    server = make_server(
        storage="vault", allowance_disk_bytes=ALLOWANCE_BYTES, reserve_bytes=1 << 20
    ).start()
    Person(server, "boss")
    return server


@pytest.mark.slow
@pytest.mark.parametrize("place", ["workspace", "rescue"])
def test_who_is_over_quota_gets_in_to_delete(
    vaults: Server, people: Callable[..., Person], place: str
) -> None:
    person = people(vaults)
    person.open()
    box = Box(person)
    assert box.content("PUT", "small", b"small")[0] == 201
    with_room = box.names()
    if place == "rescue":
        person.ok("POST", "/api/v1/workspaces/main/stop")
    status, body = box.content("PUT", "huge", iter([b"x" * (1 << 20)] * 80))
    assert (status, slug(body)) == (409, "allowance-reached")
    assert box.names() == with_room, "nothing is left of it"
    for number in range(40):
        if box.content("PUT", f"fill{number}", b"x" * (4 << 20))[0] != 201:
            break
    status, body = box.content("PUT", "small", b"y" * (5 << 20))
    assert (status, slug(body)) == (409, "allowance-reached")
    assert box.content("GET", "small") == (200, b"small")
    assert box.headers["x-rootblood-place"] == place
    for number in range(3):
        assert box.content("DELETE", f"fill{number}")[0] == 204
    assert box.content("PUT", "small", b"y" * (5 << 20))[0] == 200


@pytest.mark.slow
def test_a_locked_home_opens_for_its_owner_alone(
    vaults: Server, people: Callable[..., Person]
) -> None:
    person = people(vaults)
    person.open()
    box = Box(person)
    assert box.content("PUT", "file", b"x")[0] == 201
    person.ok("POST", "/api/v1/workspaces/main/stop")
    person.ok("POST", "/api/v1/home/lock")
    assert box.content("GET", "file") == (200, b"x"), "the token has the key"
    stranger = people(vaults)
    status, body = Box(stranger).content("GET", "file")
    assert (status, slug(body)) == (404, "not-found")


@pytest.mark.slow
def test_one_persons_slow_downloads_take_their_own_turns(
    server: Server, people: Callable[..., Person]
) -> None:
    """Each holds a small file in memory for as long as it lasts."""
    owner, other = people(server), people(server)
    owner.open()
    other.open()
    assert Box(owner).content("PUT", "eight", b"x" * (8 << 20))[0] in (200, 201)
    head = (f"GET {FILES}/content?path=eight HTTP/1.1\r\nHost: {server.host}\r\n"
            f"Authorization: {owner.header['Authorization']}\r\n\r\n")  # fmt: skip
    with ExitStack() as downloads:
        for _ in range(16):
            one = downloads.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", server.port))
            one.sendall(head.encode())
            assert one.recv(12) == b"HTTP/1.1 200"
        for path in (FILES, f"{FILES}/names", "/api/v1/workspaces/main/git"):
            assert owner.call("GET", path).slug == "too-many-requests"
            assert other.call("GET", path).status == 200
    assert owner.call("GET", FILES).status == 200
