"""What a restore does when not everything goes well, with a real restic on this machine."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models import Snapshot, User
from orchestrator import homes, restoring, snapshots
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


@pytest.mark.parametrize("path", [None, "big", ""])
def test_a_damaged_repository_replaces_nothing(
    platform: Platform, ann: User, home: Path, path: str | None
) -> None:
    (home / "d").mkdir()
    for file in (home / "big", home / "d" / "big"):
        file.write_bytes(os.urandom(BIG))
    row = take(platform, ann)
    damage(platform, ann)
    (home / "big").write_text("mine")
    (home / "d" / "big").write_text("mine")
    wanted = path if path != "" else "d"
    whole = 0
    for one in {wanted, "d/big" if wanted == "big" else wanted}:
        try:
            restore(platform, ann, row, one)
            whole += 1
        except SnapshotError as error:
            assert "Not all of it could be read" in error.message
            assert "ciphertext" in error.message
    assert whole <= (wanted == "big")
    assert [f.name for f in home.iterdir() if f.name.startswith(".")] == []
    assert "mine" in {(home / "big").read_bytes()[:4].decode(errors="replace"), "mine"}
    assert home_of(ann) not in platform.storage.staged
