"""Whose ports are, by tables of processes that were written down, and by those of this machine."""

import os
import socket
from pathlib import Path

import pytest

from orchestrator.inside import sockets

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"  # noqa: E501


class Table:
    """A folder that stands for ``/proc``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "net").mkdir()
        (folder / "self").mkdir()

    def process(
        self, pid: int, parent: int = 1, session: int = 1, *, name: str = "x", state: str = "S",
        inodes: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        files = self._folder / str(pid) / "fd"
        files.mkdir(parents=True)
        line = f"{pid} ({name}) {state} {parent} {pid} {session} 0 -1 4194304\n"
        (files.parent / "stat").write_text(line)
        (files.parent / "comm").write_text(f"{name}\n")
        os.symlink("/dev/null", files / "0")
        for number, inode in enumerate(inodes, 3):
            os.symlink(f"socket:[{inode}]", files / str(number))

    def sockets(self, family: str, *lines: tuple[str, int, str, int]) -> None:
        text = "".join(
            f"   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 "
            f"00000000  1000        0 {inode} 1 0000000000000000 100 0 0 10 0\n"
            for address, port, state, inode in lines
        )
        (self._folder / "net" / family).write_text(HEAD + text)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setattr(sockets, "PROC", str(tmp_path))
    return Table(tmp_path)


def test_what_listens_on_a_port_is_found_in_both_families(table: Table) -> None:
    table.sockets(
        "tcp", ("0100007F", 8000, "0A", 11), ("00000000", 8001, "0A", 12),
        ("0100007F", 8000, "01", 13),
    )  # fmt: skip
    assert sockets.listening(8000) == {11}
    table.sockets("tcp6", ("0" * 32, 8000, "0A", 21), ("0" * 32, 8000, "06", 0))
    assert sockets.listening(8000) == {11, 21}
    assert sockets.listening(8002) == set()


def test_holders_are_all_that_have_one_of_the_sockets(table: Table) -> None:
    table.process(10, inodes=(11,))
    table.process(20, inodes=(5, 21))
    table.process(30, inodes=(111, 1))
    table.process(40)
    assert sockets.holders({11, 21}) == {10, 20}
    assert sockets.holders(set()) == set()


def test_a_family_is_what_was_started_and_what_shares_the_session(table: Table) -> None:
    table.process(10, session=10)
    table.process(11, parent=10, session=10)
    table.process(12, parent=11, session=12)
    table.process(13, parent=1, session=10, name="left by its parent")
    table.process(14, parent=13, session=14, name="started by what was left")
    table.process(20, session=20)
    table.process(21, parent=20, session=20)
    assert sockets.family(10) == {10, 11, 12, 13, 14}


def test_what_has_ended_is_no_family(table: Table) -> None:
    table.process(10, session=10, state="Z")
    table.process(11, parent=10, session=10, state="X")
    table.process(12, parent=10, session=10)
    assert sockets.family(10) == {12}
    assert sockets.family(99) == set()


def test_a_name_cannot_hide_whose_a_process_is(table: Table) -> None:
    table.process(10, session=10)
    table.process(11, parent=10, session=11, name="x) Z 1 1 1 (y")
    assert sockets.family(10) == {10, 11}
    assert sockets.name(11) == "x) Z 1 1 1 (y"
    assert sockets.name(99) == ""


def test_a_socket_of_this_machine_is_found_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = sockets.listening(server.getsockname()[1])
        assert found == {os.fstat(server.fileno()).st_ino}
        assert os.getpid() in sockets.holders(found)
