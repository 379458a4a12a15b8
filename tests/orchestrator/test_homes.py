import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from models import (
    Home,
    KeySlot,
    Slot,
    State,
    User,
    Workspace,
    db,
    end_reading,
    utcnow,
    writing,
)
from orchestrator import homes, starting, tending, workspaces
from orchestrator.engines import Phase
from orchestrator.errors import Conflict, HomeBusy, HomeLocked, StorageError
from orchestrator.keys import Proof
from orchestrator.platform import Platform
from orchestrator.policy import helper_spec, home_of
from orchestrator.spec import Mount
from orchestrator.storage.memory import MemoryStorage
from orchestrator.workspaces import Actor
from tests.app_fixtures import PROOF, on_both_databases

pytestmark = on_both_databases
ACTOR = Actor("ann", "192.0.2.1", PROOF)
WITHOUT_KEY = Actor("ann", "192.0.2.1")
Again = Callable[[Workspace], Workspace | None]


def home_row(user: User) -> Home:
    db.session.rollback()
    row = db.session.get(Home, user.id, populate_existing=True)
    db.session.commit()
    assert row is not None
    return row


def test_a_start_opens_the_home_and_the_last_stop_locks_it(
    platform: Platform, made: Workspace
) -> None:
    name = home_of(made.user)
    assert platform.storage.unlocked() == frozenset()
    starting.ensure_running(platform, made, ACTOR)
    assert platform.storage.unlocked() == {name}
    assert platform.keyring.get(name) is not None
    workspaces.stop(platform, made, ACTOR)
    assert platform.storage.unlocked() == frozenset()
    assert platform.keyring.get(name) is None


def test_a_home_stays_open_while_another_workspace_runs(
    platform: Platform, running: Workspace, ann: User
) -> None:
    other = workspaces.create(platform, ann, utcnow(), "other", actor=ACTOR)
    starting.ensure_running(platform, other, WITHOUT_KEY)  # it is open: no key is needed
    workspaces.stop(platform, running, ACTOR)
    assert platform.storage.unlocked() == {home_of(ann)}
    workspaces.remove(platform, other, ACTOR)
    assert platform.storage.unlocked() == frozenset()


@pytest.mark.parametrize(
    "proof",
    [
        None,
        Proof(Slot.PASSWORD, None, "another password"),
        Proof(Slot.LOGIN, 12345, "no such secret"),
        Proof(Slot.TOKEN, 12345, "no such secret"),
    ],
)
def test_waking_without_a_key_says_where_to_unlock_and_nothing_fails(
    platform: Platform, made: Workspace, again: Again, proof: Proof | None
) -> None:
    with pytest.raises(HomeLocked) as refused:
        starting.ensure_running(platform, made, Actor("ann", "", proof))
    assert "/api/v1/home/unlock" in refused.value.hint
    row = again(made)
    assert (row.state, row.claimed_by) == (State.STOPPED, None)
    assert "locked" in row.reason
    assert platform.storage.homes == {}
    starting.ensure_running(platform, made, ACTOR)


def test_after_unlocking_no_key_is_needed_for_a_while(
    platform: Platform, made: Workspace, ann: User
) -> None:
    now = utcnow()
    homes.unlock(platform, ann, now, PROOF)
    tending.tend(platform, now + timedelta(seconds=platform.settings.unlock_seconds - 1))
    assert platform.storage.unlocked() == {home_of(ann)}
    starting.ensure_running(platform, made, WITHOUT_KEY)
    workspaces.stop(platform, made, ACTOR)
    assert platform.storage.unlocked() == {home_of(ann)}, "its owner asked to keep it open"
    tending.tend(platform, now + timedelta(seconds=platform.settings.unlock_seconds + 1))
    assert platform.storage.unlocked() == frozenset()


def test_locking_by_hand_waits_for_no_time_but_for_workspaces(
    platform: Platform, running: Workspace, ann: User
) -> None:
    homes.unlock(platform, ann, utcnow(), PROOF)
    with pytest.raises(Conflict, match="workspace runs"):
        homes.lock(platform, ann)
    assert platform.storage.unlocked() == {home_of(ann)}
    workspaces.stop(platform, running, ACTOR)
    homes.lock(platform, ann)
    homes.lock(platform, ann)
    assert platform.storage.unlocked() == frozenset()


def test_nothing_is_locked_under_the_hands_of_who_uses_it(platform: Platform, ann: User) -> None:
    with homes.in_use(platform, ann, PROOF):
        assert not homes.lock_unused(platform, ann.id, ann.userhash, utcnow())
        tending.tend(platform, utcnow())
        assert platform.storage.unlocked() == {home_of(ann)}
    assert homes.lock_unused(platform, ann.id, ann.userhash, utcnow())


def test_a_home_that_is_being_replaced_cannot_be_started_into(
    platform: Platform, made: Workspace, again: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "PATIENCE_SECONDS", 0.0)
    with platform.leases.alone(home_of(made.user)), pytest.raises(HomeBusy):
        starting.ensure_running(platform, made, ACTOR)
    assert again(made).state is State.STOPPED
    starting.ensure_running(platform, made, ACTOR)


def test_a_key_that_a_crash_lost_comes_back_with_the_next_caller(
    platform: Platform, running: Workspace, ann: User
) -> None:
    platform.keyring.drop(home_of(ann))
    with homes.in_use(platform, ann, None):
        assert platform.keyring.get(home_of(ann)) is None
    with homes.in_use(platform, ann, PROOF):
        assert platform.keyring.get(home_of(ann)) is not None


def test_what_a_home_takes_is_written_down(
    platform: Platform, running: Workspace, ann: User
) -> None:
    row = home_row(ann)
    allowed = platform.settings.allowance_disk_bytes
    assert (row.storage, row.place, row.capped) == ("memory", "memory", True)
    assert (row.allowance_bytes, row.files_bytes, row.snapshots_bytes) == (allowed, 0, 0)
    platform.storage.used_bytes[home_of(ann)] = 12345
    tending.tend(platform, utcnow())
    assert home_row(ann).files_bytes == 12345
    platform.storage.used_bytes[home_of(ann)] = 99999
    workspaces.stop(platform, running, ACTOR)
    assert home_row(ann).files_bytes == 99999, "as it was when it was locked"


def test_what_is_stored_never_exceeds_the_allowance_in_the_row(
    platform: Platform, running: Workspace, ann: User
) -> None:
    with writing():
        db.session.execute(update(Home).values(snapshots_bytes=1 << 20))
    allowed = platform.settings.allowance_disk_bytes
    platform.storage.used_bytes[home_of(ann)] = allowed  # a file system rounds
    tending.tend(platform, utcnow())
    row = home_row(ann)
    assert row.files_bytes + row.snapshots_bytes == row.allowance_bytes == allowed


def test_a_larger_allowance_reaches_an_open_home_at_once(
    platform: Platform, running: Workspace, ann: User
) -> None:
    larger = platform.settings.allowance_disk_bytes * 2
    with writing():
        db.session.execute(update(User).where(User.id == ann.id).values(max_disk_bytes=larger))
    db.session.refresh(ann)
    homes.fit(platform, ann)
    assert platform.storage.capacity(home_of(ann)) == larger
    assert home_row(ann).allowance_bytes == larger


def test_a_home_that_is_kept_elsewhere_is_not_made_a_second_time(
    platform: Platform, made: Workspace, ann: User
) -> None:
    homes.unlock(platform, ann, utcnow(), PROOF)
    homes.lock(platform, ann)
    with writing():
        db.session.execute(update(Home).values(place="another-machine:/srv/homes"))
    platform.storage.destroy(home_of(ann))
    with pytest.raises(StorageError, match="another-machine"):
        starting.ensure_running(platform, made, ACTOR)
    assert platform.storage.homes == {}


def test_without_encryption_nothing_asks_for_a_key(
    platform: Platform, made: Workspace, ann: User, app: Flask
) -> None:
    plain = replace(platform, storage=MemoryStorage(frozenset()))
    starting.ensure_running(plain, made, WITHOUT_KEY)
    assert not home_row(ann).capped
    workspaces.stop(plain, made, ACTOR)
    assert plain.engine.inspect(made.container).phase is Phase.STOPPED


def test_the_row_goes_with_its_user_and_the_keys_too(
    platform: Platform, running: Workspace
) -> None:
    workspaces.remove(platform, running, ACTOR)
    with writing():
        db.session.delete(db.session.get(User, running.user_id))
    assert db.session.query(Home).count() == db.session.query(KeySlot).count() == 0


def test_an_allowance_below_what_is_stored_breaks_no_row(
    platform: Platform, running: Workspace, ann: User
) -> None:
    stored = platform.settings.allowance_disk_bytes // 2
    platform.storage.used_bytes[home_of(ann)] = stored
    with writing():
        db.session.execute(update(Home).values(snapshots_bytes=stored // 4))
    tending.tend(platform, utcnow())
    with writing():
        db.session.execute(update(User).values(max_disk_bytes=64 << 20))
    workspaces.stop(platform, running, ACTOR)
    tending.tend(platform, utcnow())  # of a locked home nothing is known but what was written
    row = home_row(ann)
    assert (row.files_bytes, row.snapshots_bytes) == (stored, stored // 4)
    assert row.files_bytes + row.snapshots_bytes <= row.allowance_bytes
    homes.unlock(platform, ann, utcnow(), PROOF)
    row = home_row(ann)
    assert row.files_bytes + row.snapshots_bytes <= row.allowance_bytes


def test_a_start_that_takes_long_keeps_its_claim(
    app: Flask, make_app: Callable[..., Flask], made: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "RENEW_SECONDS", 0.05)
    platform = make_app(lease=0.4).extensions["rootblood"]
    opened = platform.storage.unlock

    def slowly(home: object, key: bytes) -> None:
        _until_renewed(made, times=3)
        opened(home, key)

    monkeypatch.setattr(platform.storage, "unlock", slowly)
    assert starting.ensure_running(platform, made, ACTOR).state is State.RUNNING


def _until_renewed(row: Workspace, times: int) -> None:
    seen: set[object] = set()
    deadline = time.monotonic() + 20
    while len(seen) <= times:
        assert time.monotonic() < deadline, "the claim is not renewed"
        query = select(Workspace.claimed_until).where(Workspace.id == row.id)
        seen.add(db.session.scalar(query))
        end_reading()


def helper(platform: Platform, user: User, name: str) -> str:
    """Run a short-lived container of the user's home."""
    spec = helper_spec(user, f"rbx-{user.userhash}-{name}", "image", Mount("x", "/home"), 60)
    platform.engine.run(spec)
    return spec.name


def test_what_only_waits_to_be_used_again_keeps_no_home_open_after_the_last_stop(
    platform: Platform, running: Workspace, ann: User
) -> None:
    waiting = helper(platform, ann, "snapshots")
    tending.tend(platform, utcnow())
    assert platform.engine.inspect(waiting).phase is Phase.RUNNING
    workspaces.stop(platform, running, ACTOR)
    assert platform.engine.inspect(waiting).phase is Phase.ABSENT
    assert platform.storage.unlocked() == frozenset()


def test_a_download_goes_on_after_the_last_stop_and_keeps_the_home_open(
    platform: Platform, running: Workspace, ann: User
) -> None:
    packing = helper(platform, ann, "0123abcd")
    workspaces.stop(platform, running, ACTOR)
    assert platform.engine.inspect(packing).phase is Phase.RUNNING
    assert platform.storage.unlocked() == {home_of(ann)}
    platform.archiving.add(ann.id)
    with pytest.raises(HomeBusy, match="downloaded"):
        homes.lock(platform, ann)
    platform.archiving.clear()
    platform.engine.remove(packing)
    tending.tend(platform, utcnow())
    assert platform.storage.unlocked() == frozenset()
