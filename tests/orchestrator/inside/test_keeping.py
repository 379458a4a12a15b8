"""The keeper of one program, started from a process that ends at once."""

import fcntl
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.inside import keeping
from tests.end_to_end.server import PROJECT
from tests.end_to_end.waiting import DEADLINE_SECONDS, until

BEGIN = """
import sys
from orchestrator.inside import keeping
keeping.begin(sys.argv[1], sys.argv[2:])
"""
Begin = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "app")
    pid = keeping.read(str(tmp_path / "app"), "pid")
    if pid is not None and keeping.is_alive(str(tmp_path / "app")):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


@pytest.fixture
def begin(folder: str, tmp_path: Path) -> Begin:
    """Return ``begin(command)``: let a shell's command be kept."""

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", BEGIN, folder, "/bin/sh", "-c", command],
            cwd=PROJECT, env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
            capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False,
        )  # fmt: skip

    return run


def ends(folder: str) -> None:
    until(lambda: not keeping.is_alive(folder), "the keeper is gone")


def test_a_program_is_known_by_its_number_at_once(begin: Begin, folder: str) -> None:
    assert begin("exec sleep 1000").returncode == 0
    assert keeping.is_alive(folder)
    pid = keeping.read(folder, "pid")
    assert pid is not None
    assert os.getsid(pid) == pid, "it leads a session, so that it can be ended with its own"
    os.killpg(pid, signal.SIGKILL)
    ends(folder)
    assert keeping.read(folder, "ended") == -signal.SIGKILL


def test_one_is_kept_at_a_time(begin: Begin, folder: str) -> None:
    begin("exec sleep 1000")
    first = keeping.read(folder, "pid")
    again = begin("exec sleep 1000")
    assert again.returncode == 1
    assert "BlockingIOError" in again.stderr
    assert keeping.read(folder, "pid") == first


def test_what_was_known_of_the_one_before_is_forgotten(begin: Begin, folder: str) -> None:
    begin("exit 3")
    ends(folder)
    assert keeping.read(folder, "ended") == 3
    for name in ("ready", "stopped"):
        keeping.write(folder, name, "")
    begin("exec sleep 1000")
    assert {path.name for path in Path(folder).iterdir()} == {"alive", "log", "pid"}


def test_the_keeper_stays_when_a_workspace_asks_all_to_end(begin: Begin, folder: str) -> None:
    begin("trap '' TERM HUP; echo deaf; exec sleep 1000")
    until(lambda: keeping.last_words(folder) == "deaf", "the program is deaf")
    pid = keeping.read(folder, "pid")
    assert pid is not None
    keeper = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert os.getsid(keeper) == keeper, "whoever started it may end with its own session"
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        os.kill(keeper, number)
    os.killpg(pid, signal.SIGKILL)
    ends(folder)
    assert keeping.read(folder, "ended") == -signal.SIGKILL


def test_the_last_words_are_few_lines_of_a_few_bytes(tmp_path: Path) -> None:
    assert keeping.last_words(str(tmp_path)) == ""
    log = tmp_path / "log"
    log.write_text("".join(f"{number}\n" for number in range(100)))
    told = keeping.last_words(str(tmp_path)).splitlines()
    assert told == [str(number) for number in range(100 - keeping.LINES, 100)]
    log.write_bytes("é".encode() * keeping.TOLD_BYTES + b"\xff")
    told_bytes = keeping.last_words(str(tmp_path))
    assert len(told_bytes) <= keeping.TOLD_BYTES / 2 + 2
    assert told_bytes.endswith("éé\N{REPLACEMENT CHARACTER}")


def test_a_log_that_has_grown_is_cut_to_its_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    said = b"".join(b"%07d\n" % number for number in range(100_000))
    with io.FileIO(str(tmp_path / "log"), "w+") as log:
        thread = threading.Thread(target=keeping._write_down, args=(reading, log))
        thread.start()
        with open(writing, "wb") as output:
            output.write(said)
        thread.join(DEADLINE_SECONDS)
    os.close(reading)
    kept = (tmp_path / "log").read_bytes()
    assert keeping.KEPT_BYTES <= len(kept) <= keeping.LOG_BYTES
    assert said.endswith(kept)


def test_a_small_file_says_a_number_or_nothing(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert keeping.read(folder, "pid") is None
    keeping.write(folder, "pid", "12")
    assert keeping.read(folder, "pid") == 12
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]
    for text in ("", "x", "1 2"):
        keeping.write(folder, "pid", text)
        assert keeping.read(folder, "pid") is None


def test_it_is_alive_for_as_long_as_somebody_holds_the_lock(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert not keeping.is_alive(folder)
    with open(tmp_path / "alive", "w") as held:
        assert not keeping.is_alive(folder)
        fcntl.flock(held, fcntl.LOCK_EX)
        assert keeping.is_alive(folder)
    assert not keeping.is_alive(folder)
