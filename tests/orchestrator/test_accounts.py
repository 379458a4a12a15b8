import hashlib
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from models import Role, Standing, User, db, utcnow, writing
from orchestrator import accounts, invitations, passwords
from orchestrator.errors import AlreadyExists, BadInput, Forbidden, WrongCredentials
from orchestrator.settings import Registration, Settings
from tests.app_fixtures import (
    PASSWORD,
    REAL_COST,
    REAL_METHOD,
    account,
    on_both_databases,
    together,
)

pytestmark = [on_both_databases, pytest.mark.usefixtures("context")]
FORTNIGHT = timedelta(days=14)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often something is derived from a password, by the cost that it is done with."""
    counts: Counter[str] = Counter()
    scrypt = hashlib.scrypt

    def counting(password: bytes, **given: Any) -> bytes:
        counts[f"scrypt:{given['n']}:{given['r']}:{given['p']}"] += 1
        return scrypt(password, **given)

    monkeypatch.setattr(hashlib, "scrypt", counting)
    return counts


def stored(user: User) -> User:
    db.session.rollback()
    return db.session.get(User, user.id, populate_existing=True)


def test_the_first_account_is_the_administrator(settings: Settings) -> None:
    assert account(settings, "ann").role is Role.ADMIN
    assert account(settings, "bob").role is Role.USER


def test_twenty_who_register_at_once_make_one_administrator(app: Flask, settings: Settings) -> None:
    results = together(app, 20, lambda n: account(settings, f"user{n}"))
    assert all(isinstance(r, User) for r in results), results
    users = db.session.scalars(select(User)).all()
    assert sum(user.role is Role.ADMIN for user in users) == 1
    assert len({user.uid for user in users}) == len({user.userhash for user in users}) == 20


def test_one_name_that_many_want_at_once_is_given_once(app: Flask, settings: Settings) -> None:
    results = together(app, 10, lambda _: account(settings, "ann"))
    assert sum(isinstance(r, User) for r in results) == 1
    assert sum(isinstance(r, AlreadyExists) for r in results) == 9, results


def test_uids_lie_above_the_base_and_are_never_given_twice(settings: Settings) -> None:
    uids = []
    for number in range(3):
        user = account(settings, f"user{number}")
        uids.append(user.uid)
        with writing():
            db.session.execute(delete(User))
    assert len(set(uids)) == 3
    assert min(uids) > settings.uid_base


def test_the_userhash_is_not_derived_from_what_is_seen(settings: Settings) -> None:
    seen = set()
    for _ in range(3):
        user = account(settings, "ann")
        seen.add(user.userhash)
        assert len(user.userhash) == 16
        assert int(user.userhash, 16) != user.uid
        with writing():
            db.session.execute(delete(User))
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "root"}, "username"), ({"name": "Ann"}, "username"), ({"name": "a"}, "username"),
        ({"name": "аnn"}, "username"), ({"name": "a" * 10_000_000}, "username"),
        ({"password": "short"}, "password"), ({"password": "x" * 10_000_000}, "password"),
        ({"name": "correct-horse", "password": "correct-horse"}, "password"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_makes_no_account_and_costs_no_hash(
    settings: Settings, hashed: Counter[str], changes: dict[str, str], field: str
) -> None:
    given = {"name": "ann", "password": PASSWORD} | changes
    with pytest.raises(BadInput) as caught:
        account(settings, given["name"], password=given["password"])
    assert caught.value.field == field
    assert not hashed
    assert not accounts.anyone()


def test_passwords_are_stored_as_scrypt(settings: Settings) -> None:
    user = account(settings, "ann")
    assert user.password_hash.startswith("scrypt:")
    assert PASSWORD not in user.password_hash
    _, n, r, p = REAL_METHOD.split(":")
    assert (int(n), int(r), int(p)) == (32768, 8, 3)
    assert (1 << REAL_COST.log2_n, REAL_COST.r, REAL_COST.p) == (32768, 8, 3), "as dear to guess"


def test_signing_in_takes_the_right_name_and_password(settings: Settings) -> None:
    user = account(settings, "ann")
    assert accounts.authenticate(settings, utcnow(), "ann", PASSWORD).user.id == user.id


@pytest.mark.parametrize(
    ("username", "password", "standing"),
    [
        ("ann", "wrong", Standing.ACTIVE),
        ("ann", "", Standing.ACTIVE),
        ("ann", "x" * 10_000_000, Standing.ACTIVE),
        ("nobody-here", PASSWORD, Standing.ACTIVE),
        ("ANN", PASSWORD, Standing.ACTIVE),
        ("ann\x00", PASSWORD, Standing.ACTIVE),
        ("a" * 10_000_000, PASSWORD, Standing.ACTIVE),
        ("ann", PASSWORD, Standing.SUSPENDED),
    ],
)
def test_every_refusal_is_the_same_answer_after_the_same_work(
    settings: Settings, hashed: Counter[str], username: str, password: str, standing: Standing
) -> None:
    account(settings, "ann")
    with writing():
        db.session.execute(update(User).values(standing=standing))
    hashed.clear()
    with pytest.raises(WrongCredentials) as caught:
        accounts.authenticate(settings, utcnow(), username, password)
    assert (caught.value.message, caught.value.hint) == (
        WrongCredentials.title,
        WrongCredentials.default_hint,
    )
    assert hashed == {passwords.METHOD: 1}


def test_no_transaction_is_open_while_a_password_is_hashed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = account(settings, "ann")
    open_: list[bool] = []
    scrypt = hashlib.scrypt

    def deriving(password: bytes, **given: Any) -> bytes:
        open_.append(db.session().in_transaction())
        return scrypt(password, **given)

    monkeypatch.setattr(hashlib, "scrypt", deriving)
    accounts.authenticate(settings, utcnow(), "ann", PASSWORD)
    account(settings, "bob")
    accounts.change_password(
        settings, stored(user), utcnow(), PASSWORD, "another password", address="", agent=""
    )
    assert open_ == [False] * 6


def closed(settings: Settings) -> Settings:
    return replace(settings, registration=Registration.CLOSED)


def by_invite(settings: Settings) -> Settings:
    return replace(settings, registration=Registration.INVITE)


@pytest.mark.parametrize("mode", Registration)
def test_the_first_account_needs_no_permission(settings: Settings, mode: Registration) -> None:
    assert account(replace(settings, registration=mode), "ann").is_admin


def test_closed_registration_refuses_and_costs_no_hash(
    settings: Settings, hashed: Counter[str]
) -> None:
    ann = account(settings, "ann")
    _, secret = invitations.create(ann, utcnow(), 1)
    hashed.clear()
    with pytest.raises(Forbidden, match="closed"):
        account(closed(settings), "bob", invite=secret)
    assert not hashed


def test_an_invitation_works_once(settings: Settings) -> None:
    ann = account(settings, "ann")
    invite, secret = invitations.create(ann, utcnow(), 7)
    bob = account(by_invite(settings), "bob", invite=secret)
    assert bob.role is Role.USER
    db.session.expire_all()
    assert [(i.created_by, i.used_by) for i in invitations.listed()] == [("ann", "bob")]
    for wrong in (secret, "", secret + "x", invite.secret_hash):
        with pytest.raises(Forbidden):
            account(by_invite(settings), "carl", invite=wrong)


def test_an_invitation_works_once_also_when_all_come_at_once(
    app: Flask, settings: Settings
) -> None:
    ann = account(settings, "ann")
    _, secret = invitations.create(ann, utcnow(), 7)
    results = together(app, 10, lambda n: account(by_invite(settings), f"user{n}", invite=secret))
    assert sum(isinstance(r, User) for r in results) == 1
    assert sum(isinstance(r, Forbidden) for r in results) == 9, results


def test_an_invitation_expires_and_can_be_withdrawn(settings: Settings) -> None:
    ann = account(settings, "ann")
    _, old = invitations.create(ann, utcnow() - timedelta(days=2), 1)
    invite, fresh = invitations.create(ann, utcnow(), 1)
    invitations.withdraw(ann, invite.id)
    for secret in (old, fresh):
        with pytest.raises(Forbidden):
            account(by_invite(settings), "bob", invite=secret)


def test_a_failed_registration_does_not_use_the_invitation_up(settings: Settings) -> None:
    ann = account(settings, "ann")
    _, secret = invitations.create(ann, utcnow(), 7)
    with pytest.raises(AlreadyExists):
        account(by_invite(settings), "ann", invite=secret)
    assert account(by_invite(settings), "bob", invite=secret)


@pytest.mark.parametrize("days", [0, -1, 91, 10**9])
def test_invitations_last_a_bounded_time(settings: Settings, days: int) -> None:
    ann = account(settings, "ann")
    with pytest.raises(BadInput):
        invitations.create(ann, utcnow(), days)


def test_only_administrators_invite(settings: Settings) -> None:
    account(settings, "ann")
    bob = account(settings, "bob")
    with pytest.raises(Forbidden):
        invitations.create(bob, utcnow(), 1)
    with pytest.raises(Forbidden):
        invitations.withdraw(bob, 1)


def test_a_login_is_hashed_and_found_by_its_secret(settings: Settings) -> None:
    user, now = account(settings, "ann"), utcnow()
    login, secret = accounts.sign_in(
        user, now, address="192.0.2.1", agent="Firefox\x00\n" + "x" * 999
    )
    assert secret not in login.secret_hash
    assert len(secret) >= 43
    assert login.agent.startswith("Firefoxx")
    assert len(login.agent) == 200
    found = accounts.find_login(secret, now, FORTNIGHT)
    assert found is not None
    assert (found[0].id, found[1].id) == (login.id, user.id)
    for wrong in ("", secret[:-1], login.secret_hash):
        assert accounts.find_login(wrong, now, FORTNIGHT) is None


def test_each_login_has_a_secret_of_its_own(settings: Settings) -> None:
    user = account(settings, "ann")
    secrets = {accounts.sign_in(user, utcnow(), address="", agent="")[1] for _ in range(3)}
    assert len(secrets) == len(accounts.logins_of(user)) == 3


def test_a_login_lasts_as_long_as_it_is_used(settings: Settings) -> None:
    user, now = account(settings, "ann"), utcnow()
    login, secret = accounts.sign_in(user, now, address="", agent="")
    assert accounts.find_login(secret, now + FORTNIGHT, FORTNIGHT) is None
    later = now + timedelta(days=13)
    accounts.touch(login, user, later)
    assert accounts.find_login(secret, now + FORTNIGHT, FORTNIGHT) is not None
    assert stored(user).last_seen_at == later


def test_using_a_login_writes_at_most_once_in_five_minutes(settings: Settings) -> None:
    user, now = account(settings, "ann"), utcnow()
    login, _ = accounts.sign_in(user, now, address="", agent="")
    accounts.touch(login, user, now + timedelta(minutes=4))
    assert stored(user).last_seen_at == now
    accounts.touch(login, user, now + timedelta(minutes=5))
    assert stored(user).last_seen_at is not None
