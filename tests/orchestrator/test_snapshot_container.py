"""What the containers of snapshots see, and what is left of snapshots without a home."""

import os
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from models import Home, User, db
from orchestrator import homes, snapshot_room, snapshots, time_travel
from orchestrator.errors import AllowanceReached, NoSpace, StorageError
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.snapshot_container import Use, credentials, name_of
from orchestrator.storage import restic
from tests.app_fixtures import PROOF
from tests.local_restic import engine_of, home_directory, restore, take

pytestmark = pytest.mark.slow
SECONDS = 120.0


@pytest.fixture
def platform(local_platform: Platform) -> Platform:
    return local_platform


@pytest.fixture
def home(ann: User, platform: Platform) -> Path:
    """Ann's files: one of them."""
    found = home_directory(platform, ann)
    (found / "a").write_text("one")
    return found


def test_no_container_writes_both_a_home_and_its_repository(
    platform: Platform, ann: User, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, seen = engine_of(platform), {}
    run = engine.run

    def noted(spec):  # type: ignore[no-untyped-def]
        seen[spec.name] = {m.target: m.read_only for m in spec.mounts}
        return run(spec)

    monkeypatch.setattr(engine, "run", noted)
    row = take(platform, ann)
    restore(platform, ann, row, "a")
    restore(platform, ann, row, None)
    at = f"/home/{ann.username}"
    assert seen == {
        name_of(ann.userhash, Use.INIT): {restic.REPOSITORY: False},
        name_of(ann.userhash, Use.WRITE): {restic.REPOSITORY: False, at: True},
        name_of(ann.userhash, Use.READ): {restic.REPOSITORY: True, at: False},
        name_of(ann.userhash, Use.RESTORE): {restic.REPOSITORY: True, "/staged": False},
    }


def test_what_reads_needs_to_write_nothing_in_the_repository(
    platform: Platform, ann: User, home: Path
) -> None:
    row = take(platform, ann)
    repository = engine_of(platform).directory(f"snapshots_{ann.userhash}")
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}
    restore(platform, ann, row, "a")
    time_travel.files(platform, ann, row.id, "", PROOF)
    time_travel.versions(platform, ann, "a", PROOF)
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def test_snapshots_outlive_a_home_that_cannot_be_opened(
    platform: Platform, ann: User, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = take(platform, ann)
    homes.lock(platform, ann)

    def broken(home: object, key: bytes) -> NoReturn:
        raise StorageError("The image of your home is damaged")

    monkeypatch.setattr(platform.storage, "unlock", broken)
    folder = time_travel.files(platform, ann, row.id, "", PROOF)
    assert [entry.name for entry in folder.entries] == ["a"]
    assert b"".join(time_travel.content(platform, ann, row.id, "a", PROOF)) == b"one"
    assert b"".join(time_travel.archive(platform, ann, row.id, "", PROOF))[:2] == b"\x1f\x8b"
    for refused in (
        lambda: time_travel.diff(platform, ann, "a", row.id, None, PROOF),
        lambda: restore(platform, ann, row, "a"),
        lambda: take(platform, ann),
    ):
        with pytest.raises(StorageError, match="damaged"):
            refused()
    with pytest.raises(StorageError, match="false"):
        restore(platform, ann, row, None, safety=True)
    restore(platform, ann, row, None)
    staged = engine_of(platform).root / f"{home_of(ann)}.staged"
    assert (staged / "a").read_text() == "one"
    assert home_of(ann) not in platform.storage.staged  # it was adopted


def test_what_takes_more_than_the_allowance_is_ended_and_taken_back(
    platform: Platform, ann: User, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(platform, ann)
    (home / "big").write_bytes(os.urandom(96 << 20))
    monkeypatch.setattr(platform.storage, "capacity", lambda name: 4 << 20)
    monkeypatch.setattr(snapshots, "SLACK_BYTES", 0)
    eager = snapshot_room._PROGRAM.replace("LOOK_SECONDS = 0.5", "LOOK_SECONDS = 0.005")
    assert eager != snapshot_room._PROGRAM
    monkeypatch.setattr(snapshot_room, "_PROGRAM", eager)
    with pytest.raises(AllowanceReached, match="more than your allowance"):
        take(platform, ann)
    repository = engine_of(platform).directory(f"snapshots_{ann.userhash}")
    left = sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())
    assert left < 1 << 20
    assert not list((repository / "locks").iterdir())
    assert len(snapshots.of_user(ann)) == 1
    row = db.session.get(Home, ann.id, populate_existing=True)
    assert not row.snapshots_stale
    db.session.rollback()


def test_the_reserve_of_the_disk_is_kept_from_restores(
    platform: Platform, ann: User, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = take(platform, ann)
    monkeypatch.setattr(homes, "host_free_bytes", lambda platform: 2)
    with pytest.raises(NoSpace, match="reserve"):
        restore(platform, ann, row, None)
    assert not (engine_of(platform).root / f"{home_of(ann)}.staged").exists()
    restore(platform, ann, row, "a")


def test_credentials_are_for_restic_alone(
    platform: Platform, ann: User, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "environment"
    file.write_text("# of the bucket\nAWS_SECRET_ACCESS_KEY=a=b\n")
    url = "s3:https://example.com/bucket"
    settings = replace(platform.settings, backup_url=url, backup_environment=str(file))
    far = replace(platform, settings=settings)
    assert credentials(far) == {"AWS_SECRET_ACCESS_KEY": "a=b"}
    with snapshot_room.entered(far, ann, PROOF) as room:
        spec = engine_of(far)._running(room.container.name).spec
    assert {name for name, _ in spec.environment} == {"HOME", "LANG"}
