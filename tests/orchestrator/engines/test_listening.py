"""What is read from ``/proc`` of a container, here of one that was written down."""

import os
from pathlib import Path

import pytest

from orchestrator.engines import Listener, listening

ID = "c" * 64
PID = 4711
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"  # noqa: E501
OWN = "172.20.0.5"


def line(address: str, port: int, inode: int, state: str = "0A") -> str:
    return (
        f"   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000"
        f"  1000        0 {inode} 1 0000000000000000 100 0 0 10 0\n"
    )


LOOPBACK, ANY, RESOLVER, OWN_HEX, OTHER = "0100007F", "00000000", "0B00007F", "050014AC", "0600000A"
ANY6, LOOPBACK6 = "0" * 32, "0" * 24 + "01000000"
MAPPED = "0000000000000000FFFF00000100007F"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    base = tmp_path / f"proc/{PID}"
    (base / "net").mkdir(parents=True)
    (base / "cgroup").write_text(f"0::/docker/{ID}\n")
    (base / "net/tcp").write_text(HEAD)
    (base / "net/tcp6").write_text(HEAD)
    pids = tmp_path / f"sys/fs/cgroup/docker/{ID}"
    pids.mkdir(parents=True)
    (pids / "cgroup.procs").write_text("")
    return tmp_path


def process(root: Path, pid: int, command: bytes, *inodes: int, comm: bytes = b"x\n") -> None:
    files = root / f"proc/{pid}/fd"
    files.mkdir(parents=True)
    (files.parent / "cmdline").write_bytes(command)
    (files.parent / "comm").write_bytes(comm)
    os.symlink("/dev/null", files / "0")
    os.symlink("pipe:[77]", files / "1")
    for number, inode in enumerate(inodes, 3):
        os.symlink(f"socket:[{inode}]", files / str(number))
    procs = root / f"sys/fs/cgroup/docker/{ID}/cgroup.procs"
    procs.write_text(f"{procs.read_text()}{pid}\n")


def tables(root: Path, tcp: str = "", tcp6: str = "") -> None:
    (root / f"proc/{PID}/net/tcp").write_text(HEAD + tcp)
    (root / f"proc/{PID}/net/tcp6").write_text(HEAD + tcp6)


def read(root: Path, known: listening.Sockets | None = None) -> list[Listener] | None:
    return listening.read(root, PID, ID, OWN, {} if known is None else known)


def test_listeners_come_by_port_with_the_command_that_holds_them(root: Path) -> None:
    tables(root, line(LOOPBACK, 8888, 11) + line(ANY, 80, 12), line(ANY6, 5173, 13))
    process(root, 100, b"/usr/bin/python3\0/usr/local/bin/jupyter-lab\0--no-browser\0", 11)
    process(root, 101, b"node\0/home/ann/app/node_modules/.bin/vite\0", 5, 13, 12)
    assert read(root) == [
        Listener(80, "0.0.0.0", "node vite"),
        Listener(5173, "::", "node vite"),
        Listener(8888, "127.0.0.1", "python3 jupyter-lab --no-browser"),
    ]


def test_what_a_dial_does_not_reach_is_not_listed(root: Path) -> None:
    tables(
        root,
        line(RESOLVER, 40001, 1) + line(OTHER, 40002, 2) + line(OWN_HEX, 40003, 3),
        line(LOOPBACK6, 40004, 4) + line(MAPPED, 40005, 5) + line("0" * 30 + "FF", 40006, 6),
    )
    assert [(one.port, one.address) for one in read(root) or ()] == [
        (40003, OWN),
        (40004, "::1"),
        (40005, "127.0.0.1"),
    ]


def test_connections_are_no_listeners(root: Path) -> None:
    tables(root, line(ANY, 80, 1) + line(ANY, 80, 2, "01") + line(ANY, 9000, 3, "01"))
    assert [one.port for one in read(root) or ()] == [80]


def test_a_port_that_listens_twice_is_one(root: Path) -> None:
    tables(root, line(ANY, 80, 1) + line(ANY, 80, 2), line(ANY6, 80, 3))
    assert read(root) == [Listener(80, "0.0.0.0")]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (b"a\x1b[31mb\0\xff\xfe\0" + "\u202egnp".encode() + b"\0", "a[31mb \ufffd\ufffd gnp"),
        (b"x" * 5000, "x" * listening.COMMAND_MAX),
        (b"", "the name"),
        (b"\0\0\0", "the name"),
        (b"/\0//\0", "/ //"),
    ],
)
def test_hostile_names_are_one_short_printable_line(root: Path, command: bytes, shown: str) -> None:
    tables(root, line(ANY, 80, 1))
    process(root, 100, command, 1, comm=b"the\nname\n".replace(b"\n", b" ", 1))
    assert read(root) == [Listener(80, "0.0.0.0", shown)]


def test_thousands_of_listeners_are_cut(root: Path) -> None:
    tables(root, "".join(line(ANY, port, port) for port in range(1, 30_000)))
    found = read(root) or []
    assert [one.port for one in found] == list(range(1, listening.LISTENERS_MOST + 1))


def test_programs_are_looked_for_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    links = listening._links
    monkeypatch.setattr(
        listening, "_links", lambda process, most: looked.append(process) or links(process, most)
    )
    tables(root, line(ANY, 80, 1) + line(ANY, 81, 2))
    process(root, 100, b"one\0", 1)
    known: listening.Sockets = {}
    assert read(root, known) == [Listener(80, "0.0.0.0", "one"), Listener(81, "0.0.0.0")]
    assert len(looked) == 1
    assert read(root, known) == [Listener(80, "0.0.0.0", "one"), Listener(81, "0.0.0.0")]
    assert len(looked) == 1
    tables(root, line(ANY, 80, 3))
    assert read(root, known) == [Listener(80, "0.0.0.0")]
    assert known == {3: ""}


def test_a_process_with_endless_files_is_not_read_to_its_end(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "LINKS_MOST", 50)
    tables(root, line(ANY, 80, 999_999))
    process(root, 100, b"hoarder\0", *range(1, 200))
    process(root, 101, b"victim\0", 999_999)
    assert read(root) == [Listener(80, "0.0.0.0")]


@pytest.mark.parametrize("gone", ["process", "net", "other"])
def test_a_container_that_is_gone_is_none(root: Path, gone: str) -> None:
    base = root / f"proc/{PID}"
    if gone == "other":  # the number is another process's by now
        (base / "cgroup").write_text("0::/user.slice\n")
    elif gone == "net":
        (base / "net/tcp").unlink()
    else:
        base.rename(root / "proc/1")
    assert read(root) is None


def test_a_process_that_ends_meanwhile_leaves_its_port_without_a_name(root: Path) -> None:
    tables(root, line(ANY, 80, 1))
    process(root, 100, b"gone\0", 1)
    (root / "proc/100/cmdline").unlink()
    assert read(root) == [Listener(80, "0.0.0.0")]


def test_what_the_kernel_said_is_not_read_again(root: Path) -> None:
    tables(root, line(ANY, 80, 1))
    process(root, 100, b"vite\0", 7)
    found = listening.read(root, PID, ID, OWN, {}, [(5173, "127.0.0.1", 7), (81, "10.0.0.1", 8)])
    assert found == [Listener(5173, "127.0.0.1", "vite")]
    (root / f"proc/{PID}/cgroup").write_text("0::/user.slice\n")
    assert listening.read(root, PID, ID, OWN, {}, [(5173, "127.0.0.1", 7)]) is None
