"""What ends a restic that takes too much, on a process that takes nothing."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import AllowanceReached, NoSpace
from orchestrator.storage import restic
from orchestrator.storage.restic_calls import GROWN, SHORT, Ended, told
from orchestrator.storage.restic_guard import Guard, guarded, packed_bytes


@pytest.fixture
def working() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        ["sleep", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def limits(disk: Path, **values: Any) -> dict[str, Any]:
    return {"disk": str(disk), "floor": 0, "most_kept": 1 << 20, "most_read": 1 << 20} | values


def test_within_its_limits_nothing_is_ended(tmp_path: Path) -> None:
    assert Guard(limits(tmp_path)).excess() is None
    assert Guard({"disk": str(tmp_path), "floor": 0}).excess() is None


@pytest.mark.timeout(20)
def test_a_disk_that_runs_short_ends_it(tmp_path: Path, working: "subprocess.Popen[bytes]") -> None:
    with pytest.raises(Ended) as raised, guarded(limits(tmp_path, floor=1 << 80), working):
        list(told(working))
    assert raised.value.code == SHORT
    assert isinstance(restic.failure(SHORT, ""), NoSpace)


@pytest.mark.timeout(20)
def test_a_file_without_an_end_ends_it(tmp_path: Path, working: "subprocess.Popen[bytes]") -> None:
    with pytest.raises(Ended) as raised, guarded(limits(tmp_path), working) as guard:
        guard.read_bytes = 2 << 20
        list(told(working))
    assert raised.value.code == GROWN
    assert isinstance(restic.failure(GROWN, ""), AllowanceReached)


@pytest.mark.timeout(20)
def test_a_repository_that_grows_too_large_ends_it(
    tmp_path: Path, working: "subprocess.Popen[bytes]"
) -> None:
    (tmp_path / "data" / "00").mkdir(parents=True)
    (tmp_path / "data" / "00" / "pack-tmp-1").write_bytes(b"x" * (2 << 20))
    assert packed_bytes(str(tmp_path)) >= 2 << 20
    with pytest.raises(Ended) as raised, guarded(limits(tmp_path), working):
        list(told(working))
    assert raised.value.code == GROWN


def test_what_ends_by_itself_says_why_itself(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo mine >&2; exit 7"]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(command, stdout=pipe, stderr=pipe) as failing,
        pytest.raises(Ended, match="mine") as raised,
        guarded(limits(tmp_path), failing),
    ):
        list(told(failing))
    assert raised.value.code == 7
