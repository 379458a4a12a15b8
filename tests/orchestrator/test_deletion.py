from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from models import (
    Event,
    Home,
    KeySlot,
    Remains,
    Role,
    Run,
    Standing,
    User,
    Workspace,
    db,
    end_reading,
    utcnow,
)
from orchestrator import (
    accounts,
    administration,
    deletion,
    keys,
    starting,
    tending,
    tokens,
    workspaces,
)
from orchestrator.connections import Connection
from orchestrator.errors import (
    BadInput,
    Conflict,
    EngineUnreachable,
    StorageError,
    WrongCredentials,
)
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.workspaces import Actor
from tests.app_fixtures import PASSWORD, PROOF, account, on_both_databases, together
from tests.engine import WatchedEngine

pytestmark = on_both_databases
ACTOR = Actor("bob", proof=PROOF)


@pytest.fixture
def bobs(bob: User, platform: Platform) -> Workspace:
    """Bob's running workspace."""
    row = workspaces.create(platform, bob, utcnow(), "main", actor=ACTOR)
    return starting.ensure_running(platform, row, ACTOR)


def delete(platform: Platform, user: User, password: str = PASSWORD) -> None:
    deletion.delete_own(platform, user, utcnow(), password, address="192.0.2.7")


def left_of(user_id: int) -> list[object]:
    """Return the rows that are still somebody's."""
    db.session.rollback()
    tables = (Home, KeySlot, Run, Workspace)
    found = [row for kind in tables for row in db.session.scalars(
        select(kind).where(kind.user_id == user_id)
    )]  # fmt: skip
    found += db.session.scalars(select(User).where(User.id == user_id)).all()
    end_reading()
    return found


def remains() -> list[Remains]:
    db.session.rollback()
    found = list(db.session.scalars(select(Remains)))
    end_reading()
    return found


def test_an_account_goes_with_all_that_is_its_own(
    platform: Platform, bobs: Workspace, engine: WatchedEngine,
    connect: Callable[..., Connection],
) -> None:  # fmt: skip
    bob, home, user_id = bobs.user, home_of(bobs.user), bobs.user.id
    _, token = tokens.create(bob, utcnow(), "x", 1, address="")
    tab = connect(platform, bobs)
    before = utcnow()
    delete(platform, bob)
    assert left_of(user_id) == []
    assert list(engine.census()) == []
    assert tab.carrier.closed == 1
    assert tokens.find(token, utcnow()) is None
    assert home not in platform.storage.unlocked()
    assert platform.keyring.get(home) is None
    assert home in platform.storage.homes, "its files stay for a while"
    (rest,) = remains()
    grace = timedelta(seconds=platform.settings.account_grace_seconds)
    assert (rest.home, rest.username) == (home, "bob")
    assert (rest.storage, rest.place) == (platform.storage.kind, platform.storage.place)
    assert before + grace <= rest.delete_after <= utcnow() + grace
    event = db.session.scalars(select(Event).where(Event.action == "account.deleted")).one()
    assert (event.actor, event.target, event.address) == ("bob", "bob", "192.0.2.7")


def test_a_home_that_was_never_used_is_nowhere(platform: Platform, ann: User, bob: User) -> None:
    delete(platform, bob)
    (rest,) = remains()
    assert (rest.storage, rest.place) == (None, None)


def test_the_files_follow_when_the_grace_period_ends(platform: Platform, bobs: Workspace) -> None:
    home = home_of(bobs.user)
    delete(platform, bobs.user)
    (rest,) = remains()
    tending.bury(platform, rest.delete_after - timedelta(seconds=1))
    assert home in platform.storage.homes
    tending.bury(platform, rest.delete_after)
    assert home not in platform.storage.homes
    assert remains() == []


def test_the_name_is_free_and_leads_to_nothing_of_the_old_one(
    platform: Platform, bobs: Workspace
) -> None:
    home, uid = home_of(bobs.user), bobs.user.uid
    delete(platform, bobs.user)
    fresh = account(platform.settings, "bob")
    assert (home_of(fresh) != home, fresh.uid != uid) == (True, True)
    assert not deletion.doomed(fresh)
    deletion.finish_all(platform)
    assert accounts.authenticate(platform.settings, utcnow(), "bob", PASSWORD)


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + "x", "x" * 100_000])
def test_it_takes_the_password(platform: Platform, bobs: Workspace, password: str) -> None:
    with pytest.raises(BadInput) as caught:
        delete(platform, bobs.user, password)
    assert caught.value.field == "password"
    assert remains() == []
    assert len(left_of(bobs.user.id)) > 2


def test_the_only_administrator_stays_while_others_have_accounts(
    platform: Platform, ann: User, bob: User
) -> None:
    with pytest.raises(Conflict, match="only administrator"):
        delete(platform, ann)
    assert remains() == []
    administration.set_role(ann, utcnow(), "bob", Role.ADMIN, address="")
    delete(platform, ann)
    with pytest.raises(Conflict, match="only administrator"):
        account(platform.settings, "carl")
        delete(platform, bob)


def test_the_last_of_all_may_go(platform: Platform, ann: User) -> None:
    delete(platform, ann)
    assert not accounts.anyone()


def test_of_two_administrators_one_stays(app: Flask, platform: Platform, ann: User) -> None:
    users = [ann, account(platform.settings, "bob"), account(platform.settings, "carl")]
    administration.set_role(ann, utcnow(), "bob", Role.ADMIN, address="")
    ids = [user.id for user in users]
    end_reading()

    def go(number: int) -> None:
        delete(platform, db.session.get(User, ids[number]))

    outcomes = together(app, 2, go)
    assert sorted(type(one) for one in outcomes if one is not None) == [Conflict]
    db.session.rollback()
    admins = select(User.username).where(User.role == Role.ADMIN)
    assert len(db.session.scalars(admins).all()) == 1


def test_twice_at_once_is_once(app: Flask, platform: Platform, bobs: Workspace) -> None:
    user_id = bobs.user.id
    end_reading()

    def go(_: int) -> None:
        if (user := db.session.get(User, user_id)) is not None:
            delete(platform, user)

    outcomes = together(app, 3, go)
    assert [one for one in outcomes if not (one is None or isinstance(one, BadInput))] == []
    deletion.finish_all(platform)
    assert left_of(user_id) == []
    assert len(remains()) == 1


class TestCutShort:
    """After the one transaction it is done, whatever keeps the rest from being done at once."""

    @pytest.fixture
    def stuck(
        self, platform: Platform, bobs: Workspace, engine: WatchedEngine,
        connect: Callable[..., Connection],
    ) -> User:  # fmt: skip
        """Bob, whose account was deleted while the engine did not answer."""
        tokens.create(bobs.user, utcnow(), "x", 1, address="")
        tab = connect(platform, bobs)
        engine.failing["stop"] = EngineUnreachable()
        bob = bobs.user
        delete(platform, bob)
        engine.failing.clear()
        assert tab.carrier.closed == 1
        return bob

    def test_the_keys_are_gone_and_nobody_comes_in(self, platform: Platform, stuck: User) -> None:
        assert [row for row in left_of(stuck.id) if isinstance(row, KeySlot)] == []
        assert platform.keyring.get(home_of(stuck)) is None
        assert keys.key_of(stuck, PROOF) is None
        with pytest.raises(WrongCredentials):
            accounts.authenticate(platform.settings, utcnow(), "bob", PASSWORD)
        assert stuck.standing is Standing.SUSPENDED
        assert tokens.of_user(stuck) == []

    def test_the_collector_finishes(
        self, platform: Platform, stuck: User, engine: WatchedEngine
    ) -> None:
        user_id, home = stuck.id, home_of(stuck)
        assert left_of(user_id) != []
        deletion.finish_all(platform)
        assert left_of(user_id) == []
        assert list(engine.census()) == []
        assert home not in platform.storage.unlocked()
        assert len(remains()) == 1

    def test_a_home_that_cannot_be_locked_is_tried_again(
        self, platform: Platform, stuck: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user_id = stuck.id

        def refuse(name: str) -> None:
            raise StorageError("busy")

        with monkeypatch.context() as patch:
            patch.setattr(platform.storage, "lock", refuse)
            deletion.finish_all(platform)
            assert left_of(user_id) != []
        deletion.finish_all(platform)
        assert left_of(user_id) == []

    def test_a_sign_in_that_checked_the_password_before_comes_too_late(
        self, platform: Platform, bobs: Workspace, engine: WatchedEngine
    ) -> None:
        bob = accounts.authenticate(platform.settings, utcnow(), "bob", PASSWORD).user
        proven = bob.password_hash
        engine.failing["stop"] = EngineUnreachable()
        delete(platform, bobs.user)
        with pytest.raises(WrongCredentials):
            accounts.sign_in(bob, utcnow(), address="", agent="", proven=proven)


def test_what_was_deleted_is_overwritten_in_the_databases_log_at_once_or_soon(
    bobs: Workspace, bob: User, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr(keys, "scrub", lambda: next(answers))
    delete(platform, bob)
    assert platform.unscrubbed.is_set(), "a reader was in the way"
    deletion.finish_all(platform)
    deletion.finish_all(platform)
    assert not platform.unscrubbed.is_set()
    deletion.finish_all(platform)  # and leaves it at that
