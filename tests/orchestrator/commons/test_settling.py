"""What is published is taken out of the home, whoever was interrupted when."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from models import Home, Repository, User, db, utcnow, writing
from orchestrator import homes, tending
from orchestrator.commons import repositories, settling, share
from orchestrator.errors import HomeBusy, StorageError
from orchestrator.leases import publishing_lease
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.storage.memory import MemoryStorage
from tests.app_fixtures import PROOF, on_both_databases
from tests.orchestrator.commons.published import Work

pytestmark = on_both_databases
MIB = 1 << 20


@pytest.fixture
def opened(platform: Platform, ann: User) -> User:
    """Ann, whose home is open."""
    homes.unlock(platform, ann, utcnow(), PROOF)
    return ann


def home(user: User) -> Home:
    db.session.rollback()
    row = db.session.get(Home, user.id, populate_existing=True)
    db.session.rollback()
    assert row is not None
    return row


def publish(platform: Platform, user: User, size: int, name: str = "file") -> None:
    share.publish(platform, user, utcnow(), Path(name), io.BytesIO(b"x" * size))


def agreed(platform: Platform, user: User) -> int:
    """Return what is counted as published, which the open home cannot take."""
    row = home(user)
    assert platform.storage.reserved(home_of(user)) == row.reserved_bytes
    return row.published_bytes


def test_a_shared_file_is_taken_out_of_the_open_home_until_it_goes(
    platform: Platform, opened: User
) -> None:
    publish(platform, opened, MIB)
    assert agreed(platform, opened) == MIB
    share.remove(platform, opened, Path("file"))
    assert agreed(platform, opened) == 0


def test_a_repository_counts_when_pushed_forked_and_deleted(
    platform: Platform, hello: Repository, ann: User, bob: User
) -> None:
    for user in (ann, bob):
        homes.unlock(platform, user, utcnow(), PROOF)
    assert agreed(platform, ann) == hello.size_bytes > 0
    fork = repositories.fork(platform, bob, utcnow(), hello)
    assert agreed(platform, bob) == fork.size_bytes == hello.size_bytes
    repositories.remove(platform, bob, utcnow(), fork)
    assert agreed(platform, bob) == 0


def test_a_push_to_an_open_home_counts_at_once(
    platform: Platform, opened: User, hello: Repository, anns: Work
) -> None:
    before = agreed(platform, opened)
    anns.commit("More", more_bin=bytes(range(256)) * 64)
    anns.push(hello)
    assert agreed(platform, opened) > before


def test_who_published_before_the_first_home_was_made_has_that_much_less(
    platform: Platform, ann: User
) -> None:
    publish(platform, ann, 2 * MIB)
    homes.unlock(platform, ann, utcnow(), PROOF)
    assert agreed(platform, ann) == 2 * MIB


def test_what_was_published_while_it_was_locked_is_taken_out_when_it_opens(
    platform: Platform, opened: User
) -> None:
    homes.lock(platform, opened)
    publish(platform, opened, 3 * MIB)
    assert home(opened).published_bytes == 3 * MIB
    homes.unlock(platform, opened, utcnow(), PROOF)
    assert agreed(platform, opened) == 3 * MIB


def test_it_adds_to_what_snapshots_take(platform: Platform, opened: User) -> None:
    with writing():
        db.session.execute(update(Home).values(snapshots_bytes=5 * MIB))
    publish(platform, opened, MIB)
    assert platform.storage.reserved(home_of(opened)) == 6 * MIB


def test_files_that_leave_too_little_keep_what_they_have(platform: Platform, opened: User) -> None:
    publish(platform, opened, 2 * MIB)
    capacity = platform.storage.capacity(home_of(opened))
    platform.storage.used_bytes[home_of(opened)] = capacity - 3 * MIB
    # Whoever may push to her repositories came while she wrote.
    (platform.store.share("ann") / "more").write_bytes(b"x" * 4 * MIB)
    settling.settle(platform, opened)
    assert platform.storage.reserved(home_of(opened)) == 3 * MIB
    assert home(opened).published_bytes == 6 * MIB
    tending.tend(platform, utcnow())
    row = home(opened)
    assert row.files_bytes + row.reserved_bytes == row.allowance_bytes


def test_a_larger_allowance_of_a_locked_home_loses_no_files_from_the_books(
    platform: Platform, opened: User
) -> None:
    homes.lock(platform, opened)
    with writing():
        db.session.execute(update(Home).values(allowance_bytes=10 * MIB, files_bytes=8 * MIB))
    publish(platform, opened, 5 * MIB)
    row = home(opened)
    assert (row.files_bytes, row.published_bytes) == (8 * MIB, 5 * MIB)
    assert row.allowance_bytes == 13 * MIB


def test_the_collector_settles_what_a_crash_cut_short(
    platform: Platform, opened: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(settling, "settle", lambda *_: None)
        publish(platform, opened, MIB)
    assert home(opened).published_bytes == 0
    tending.tend(platform, utcnow())
    assert agreed(platform, opened) == MIB
    homes.lock(platform, opened)
    platform.store.delete_owner("ann")
    tending.tend(platform, utcnow())
    assert home(opened).published_bytes == 0


def test_what_only_the_storage_forgot_is_reserved_again(platform: Platform, opened: User) -> None:
    publish(platform, opened, MIB)
    platform.storage.reserve(home_of(opened), 0)
    tending.tend(platform, utcnow())
    assert agreed(platform, opened) == MIB


def test_a_storage_that_fails_keeps_nobody_from_publishing(
    platform: Platform, opened: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageError

    monkeypatch.setattr(platform.storage, "reserve", fail)
    publish(platform, opened, MIB)
    assert home(opened).published_bytes == MIB


def test_who_is_busy_being_counted_is_counted_later(
    platform: Platform, opened: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.commons.quota.PATIENCE_SECONDS", 0.0)
    (platform.store.share("ann")).mkdir(parents=True)
    (platform.store.share("ann") / "x").write_bytes(b"x")
    with platform.leases.alone(publishing_lease(home_of(opened))):
        settling.settle(platform, opened)
        with pytest.raises(HomeBusy):
            publish(platform, opened, MIB)
    assert home(opened).published_bytes == 0
    settling.settle(platform, opened)
    assert home(opened).published_bytes == 1


def test_a_storage_without_a_cap_only_counts(platform: Platform, ann: User) -> None:
    plain = replace(platform, storage=MemoryStorage(frozenset()))
    with homes.in_use(plain, ann, None):
        pass
    publish(plain, ann, MIB)
    assert home(ann).published_bytes == MIB
    assert not home(ann).capped
