"""Snapshots as use cases, with a real restic on directories of this machine."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask

from models import Home, Reason, Snapshot, Standing, User, Workspace, db, utcnow, writing
from orchestrator import snapshot_room, snapshots
from orchestrator.commons import share
from orchestrator.errors import (
    AllowanceReached,
    Conflict,
    Forbidden,
    HomeBusy,
    HomeLocked,
    NotFound,
    SnapshotError,
)
from orchestrator.leases import writing_lease
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.snapshot_container import Unused, Use, name_of
from tests.app_fixtures import PROOF
from tests.local_restic import done, engine_of, home_directory, restore, take

pytestmark = pytest.mark.slow
SECONDS = 60.0


@pytest.fixture
def platform(local_platform: Platform) -> Platform:
    return local_platform


@pytest.fixture
def home(ann: User, platform: Platform) -> Path:
    """Ann's files: one of them."""
    found = home_directory(platform, ann)
    (found / "a.txt").write_text("one")
    return found


def row_of(user: User) -> Home:
    found = db.session.get(Home, user.id, populate_existing=True)
    db.session.rollback()
    assert found is not None
    return found


def test_a_snapshot_is_written_down(platform: Platform, ann: User, home: Path) -> None:
    row = take(platform, ann, "first")
    assert (row.reason, row.note, row.files, row.total_bytes) == (Reason.MANUAL, "first", 1, 3)
    assert row.consistent
    assert len(row.restic_id) == 64
    kept = row_of(ann)
    assert row.added_bytes == kept.snapshots_bytes > 0
    assert platform.storage.reserved(home_of(ann)) == kept.snapshots_bytes
    assert not kept.snapshots_stale
    assert [one.id for one in snapshots.of_user(ann)] == [row.id]


def test_a_snapshot_leaves_what_is_published_its_space(
    platform: Platform, ann: User, home: Path
) -> None:
    take(platform, ann, "first")
    share.publish(platform, ann, utcnow(), Path("file"), io.BytesIO(b"x" * 5000))
    (home / "b.txt").write_text("two")
    take(platform, ann, "second")
    kept = row_of(ann)
    assert kept.published_bytes == 5000
    assert kept.reserved_bytes == kept.snapshots_bytes + 5000
    assert platform.storage.reserved(home_of(ann)) == kept.reserved_bytes


def test_what_takes_long_is_read_before_writes_are_held_again(
    platform: Platform, running: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[str] = []

    @contextmanager
    def frozen(name: str) -> Iterator[bool]:
        held.append(name)
        yield True

    monkeypatch.setattr(platform.storage, "frozen", frozen)
    row = take(platform, running.user)
    assert row.consistent
    assert engine_of(platform).asked.count("backup") == len(held) == 1
    monkeypatch.setattr(snapshots, "_NOTICED_SECONDS", 0.0)
    row = take(platform, running.user)
    assert row.consistent
    assert engine_of(platform).asked.count("backup") == len(held) == 3
    assert len(snapshots.of_user(running.user)) == 2


def test_a_storage_that_holds_no_writes_is_no_reason_to_keep_nothing(
    platform: Platform, running: Workspace, home: Path
) -> None:
    assert not take(platform, running.user).consistent
    assert len(snapshots.of_user(running.user)) == 1


def test_without_a_key_nothing_is_taken(platform: Platform, ann: User, home: Path) -> None:
    with pytest.raises(HomeLocked):
        done(platform, snapshots.start_taking(platform, ann, "", None))


def test_a_suspended_account_takes_and_restores_nothing(
    platform: Platform, ann: User, home: Path
) -> None:
    row = take(platform, ann)
    with writing():
        db.session.get(User, ann.id).standing = Standing.SUSPENDED
    with pytest.raises(Forbidden):
        done(platform, snapshots.start_taking(platform, ann, "", PROOF))
    with pytest.raises(Forbidden):
        restore(platform, ann, row, "a.txt")


def test_another_server_that_works_on_them_is_waited_for(
    platform: Platform, ann: User, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "PATIENCE_SECONDS", 0.0)
    with platform.leases.alone(writing_lease(home_of(ann))), pytest.raises(HomeBusy):
        done(platform, snapshots.start_taking(platform, ann, "", PROOF))
    take(platform, ann)


def test_a_killed_server_leaves_nothing_that_the_next_does_not_mend(
    platform: Platform, ann: User, home: Path
) -> None:
    first, second = take(platform, ann), take(platform, ann)
    repository = engine_of(platform).directory(f"snapshots_{ann.userhash}")
    with writing():  # killed before the row was written, and before another one was deleted
        db.session.get(Home, ann.id).snapshots_stale = True
        db.session.delete(db.session.get(Snapshot, first.id))
    (repository / "snapshots" / second.restic_id).unlink()
    (repository / "locks" / ("0" * 64)).write_bytes(b"of a process that is gone")
    third = take(platform, ann)
    found = {row.restic_id: row for row in snapshots.of_user(ann)}
    assert found.keys() == {first.restic_id, third.restic_id}
    assert found[first.restic_id].reason is Reason.MANUAL
    assert not row_of(ann).snapshots_stale


def test_a_half_made_repository_is_made_anew(platform: Platform, ann: User, home: Path) -> None:
    repository = engine_of(platform).directory(f"snapshots_{ann.userhash}")
    (repository / "keys").mkdir()
    (repository / "keys" / "half").write_text("{")
    assert take(platform, ann).files == 1
    assert not (repository / "keys" / "half").exists()


def test_scheduled_ones_make_place_for_a_new_one(platform: Platform, ann: User, home: Path) -> None:
    (home / "big").write_bytes(noise(2 << 20))
    old = take(platform, ann)
    with writing():
        db.session.get(Home, ann.id).allowance_bytes = 1 << 40
    retag(platform, ann, old)
    (home / "big").write_bytes(noise(2 << 20))
    leave(platform, ann, 4 << 20)
    row = take(platform, ann)
    assert [one.id for one in snapshots.of_user(ann)] == [row.id]
    assert row_of(ann).snapshots_bytes < 4 << 20


def test_what_does_not_fit_is_taken_back_and_says_how_much(
    platform: Platform, ann: User, home: Path
) -> None:
    take(platform, ann)
    before = row_of(ann).snapshots_bytes
    (home / "big").write_bytes(noise(2 << 20))
    leave(platform, ann, 1 << 20)
    with pytest.raises(AllowanceReached, match="Delete at least 3 MiB"):
        take(platform, ann)
    assert len(snapshots.of_user(ann)) == 1
    assert row_of(ann).snapshots_bytes < before + (64 << 10)
    assert not row_of(ann).snapshots_stale


def test_a_restore_whose_safety_does_not_fit_says_how_to_go_on(
    platform: Platform, ann: User, home: Path
) -> None:
    row = take(platform, ann)
    (home / "big").write_bytes(noise(2 << 20))
    (home / "a.txt").write_text("two")
    leave(platform, ann, 1 << 20)
    with pytest.raises(AllowanceReached, match='"safety": false'):
        restore(platform, ann, row, "a.txt", safety=True)
    assert (home / "a.txt").read_text() == "two"
    restore(platform, ann, row, "a.txt")
    assert (home / "a.txt").read_text() == "one"


def test_an_empty_home_is_not_kept_but_can_be_filled(
    platform: Platform, ann: User, home: Path
) -> None:
    row = take(platform, ann)
    (home / "a.txt").unlink()
    with pytest.raises(Conflict, match="nothing in your home"):
        take(platform, ann)
    restore(platform, ann, row, "a.txt", safety=True)
    assert (home / "a.txt").read_text() == "one"
    assert [one.id for one in snapshots.of_user(ann)] == [row.id]


def test_five_safety_snapshots_are_kept(platform: Platform, ann: User, home: Path) -> None:
    row = take(platform, ann)
    for number in range(7):
        (home / "a.txt").write_text(str(number))
        restore(platform, ann, row, "a.txt", safety=True)
    reasons = [one.reason for one in snapshots.of_user(ann)]
    assert reasons == [Reason.BEFORE_RESTORE] * 5 + [Reason.MANUAL]


def test_the_whole_home_waits_until_nothing_runs(
    platform: Platform, running: Workspace, home: Path
) -> None:
    row = take(platform, running.user)
    with pytest.raises(Conflict, match="while a workspace runs"):
        restore(platform, running.user, row, None)


def test_the_whole_home_is_staged_beside_the_old_one(
    platform: Platform, ann: User, home: Path
) -> None:
    row = take(platform, ann)
    (home / "a.txt").write_text("two")
    restore(platform, ann, row, None)
    staged = engine_of(platform).root / f"{home_of(ann)}.staged"
    assert (staged / "a.txt").read_text() == "one"
    assert home_of(ann) not in platform.storage.staged  # it was adopted
    assert [s.name for s in platform.engine.census() if s.name.startswith("rbx-")] == []


def test_a_failed_restore_changes_nothing(platform: Platform, ann: User, home: Path) -> None:
    row = take(platform, ann)
    repository = engine_of(platform).directory(f"snapshots_{ann.userhash}")
    (repository / "snapshots" / row.restic_id).unlink()
    (home / "a.txt").write_text("two")
    for path in (None, "a.txt"):
        with pytest.raises(SnapshotError):
            restore(platform, ann, row, path)
    assert (home / "a.txt").read_text() == "two"
    assert list(home.iterdir()) == [home / "a.txt"]
    assert home_of(ann) not in platform.storage.staged


def test_a_deleted_snapshot_is_gone(platform: Platform, ann: User, home: Path) -> None:
    row = take(platform, ann)
    done(platform, snapshots.start_deleting(platform, ann, row.id, PROOF))
    assert snapshots.of_user(ann) == []
    with pytest.raises(NotFound):
        snapshots.start_deleting(platform, ann, row.id, PROOF)


def test_nothing_is_deleted_while_it_is_read(
    platform: Platform, ann: User, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = take(platform, ann)
    monkeypatch.setattr(snapshot_room.homes, "PATIENCE_SECONDS", 0.1)
    with snapshot_room.reading(platform, ann, PROOF), pytest.raises(HomeBusy):
        done(platform, snapshots.start_deleting(platform, ann, row.id, PROOF))
    assert [one.id for one in snapshots.of_user(ann)] == [row.id]


def test_an_unused_container_goes_after_a_minute(platform: Platform, ann: User, home: Path) -> None:
    take(platform, ann)
    name, unused = name_of(ann.userhash, Use.WRITE), Unused()
    users = {ann.userhash: home_of(ann)}
    names = lambda: {status.name for status in platform.engine.census()}  # noqa: E731
    unused.sweep(platform, users, 100.0)
    with snapshot_room.reading(platform, ann, PROOF):
        unused.sweep(platform, users, 170.0)
    unused.sweep(platform, users, 180.0)
    assert name in names()
    unused.sweep(platform, users, 240.0)
    assert name not in names()


def test_two_people_at_once_do_not_wait_for_each_other(
    app: Flask, platform: Platform, ann: User, bob: User, home: Path
) -> None:
    (home_directory(platform, bob) / "b").write_text("b")
    begun = [snapshots.start_taking(platform, user, "", PROOF) for user in (ann, bob)]
    for job in begun:
        done(platform, job)
    assert [len(snapshots.of_user(user)) for user in (ann, bob)] == [1, 1]


def noise(nbytes: int) -> bytes:
    return os.urandom(nbytes)


def leave(platform: Platform, user: User, nbytes: int) -> None:
    """Let files take all of the allowance but this much."""
    name = home_of(user)
    capacity = platform.storage.capacity(name)
    platform.storage.used_bytes[name] = capacity - nbytes


def retag(platform: Platform, user: User, row: Snapshot) -> None:
    """Make a snapshot one of the schedule's."""
    with snapshot_room.entered(platform, user, PROOF) as room:
        room.run(("tag", "--set", "scheduled", row.restic_id))
        (kept,) = snapshot_room.restic.parse_snapshots(room.run(snapshot_room.restic.snapshots()))
    with writing():
        found = db.session.get(Snapshot, row.id)
        found.reason, found.restic_id = Reason.SCHEDULED, kept.id
