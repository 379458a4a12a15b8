"""Homes that were made to make trouble: nothing hangs, nothing is reached that was not meant."""

import io
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from docker import APIClient

from orchestrator.errors import Conflict, EngineError, NotFound
from orchestrator.files import Format, Type
from orchestrator.files.over_sftp import SftpFiles
from orchestrator.files.pool import CLIENTS_MAX, Pool
from orchestrator.files.reading import HASHED_BYTES_MAX
from orchestrator.files.sftp import Silent
from orchestrator.files.sftp_wire import Open
from tests.orchestrator.engines.containers import eventually
from tests.orchestrator.files.conftest import HOME, Shell

pytestmark = pytest.mark.engine

NAMES = ("two\nlines\n", "tab\there", "bell\x07\x1b[31m", "latin-\udce9", "-rf", "--help",
         "$(id)", "`id`", "a b", "'\"\\", "\\012", "grüße-日本-🦀",
         "n" * 255, "...", "%s%n", "*")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_will_do(files: SftpFiles, name: str) -> None:
    files.write(f"{HOME}/{name}", [b"content"])
    assert [one.name for one in files.listed(HOME, most=10).entries] == [name]
    files.make_folder(f"{HOME}/folder")
    files.move(f"{HOME}/{name}", f"{HOME}/folder/{name}")
    files.copy(f"{HOME}/folder", f"{HOME}/{name}")
    opened = files.open(f"{HOME}/{name}/{name}")
    assert b"".join(opened.read(0, opened.size)) == b"content"
    assert set(_tar(files, f"{HOME}/{name}")) == {name, f"{name}/{name}"}
    shown = name.replace("\udce9", "\N{REPLACEMENT CHARACTER}")
    assert _zip(files, f"{HOME}/{name}") == [f"{shown}/", f"{shown}/{shown}"]
    files.remove(f"{HOME}/{name}", recursive=True)
    assert [one.name for one in files.listed(HOME, most=10).entries] == ["folder"]


def _bytes(files: SftpFiles, path: str, format: Format) -> bytes:
    process = files.archive([path], format)
    try:
        data = b"".join(iter(lambda: process.read(65536), b""))
        assert process.wait() == 0
        return data
    finally:
        process.close()


def _tar(files: SftpFiles, path: str) -> dict[str, tarfile.TarInfo]:
    data = _bytes(files, path, Format.TAR_GZ)
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        return {member.name.removeprefix("./"): member for member in archive}


def _zip(files: SftpFiles, path: str) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(_bytes(files, path, Format.ZIP))).namelist()


def test_what_cannot_be_packed_is_named(files: SftpFiles, shell: Shell) -> None:
    shell("mkdir -p tree/sealed; echo x > tree/closed; chmod 000 tree/*; echo y > tree/open; "
          "ln -s /etc tree/out")  # fmt: skip
    found = _tar(files, f"{HOME}/tree")
    assert {"tree/open", "tree/out"} <= set(found)
    assert "tree/closed" not in found
    assert found["UNREADABLE.txt"].size > 100
    names = _zip(files, f"{HOME}/tree")
    assert "UNREADABLE.txt" in names
    assert not [name for name in names if name.startswith("tree/out/")]


def test_links_that_go_round_lead_nowhere(files: SftpFiles, shell: Shell) -> None:
    shell("ln -s b a; ln -s a b; mkdir d; ln -s . d/self")
    for work in (files.open, lambda path: files.listed(path, most=10)):
        with pytest.raises(NotFound):
            work(f"{HOME}/a")
    assert files.look(f"{HOME}/a").target is None
    deep = f"{HOME}/d" + "/self" * 60
    with pytest.raises(NotFound):  # after 40: path_resolution(7)
        files.listed(deep, most=10)
    with pytest.raises(NotFound):
        files.write(f"{HOME}/a", [b"x"])
    files.remove(f"{HOME}/a")
    assert [one.type for one in files.listed(f"{HOME}/d", most=10).entries] == [Type.LINK]


def test_a_file_that_became_a_pipe_holds_nobody_up(
    files: SftpFiles, pool: Pool, shell: Shell, docker_client: APIClient
) -> None:
    """As when it is swapped between the look at it and its opening, which then waits."""
    shell("mkfifo pipe; echo x > file")

    def open_pipe(client: Any) -> bytes:
        client.patience = 0.5
        return bytes(client.open(f"{HOME}/pipe", Open.READ))

    with pytest.raises(Silent):
        pool.do(open_pipe)
    assert files.open(f"{HOME}/file").size == 2
    eventually(lambda: _servers(docker_client, pool.container) == 1)


def _servers(client: APIClient, container: str) -> int:
    processes = client.top(container)["Processes"]
    return sum("sftp-server" in " ".join(line) for line in processes)


def test_what_is_made_while_it_is_read_is_read_from_front_to_back(files: SftpFiles) -> None:
    """/proc says that it is empty; to begin anew for each part of 10 MB takes minutes."""
    opened = files.open("/proc/kallsyms")
    assert opened.size > 1 << 20
    assert b"".join(opened.read(0, opened.size)).count(b"\n") > 10_000


def test_a_file_that_grows_is_read_as_far_as_it_went(files: SftpFiles, shell: Shell) -> None:
    size = HASHED_BYTES_MAX + 100
    shell(f"head -c {size} /dev/zero > large")
    opened = files.open(f"{HOME}/large")
    pieces = opened.read(0, opened.size)
    first = next(pieces)
    shell("head -c 3M /dev/zero >> large")
    assert len(first + b"".join(pieces)) == size
    opened.close()


def test_a_file_that_shrinks_is_not_made_up(files: SftpFiles, shell: Shell) -> None:
    shell(f"head -c {HASHED_BYTES_MAX * 2} /dev/zero > large")
    opened = files.open(f"{HOME}/large")
    pieces = opened.read(0, opened.size)
    next(pieces)
    shell("truncate -s 2M large")
    with pytest.raises(EngineError, match="shorter"):
        list(pieces)
    opened.close()


SWAPPER = rf"""
import ctypes, os
libc, here, exchange = ctypes.CDLL(None), -100, 2  # renameat2(2)
os.chdir("{HOME}")
os.makedirs("precious"); open("precious/file", "w").close()
os.symlink("../precious", "link")
open("go", "w").close()
if os.fork() == 0:
    os.setsid()
    for descriptor in (0, 1, 2): os.close(descriptor)
    while os.path.exists("go"):
        try:
            os.makedirs("tree/folder", exist_ok=True)
            for number in range(20): open(f"tree/folder/{{number}}", "w").close()
            for _ in range(200): libc.renameat2(here, b"tree/folder", here, b"link", exchange)
            for number in range(20): os.unlink(f"precious/{{number}}")
        except OSError: pass
    os._exit(0)
"""


def test_a_folder_swapped_for_a_link_during_a_walk_leads_nowhere(
    files: SftpFiles, shell: Shell
) -> None:
    """Everything below is removed and packed, but not what the link leads to."""
    script = f"{HOME}/swapper.py"
    files.write(script, [SWAPPER.encode()])
    shell(f"python3 {script}")
    for _ in range(12):
        with suppress(NotFound, Conflict):  # it comes and goes while it is removed
            assert "tree/folder/file" not in _zip(files, f"{HOME}/tree")
            files.remove(f"{HOME}/tree", recursive=True)
        assert shell("ls precious/file") == "precious/file\n"
    shell("rm -f go")


def test_long_downloads_hold_nobody_up(files: SftpFiles, pool: Pool, shell: Shell) -> None:
    shell(f"head -c {HASHED_BYTES_MAX * 4} /dev/urandom > large")
    readers = [files.open(f"{HOME}/large") for _ in range(2 * CLIENTS_MAX)]
    halves = [reader.read(0, reader.size) for reader in readers]
    for half in halves:
        next(half)
    with ThreadPoolExecutor(8) as threads:
        listings = [threads.submit(files.listed, HOME, most=10) for _ in range(20)]
        rests = [threads.submit(list, half) for half in halves]
        assert all(len(one.result().entries) == 1 for one in listings)
        first = b"".join(rests[0].result())
        assert all(b"".join(rest.result()) == first for rest in rests)
    for reader in readers:
        reader.close()
    assert len(pool._clients) <= CLIENTS_MAX
