"""A home takes no more than it may, whatever its owner does, and what it may can change."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import AllowanceReached
from orchestrator.storage import Home, commands, ext4, image
from orchestrator.storage.vault import VaultStorage
from tests.orchestrator.storage.conftest import MIB

pytestmark = pytest.mark.engine


def allocate(path: Path, step: int = MIB // 4) -> int:
    """Take all the space there is, and return how much that was."""
    with path.open("wb") as file:
        size = 0
        while step >= 4096:
            try:
                os.posix_fallocate(file.fileno(), size, step)
                size += step
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                step //= 2
        return size


def test_the_cap_holds_whatever_one_does(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    vault.unlock(home, key)
    with (tree / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert vault.usage(home.name) == pytest.approx(0, abs=MIB / 4), "holes are free"
    assert allocate(tree / "big") == pytest.approx(home.capacity_bytes, rel=0.01)
    assert vault.usage(home.name) == pytest.approx(home.capacity_bytes, rel=0.01)
    with pytest.raises(OSError, match="No space left"), (tree / "sparse").open("r+b") as file:
        file.write(os.urandom(MIB))
        os.fsync(file.fileno())
    assert raw.stat().st_size < home.capacity_bytes * 1.2

    with (tree / "big").open("rb"):
        (tree / "big").unlink()
        assert allocate(tree / "next") < MIB, "what is deleted but open still counts"
    assert allocate(tree / "next") == pytest.approx(home.capacity_bytes, rel=0.01)
    (tree / "next").unlink()
    assert vault.usage(home.name) == pytest.approx(0, abs=MIB / 4)


def test_many_small_files_meet_the_same_cap(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(home, key)
    with pytest.raises(OSError, match="No space left"):
        for number in range(100_000):
            (tree / f"{'long' * 50}{number}").symlink_to("x" * 1000)
    usage = vault.usage(home.name)
    assert usage is not None
    assert usage <= home.capacity_bytes
    for path in list(tree.iterdir())[:50]:
        path.unlink()
    (tree / "one more").write_text("x")


def test_a_home_with_as_many_files_as_it_can_hold_looks_full(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(replace(home, reserved_bytes=20 * MIB), key)
    half = os.statvfs(tree).f_ffree // 2
    for number in range(half):
        os.mknod(tree / str(number))
    assert vault.usage(home.name) == pytest.approx(22 * MIB, rel=0.02)
    with pytest.raises(OSError, match="No space left"):
        for number in range(2 * half + 100):
            os.mknod(tree / f"more{number}")
    assert vault.usage(home.name) == pytest.approx(44 * MIB, rel=0.02)


@pytest.mark.parametrize("mib", [64, 65, 100, 512, 1000, 3000, 10_240, 102_400])
def test_the_size_is_right_from_small_to_large(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path, mib: int
) -> None:
    vault.unlock(replace(home, capacity_bytes=mib * MIB), key)
    found = os.statvfs(tree)
    assert found.f_blocks * found.f_frsize == pytest.approx(mib * MIB, rel=0.005)
    assert found.f_bavail * found.f_frsize == pytest.approx(mib * MIB, rel=0.01)
    assert found.f_ffree >= found.f_bavail, "small files run out of bytes first"
    assert raw.stat().st_blocks * 512 < 16 * MIB, "what is not used takes no space"


def test_what_is_reserved_is_out_of_the_files_reach(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    vault.unlock(replace(home, reserved_bytes=20 * MIB), key)
    assert allocate(tree / "big") == pytest.approx(44 * MIB, rel=0.02)
    with pytest.raises(AllowanceReached):
        vault.reserve(home.name, 25 * MIB)
    vault.reserve(home.name, 10 * MIB)
    assert allocate(tree / "more") == pytest.approx(10 * MIB, rel=0.05)
    (tree / "big").unlink()
    (tree / "more").unlink()
    vault.reserve(home.name, 50 * MIB)
    assert allocate(tree / "big") == pytest.approx(14 * MIB, rel=0.05)
    assert vault.usage(home.name) == pytest.approx(14 * MIB, rel=0.05)
    assert raw.stat().st_blocks * 512 < 30 * MIB, "it takes no space on the host"


def test_unlocking_reserves_what_can_be_had(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(home, key)
    (tree / "big").write_bytes(bytes(40 * MIB))
    vault.lock(home.name)
    vault.unlock(replace(home, reserved_bytes=40 * MIB), key)
    assert (tree / "big").stat().st_size == 40 * MIB
    assert allocate(tree / "more") < 2 * MIB


def test_the_brake_stops_every_write_but_not_deleting(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(home, key)
    (tree / "big").write_bytes(bytes(10 * MIB))
    vault.brake(home.name, True)
    assert allocate(tree / "more") <= MIB
    (tree / "big").unlink()
    (tree / "more").unlink()
    vault.brake(home.name, True)
    assert allocate(tree / "more") <= MIB, "what came free is held too"
    vault.reserve(home.name, 5 * MIB)
    vault.brake(home.name, False)
    (tree / "big").write_bytes(bytes(10 * MIB))
    vault.brake(home.name, True)
    vault.lock(home.name)
    vault.unlock(home, key)
    (tree / "more").write_bytes(bytes(10 * MIB))


def test_braking_again_and_again_is_cheap(
    vault: VaultStorage, home: Home, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.unlock(home, key)
    vault.brake(home.name, True)
    monkeypatch.setattr(os, "posix_fallocate", None)
    monkeypatch.setattr("orchestrator.storage.vault.holding", None)
    vault.brake(home.name, True)


def test_a_brake_that_a_power_cut_left_is_gone_when_the_home_is_opened(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path, tmp_path: Path,
    make_vault: Callable[..., VaultStorage],
) -> None:  # fmt: skip
    vault.unlock(home, key)
    vault.brake(home.name, True)
    copy = tmp_path / "copy"
    copy.mkdir()
    with vault.frozen(home.name):
        commands.run("cp", "--sparse=always", str(raw), str(copy / raw.name))
    vault.lock(home.name)
    other = make_vault(copy)
    other.unlock(home, key)
    assert allocate(tree / "big") == pytest.approx(home.capacity_bytes, rel=0.01)
    other.lock(home.name)


@pytest.mark.parametrize("mib", [100, 1000, 20_000])
def test_a_home_grows_when_it_is_next_unlocked(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, mib: int
) -> None:
    vault.unlock(home, key)
    (tree / "file").write_text("kept")
    vault.lock(home.name)
    vault.unlock(replace(home, capacity_bytes=mib * MIB), key)
    assert vault.capacity(home.name) == pytest.approx(mib * MIB, rel=0.01)
    assert (tree / "file").read_text() == "kept"


def test_an_open_home_grows_where_the_process_may(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(home, key)
    (tree / "file").write_text("kept")
    larger = replace(home, capacity_bytes=200 * MIB)
    vault.unlock(larger, key)
    wanted = larger if image._may_grow_mounted() else home
    assert vault.capacity(home.name) == pytest.approx(wanted.capacity_bytes, rel=0.01)
    vault.lock(home.name)
    vault.unlock(larger, key)
    assert vault.capacity(home.name) == pytest.approx(200 * MIB, rel=0.01)
    assert (tree / "file").read_text() == "kept"


def test_what_the_kernel_refuses_to_grow_waits_for_the_next_unlocking(
    vault: VaultStorage, home: Home, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "_may_grow_mounted", lambda: True)
    vault.unlock(home, key)
    larger = replace(home, capacity_bytes=200 * MIB)
    vault.unlock(larger, key)
    vault.lock(home.name)
    vault.unlock(larger, key)
    assert vault.capacity(home.name) == pytest.approx(200 * MIB, rel=0.01)


def test_a_home_shrinks_when_its_files_fit(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    vault.unlock(replace(home, capacity_bytes=1000 * MIB), key)
    for number in range(30):
        (tree / f"file{number}").write_bytes(os.urandom(2 * MIB))
    vault.lock(home.name)
    vault.unlock(home, key)
    assert vault.capacity(home.name) > 900 * MIB, "it stays as large as it has to"
    for number in range(25):
        (tree / f"file{number}").unlink()
    vault.lock(home.name)
    vault.unlock(home, key)
    assert vault.capacity(home.name) == pytest.approx(64 * MIB, rel=0.01)
    assert raw.stat().st_size < 100 * MIB
    assert all((tree / f"file{number}").stat().st_size == 2 * MIB for number in range(25, 30))


class KilledError(BaseException):
    """Nothing of ours catches it, as nothing catches a kill."""


def killed_after_resizing(*argv: str, **named: Any) -> object:
    done = commands.run(*argv, **named)
    if argv[0] == "resize2fs":
        raise KilledError
    return done


@pytest.mark.parametrize("mib", [64, 3000])
def test_a_resize_that_was_cut_short_is_taken_back_and_done_again(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path, mib: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    vault.unlock(replace(home, capacity_bytes=1000 * MIB), key)
    (tree / "file").write_text("kept")
    vault.lock(home.name)
    wanted = replace(home, capacity_bytes=mib * MIB)
    monkeypatch.setattr(ext4, "run", killed_after_resizing)
    with pytest.raises(KilledError):
        vault.unlock(wanted, key)
    assert ext4.undo_file(raw).exists()
    monkeypatch.undo()
    vault.unlock(wanted, key)
    assert vault.capacity(home.name) == pytest.approx(mib * MIB, rel=0.01)
    assert (tree / "file").read_text() == "kept"
    assert not ext4.undo_file(raw).exists()
