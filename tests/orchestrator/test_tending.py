from dataclasses import replace
from datetime import timedelta

import pytest

from models import (
    Remains,
    User,
    Workspace,
    db,
    utcnow,
    writing,
)
from orchestrator import homes, tending
from orchestrator.errors import HomeBusy
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.storage.memory import MemoryStorage
from tests.app_fixtures import PROOF, on_both_databases
from tests.engine import WatchedEngine

pytestmark = on_both_databases


def test_what_ends_by_itself_lets_the_home_be_locked(
    platform: Platform, running: Workspace, engine: WatchedEngine
) -> None:
    engine.fail(running.container)
    tending.tend(platform, utcnow())
    assert platform.storage.unlocked() == frozenset()


def test_a_lock_that_was_cut_short_is_finished_by_a_sweep(
    platform: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes.unlock(platform, ann, utcnow(), PROOF)
    later = utcnow() + timedelta(seconds=platform.settings.unlock_seconds + 1)

    def cut_short(name: str) -> None:
        MemoryStorage.lock(platform.storage, name)  # the key is gone, the mount is not
        raise HomeBusy

    with monkeypatch.context() as patch:
        patch.setattr(platform.storage, "lock", cut_short)
        tending.tend(platform, later)
    assert platform.keyring.get(home_of(ann)) is not None
    tending.tend(platform, later)
    assert platform.keyring.get(home_of(ann)) is None


def test_a_restarted_server_forgets_keys_of_homes_that_are_locked(
    platform: Platform, running: Workspace, ann: User
) -> None:
    tending.recover(platform)
    assert platform.keyring.get(home_of(ann)) is not None
    platform.storage.lock(home_of(ann))
    tending.recover(platform)
    assert platform.keyring.get(home_of(ann)) is None


def test_the_brake_is_on_while_the_disk_is_nearly_full_and_goes(
    platform: Platform, running: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = replace(platform, settings=replace(platform.settings, reserve_bytes=1000))
    braked = []
    for free in (1500, 999, 500, 499, 999, 1000, 999):
        monkeypatch.setattr(homes, "host_free_bytes", lambda _p, free=free: free)
        tending.brake(limited)
        braked.append((limited.brake.on, bool(platform.storage.braked)))
    assert braked == [(on, on) for on in (False, False, False, True, True, False, False)]


def test_the_files_of_a_deleted_account_go_when_their_time_has_come(
    platform: Platform, made: Workspace, ann: User
) -> None:
    homes.unlock(platform, ann, utcnow(), PROOF)
    homes.lock(platform, ann)
    now = utcnow()
    with writing():
        db.session.add(
            Remains(home=home_of(ann), username="ann", delete_after=now + timedelta(days=7))
        )
    tending.bury(platform, now + timedelta(days=6))
    assert home_of(ann) in platform.storage.homes
    tending.bury(platform, now + timedelta(days=8))
    assert platform.storage.homes == {}
    assert db.session.query(Remains).count() == 0


def test_one_home_that_cannot_be_measured_keeps_no_other_waiting(
    platform: Platform, ann: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in (ann, bob):
        with homes.in_use(platform, user, PROOF):
            pass

    def broken(name: str) -> int | None:
        if name == home_of(ann):
            raise ZeroDivisionError
        return MemoryStorage.usage(platform.storage, name)

    monkeypatch.setattr(platform.storage, "usage", broken)
    tending.tend(platform, utcnow())
    assert platform.storage.unlocked() == frozenset()


def test_a_restarted_server_lets_go_of_its_predecessors_brake(
    platform: Platform, running: Workspace, ann: User
) -> None:
    platform.storage.brake(home_of(ann), True)
    tending.brake(platform)  # there is space
    assert platform.storage.braked == set()
