"""What is damaged, torn off or full is mended where that is safe, and never made worse."""

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import (
    NoSpace,
    StorageError,
)
from orchestrator.storage import Home, ext4, mounts
from orchestrator.storage.commands import run
from orchestrator.storage.locks import holding
from orchestrator.storage.vault import VaultStorage
from tests.orchestrator.storage.conftest import MIB, synced

MakeVault = Callable[..., VaultStorage]

_SHUT_DOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_WITHOUT_FLUSHING = 2

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("zeroed", [range(1024, 2048), range(64 * 1024)])
def test_an_image_that_needs_a_human_is_left_as_it_is(
    vault: VaultStorage, home: Home, key: bytes, raw: Path, zeroed: range
) -> None:
    vault.unlock(home, key)
    vault.lock(home.name)
    with raw.open("r+b") as file:
        file.seek(zeroed.start)
        file.write(bytes(len(zeroed)))
    before = raw.read_bytes()
    with pytest.raises(StorageError, match="no readable file system") as caught:
        vault.unlock(home, key)
    assert "administrator" in caught.value.hint
    assert raw.read_bytes() == before
    assert mounts.loops_of(raw) == []


def test_an_image_damaged_beyond_safe_repair_is_named_and_stays_locked(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    vault.unlock(home, key)
    vault.lock(home.name)
    run("debugfs", "-w", "-R", "set_super_value state 2", str(raw))
    run("debugfs", "-w", "-R", "clri <2>", str(raw))
    with pytest.raises(StorageError, match="e2fsck"):
        vault.unlock(home, key)
    assert raw.exists()
    assert not tree.exists()
    assert mounts.loops_of(raw) == []


def test_an_atomic_copy_of_a_hot_image_opens_with_every_synced_file(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path, make_vault: MakeVault,
    tmp_path: Path, mount_root: Path,
) -> None:  # fmt: skip
    vault.unlock(home, key)
    for number in range(100):
        synced(tree / f"file{number}", b"%d" % number * 500)
    copy = tmp_path / "copy"
    copy.mkdir()
    with vault.frozen(home.name):
        run("cp", "--sparse=always", str(raw), str(copy / raw.name))
    vault.lock(home.name)
    other = make_vault(copy)
    other.unlock(home, key)
    for number in range(100):
        assert (tree / f"file{number}").read_bytes() == b"%d" % number * 500
    other.lock(home.name)


def test_synced_files_survive_a_power_cut(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    vault.unlock(home, key)
    for number in range(100):
        synced(tree / f"file{number}", b"%d" % number * 500)
    (tree / "unsynced").write_text("may be lost")
    root = os.open(tree.parent, os.O_RDONLY)
    try:
        fcntl.ioctl(root, _SHUT_DOWN, _WITHOUT_FLUSHING.to_bytes(4, "little"))
    finally:
        os.close(root)
    vault.lock(home.name)
    assert not ext4.superblock(raw).clean, "the journal is what holds the files"
    vault.unlock(home, key)
    for number in range(100):
        assert (tree / f"file{number}").read_bytes() == b"%d" % number * 500


def test_what_a_killed_server_left_is_taken_away(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path, make_vault: MakeVault
) -> None:
    vault.unlock(home, key)
    vault.lock(home.name)
    other = replace(home, name=f"{home.name}b")
    vault.unlock(other, key)
    with holding(raw.parent / "locks", home.name):
        mounts.mount(mounts.attach(raw), tree.parent)  # without its key
    (raw.parent / f"{home.name}.img.making").write_bytes(b"half")
    (raw.parent / f"{home.name}.staged.img").write_bytes(b"half")
    assert vault.unlocked() == {other.name}
    make_vault().reconcile()
    assert vault.unlocked() == {other.name}, "what was usable is not taken away"
    assert mounts.loops_of(raw) == []
    assert not tree.parent.exists()
    assert {file.name for file in raw.parent.glob("*.img*")} == {raw.name, f"{other.name}.img"}
    vault.unlock(home, key)


def test_another_servers_home_is_left_alone_while_it_works_on_it(
    vault: VaultStorage, home: Home, key: bytes, raw: Path, make_vault: MakeVault
) -> None:
    vault.unlock(home, key)
    (raw.parent / f"{home.name}.img.making").write_bytes(b"half")
    with holding(raw.parent / "locks", home.name):
        make_vault().reconcile()
    assert (raw.parent / f"{home.name}.img.making").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "small", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_a_full_disk_of_the_host_is_told_and_costs_no_synced_file(
    small_disk: Path, make_vault: MakeVault, home: Home, key: bytes, tree: Path
) -> None:
    def resize(size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", small_disk], check=True)

    vault = make_vault(small_disk / "homes")
    (small_disk / "filler").write_bytes(bytes(MIB - 64 * 1024))
    with pytest.raises(NoSpace):
        vault.unlock(home, key)
    assert list((small_disk / "homes").glob("*.img*")) == []
    resize("20m")
    vault.unlock(home, key)
    synced(tree / "kept", b"kept" * 1000)
    with pytest.raises(OSError, match=r"error|space|Read-only"), (tree / "more").open("wb") as file:
        for _ in range(40):
            file.write(os.urandom(MIB))
            file.flush()
            os.fsync(file.fileno())
    resize("200m")
    with suppress(OSError):  # it is by a write that the kernel finds out
        synced(tree / "probe", b"")
    vault.unlock(home, key)
    assert (tree / "kept").read_bytes() == b"kept" * 1000
    synced(tree / "more", b"it takes writes again")
