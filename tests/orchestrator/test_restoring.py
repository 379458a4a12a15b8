"""What a restore does when not everything goes well, with a real restic on this machine."""

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from models import Snapshot, User
from orchestrator import homes, restoring, snapshot_room, snapshots
from orchestrator.errors import AllowanceReached, HomeBusy, SnapshotError, StorageError
from orchestrator.leases import writing_lease
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from tests.app_fixtures import PROOF
from tests.conftest import missing
from tests.local_restic import LocalEngine, home_directory

pytestmark = pytest.mark.slow
SECONDS = 120.0
BIG = 2 << 20


@pytest.fixture
def platform(local_platform: Platform) -> Platform:
    return local_platform


@pytest.fixture
def home(ann: User, platform: Platform) -> Path:
    return home_directory(platform, ann)


@pytest.fixture
def small() -> Iterator[Callable[[Path, int], None]]:
    """Return ``small(directory, nbytes)``: let so much fit into a directory."""
    if os.geteuid() != 0:
        missing("only root mounts a small place")
    mounted: list[Path] = []

    def mount(directory: Path, nbytes: int) -> None:
        directory.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={nbytes}", "none", str(directory)]
        subprocess.run(command, check=True)
        mounted.append(directory)

    yield mount
    for directory in mounted:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def take(platform: Platform, user: User) -> Snapshot:
    job = snapshots.start_taking(platform, user, "", PROOF)
    assert platform.jobs.wait(job, SECONDS)
    assert job.snapshot_id is not None
    return snapshots.find(user, job.snapshot_id)


def restore(platform: Platform, user: User, row: Snapshot, path: str | None) -> str:
    job = restoring.start_restoring(platform, user, row.id, path, safety=False, proof=PROOF)
    assert platform.jobs.wait(job, SECONDS)
    return job.text


def engine_of(platform: Platform) -> LocalEngine:
    assert isinstance(platform.engine, LocalEngine)
    return platform.engine


def damage(platform: Platform, user: User) -> None:
    """Change some bytes of what files hold, as a failing disk does."""
    repository = engine_of(platform).directory(f"snapshots_{user.userhash}")
    pack = max(repository.glob("data/*/*"), key=lambda path: path.stat().st_size)
    assert pack.stat().st_size > BIG
    pack.chmod(0o600)
    with pack.open("r+b") as file:
        file.seek(BIG // 2)
        file.write(b"damaged")


@pytest.mark.parametrize("path", [None, "d", "d/big"])
def test_a_damaged_repository_replaces_nothing(
    platform: Platform, ann: User, home: Path, path: str | None
) -> None:
    (home / "d").mkdir()
    (home / "d" / "big").write_bytes(os.urandom(BIG))
    (home / "d" / "whole").write_text("then")
    row = take(platform, ann)
    damage(platform, ann)
    for name in ("big", "whole"):
        (home / "d" / name).write_text("mine")
    with pytest.raises(SnapshotError, match=r"Not all of it could be read.*/d/big: ciphertext"):
        restore(platform, ann, row, path)
    assert [file.read_text() for file in (home / "d").iterdir()] == ["mine", "mine"]
    assert [file.name for file in home.iterdir()] == ["d"]
    assert home_of(ann) not in platform.storage.staged
    restore(platform, ann, row, "d/whole")
    assert (home / "d" / "whole").read_text() == "then"


def test_a_home_that_does_not_fit_any_more_is_not_replaced(
    platform: Platform, ann: User, home: Path, small: Callable[[Path, int], None]
) -> None:
    (home / "big").write_bytes(os.urandom(BIG))
    row = take(platform, ann)
    (home / "big").write_text("mine")
    adopted: list[str] = []
    platform.storage.adopt = lambda home, key: adopted.append(home.name)
    small(engine_of(platform).root / f"{home_of(ann)}.staged", BIG // 2)
    with pytest.raises(AllowanceReached, match="does not fit"):
        restore(platform, ann, row, None)
    assert not adopted
    assert home_of(ann) not in platform.storage.staged
    assert (home / "big").read_text() == "mine"


def test_what_is_missing_without_an_error_is_noticed(
    platform: Platform, ann: User, home: Path
) -> None:
    (home / "a").write_text("one")
    row = take(platform, ann)
    staged = engine_of(platform).directory(f"{home_of(ann)}.staged")
    (staged / "stray").write_text("something else")  # as if the snapshot lacked it
    with pytest.raises(SnapshotError, match="file: 2 of 1"):
        restore(platform, ann, row, None)
    assert home_of(ann) not in platform.storage.staged


def test_attributes_that_only_root_may_set_stop_nothing(
    platform: Platform, ann: User, home: Path
) -> None:
    (home / "a").write_text("one")
    os.mknod(home / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    row = take(platform, ann)
    (home / "a").write_text("two")
    engine_of(platform).before = ("setpriv", "--bounding-set=-mknod", "--inh-caps=-mknod")
    assert "only an administrator" in restore(platform, ann, row, None)
    staged = engine_of(platform).root / f"{home_of(ann)}.staged"
    assert [file.name for file in staged.iterdir()] == ["a"]


def test_what_was_begun_to_be_adopted_is_not_thrown_away(
    platform: Platform, ann: User, home: Path
) -> None:
    (home / "a").write_text("one")
    row = take(platform, ann)

    def half(home: object, key: bytes) -> None:
        raise StorageError("The engine went away in the middle")

    platform.storage.adopt = half
    with pytest.raises(StorageError, match="in the middle"):
        restore(platform, ann, row, None)
    assert home_of(ann) in platform.storage.staged  # the next unlock goes on


def test_a_full_home_takes_a_file_back_in_place(
    platform: Platform, ann: User, home: Path, small: Callable[[Path, int], None]
) -> None:
    small(home, 3 * BIG)
    good, path = os.urandom(BIG), home / "big"
    path.write_bytes(good)
    path.chmod(0o640)
    os.utime(path, (978307200, 978307200))
    row = take(platform, ann)
    path.write_bytes(os.urandom(BIG))
    path.chmod(0o400)
    assert fill(home / "rest") > 0
    restore(platform, ann, row, "big")
    assert path.read_bytes() == good
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_mtime) == (0o640, 978307200)
    path.write_bytes(b"short")
    fill(home / "more")
    with pytest.raises(AllowanceReached, match="no space"):
        restore(platform, ann, row, "big")
    assert path.read_bytes() == b"short"
    path.unlink()
    with pytest.raises(AllowanceReached, match="no space"):
        restore(platform, ann, row, "big")
    assert not [one for one in home.iterdir() if one.name.startswith(".")]


def test_another_name_of_a_file_does_not_change_with_it(
    platform: Platform, ann: User, home: Path, small: Callable[[Path, int], None]
) -> None:
    small(home, 3 * BIG)
    (home / "big").write_bytes(os.urandom(BIG))
    row = take(platform, ann)
    (home / "big").write_bytes(b"m" * BIG)
    (home / "other").hardlink_to(home / "big")
    fill(home / "rest")
    with pytest.raises(AllowanceReached):
        restore(platform, ann, row, "big")
    assert (home / "other").read_bytes() == (home / "big").read_bytes() == b"m" * BIG


def fill(path: Path) -> int:
    """Write until nothing more fits; return how much did."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return path.stat().st_size


def test_a_home_is_not_locked_while_a_job_works_on_it(
    platform: Platform, ann: User, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "_BRIEF_SECONDS", 0.1)
    monkeypatch.setattr(homes, "PATIENCE_SECONDS", 0.1)
    with snapshot_room.reading(platform, ann, PROOF) as room:
        with pytest.raises(HomeBusy):
            homes.lock(platform, ann)
        assert room.container.name in {status.name for status in platform.engine.census()}
        with pytest.raises(HomeBusy):
            homes.lock(platform, ann, force=True)  # whoever holds the lease sees its work ended
        assert room.container.name not in {status.name for status in platform.engine.census()}
    with platform.leases.alone(writing_lease(home_of(ann))), pytest.raises(HomeBusy):
        homes.lock(platform, ann)
    homes.lock(platform, ann)
    assert platform.storage.unlocked() == frozenset()
