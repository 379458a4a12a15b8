"""What the kernel says of sockets that this process listens on."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from orchestrator.engines import sock_diag


@pytest.fixture
def kernel() -> Iterator[socket.socket]:
    kind, protocol = socket.SOCK_DGRAM, sock_diag.NETLINK_SOCK_DIAG
    with socket.socket(socket.AF_NETLINK, kind, protocol) as made:
        yield made


def inode(one: socket.socket) -> int:
    return os.fstat(one.fileno()).st_ino


@pytest.mark.parametrize(
    ("family", "address", "told"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", "0.0.0.0"),
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::", "::"),
        (socket.AF_INET6, "::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_socket_that_listens_is_told_with_its_address_and_inode(
    kernel: socket.socket, family: int, address: str, told: str
) -> None:
    with socket.socket(family) as one:
        one.bind((address, 0))
        port = one.getsockname()[1]
        assert (port, told, inode(one)) not in sock_diag.ask(kernel), "it is only bound"
        one.listen()
        assert (port, told, inode(one)) in sock_diag.ask(kernel)


def test_connections_are_no_listeners(kernel: socket.socket) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(server.getsockname()))
        accepted = stack.enter_context(server.accept()[0])
        inodes = {inode for _, _, inode in sock_diag.ask(kernel)}
        assert inode(server) in inodes
        assert not inodes & {inode(client), inode(accepted)}


def test_thousands_are_cut(kernel: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sock_diag, "SOCKETS_MOST", 20)
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        assert len(sock_diag.ask(kernel)) == 20


def test_a_kernel_that_cannot_be_asked_is_an_error() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.send(
            sock_diag._HEADER.pack(20, 2, 0, 0, 0) + (-2).to_bytes(4, "little", signed=True)
        )
        with pytest.raises(FileNotFoundError):
            list(sock_diag._answers(ours))
