"""Whose copy opens for whom, and that there is ever one key."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from models import KeySlot, Login, Slot, Token, User, db, utcnow, writing
from orchestrator import accounts, administration, keys, passwords, tokens
from orchestrator.accounts import Entrant
from orchestrator.errors import BadInput, WrongCredentials
from orchestrator.keys import Proof
from orchestrator.platform import Platform
from orchestrator.settings import Settings
from tests.app_fixtures import PASSWORD, account, on_both_databases, together
from tests.entrants import entered, signed_in, with_token

pytestmark = [on_both_databases, pytest.mark.usefixtures("context")]
NEW = "another fine password"
BY_PASSWORD = Proof(Slot.PASSWORD, None, PASSWORD)


def kinds(user: User) -> list[str]:
    query = select(KeySlot.kind).where(KeySlot.user_id == user.id)
    return sorted(str(kind) for kind in db.session.scalars(query))


@pytest.fixture
def ann(settings: Settings) -> Entrant:
    return entered(settings, "ann")


@pytest.fixture
def old(settings: Settings) -> User:
    """An account from before homes had keys."""
    user = account(settings, "old")
    with writing():
        db.session.execute(delete(KeySlot))
    return user


def test_password_login_and_token_open_the_same_key(ann: Entrant) -> None:
    assert ann.key is not None
    for proof in (BY_PASSWORD, signed_in(ann), with_token(ann)):
        assert keys.key_of(ann.user, proof) == ann.key
    assert kinds(ann.user) == ["login", "password", "token"]


def test_every_account_has_a_key_of_its_own(settings: Settings, ann: Entrant) -> None:
    assert entered(settings, "bob").key != ann.key


def test_what_is_wrong_opens_nothing(settings: Settings, ann: Entrant) -> None:
    login, token = signed_in(ann), with_token(ann)
    wrong = [
        None, replace(BY_PASSWORD, secret="wrong"), replace(BY_PASSWORD, secret=""),
        replace(login, secret=token.secret), replace(login, row_id=login.row_id + 1),
        replace(token, secret=login.secret), replace(token, kind=Slot.LOGIN),
        replace(login, row_id=None), Proof(Slot.RECOVERY, None, PASSWORD),
        Proof(Slot.ESCROW, None, PASSWORD),
    ]  # fmt: skip
    assert [keys.key_of(ann.user, proof) for proof in wrong] == [None] * len(wrong)
    bob = entered(settings, "bob").user
    assert [keys.key_of(bob, proof) for proof in (login, token)] == [None, None]


def test_a_copy_that_is_moved_to_another_account_or_kind_opens_nothing(
    settings: Settings, ann: Entrant
) -> None:
    """Whoever can write to the database cannot let Bob's password open Ann's home."""
    login, bob = signed_in(ann), entered(settings, "bob")
    token = with_token(bob)
    with writing():
        copy = select(KeySlot.wrapped).where(KeySlot.user_id == ann.user.id)
        mine = db.session.scalars(copy.where(KeySlot.kind == Slot.PASSWORD)).one()
        theirs = update(KeySlot).where(KeySlot.user_id == bob.user.id)
        db.session.execute(theirs.where(KeySlot.kind == Slot.PASSWORD).values(wrapped=mine))
        by_login = db.session.scalars(copy.where(KeySlot.kind == Slot.LOGIN)).one()
        db.session.execute(theirs.where(KeySlot.kind == Slot.TOKEN).values(wrapped=by_login))
    assert keys.key_of(bob.user, BY_PASSWORD) is None, "their passwords are the same"
    assert keys.key_of(bob.user, replace(token, secret=login.secret)) is None


def test_a_login_or_token_without_a_copy_opens_nothing_until_it_gets_one(ann: Entrant) -> None:
    for proof in (signed_in(replace(ann, key=None)), with_token(replace(ann, key=None))):
        assert keys.key_of(ann.user, proof) is None
        for _ in range(2):
            keys.keep(ann.user, proof, ann.key)
            assert keys.key_of(ann.user, proof) == ann.key


def test_a_login_that_ended_meanwhile_keeps_nothing(ann: Entrant) -> None:
    proof = signed_in(replace(ann, key=None))
    accounts.sign_out(proof.row_id)
    keys.keep(ann.user, proof, ann.key)
    assert kinds(ann.user) == ["password"]


def test_copies_go_with_what_opens_them(settings: Settings, ann: Entrant) -> None:
    login, token = signed_in(ann), with_token(ann)
    accounts.sign_out(login.row_id)
    assert kinds(ann.user) == ["password", "token"]
    tokens.revoke(ann.user, utcnow(), token.row_id, address="")
    assert kinds(ann.user) == ["password"]
    signed_in(ann)
    accounts.end_logins(ann.user)
    assert kinds(ann.user) == ["password"]
    with_token(ann)
    tokens.delete_expired(utcnow() + timedelta(days=2))
    assert kinds(ann.user) == ["password"]


def test_a_new_password_opens_the_same_key_and_the_old_one_opens_nothing(
    settings: Settings, ann: Entrant
) -> None:
    login, token = signed_in(ann), with_token(ann)
    row, secret = accounts.change_password(
        settings, ann.user, utcnow(), PASSWORD, NEW, address="", agent=""
    )
    proofs = (Proof(Slot.PASSWORD, None, NEW), token, Proof(Slot.LOGIN, row.id, secret))
    assert [keys.key_of(ann.user, proof) for proof in proofs] == [ann.key] * 3
    assert [keys.key_of(ann.user, proof) for proof in (BY_PASSWORD, login)] == [None, None]
    assert accounts.authenticate(settings, utcnow(), "ann", NEW).key == ann.key
    with pytest.raises(WrongCredentials):
        accounts.authenticate(settings, utcnow(), "ann", PASSWORD)


def test_of_two_new_passwords_at_once_one_holds(app: Flask, settings: Settings) -> None:
    ann = entered(settings, "ann")

    def change(number: int) -> str:
        user = db.session.get(User, ann.user.id)
        new = f"password number {number}"
        accounts.change_password(settings, user, utcnow(), PASSWORD, new, address="", agent="")
        return new

    results = together(app, 6, change)
    (held,) = [result for result in results if isinstance(result, str)]
    refused = [result for result in results if not isinstance(result, str)]
    assert {type(error) for error in refused} <= {BadInput, WrongCredentials}, refused
    db.session.rollback()
    user = accounts.find("ann")
    db.session.refresh(user)
    assert passwords.verify(user.password_hash, held), "both of one password, or who enters?"
    assert keys.key_of(user, Proof(Slot.PASSWORD, None, held)) == ann.key


def test_an_old_account_gets_its_key_at_the_first_sign_in(settings: Settings, old: User) -> None:
    assert keys.key_of(old, BY_PASSWORD) is None
    first = accounts.authenticate(settings, utcnow(), "old", PASSWORD)
    assert first.key is not None
    assert keys.key_of(old, BY_PASSWORD) == first.key
    assert accounts.authenticate(settings, utcnow(), "old", PASSWORD).key == first.key
    assert kinds(old) == ["password"]


def test_a_wrong_password_makes_no_key(settings: Settings, old: User) -> None:
    with pytest.raises(WrongCredentials):
        accounts.authenticate(settings, utcnow(), "old", "wrong")
    assert kinds(old) == []


def test_eight_first_sign_ins_at_once_make_one_key(
    app: Flask, settings: Settings, old: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_have_made_one, make_key = threading.Barrier(8), keys.make_key

    def making(*given: object, **named: object) -> keys.NewKey:
        made = make_key(*given, **named)
        all_have_made_one.wait(20)
        return made

    monkeypatch.setattr(keys, "make_key", making)
    results = together(
        app, 8, lambda _: accounts.authenticate(settings, utcnow(), "old", PASSWORD).key
    )
    assert len(set(results)) == 1, results
    assert isinstance(results[0], bytes)
    db.session.rollback()
    assert kinds(old) == ["password"]


def test_an_old_account_that_changes_its_password_gets_its_key(
    settings: Settings, old: User
) -> None:
    row, secret = accounts.change_password(
        settings, old, utcnow(), PASSWORD, NEW, address="", agent=""
    )
    key = keys.key_of(old, Proof(Slot.LOGIN, row.id, secret))
    assert key is not None
    assert accounts.authenticate(settings, utcnow(), "old", NEW).key == key


def test_a_key_is_not_made_by_a_password_that_was_just_replaced(
    app: Flask, settings: Settings, old: User
) -> None:
    proven = old.password_hash

    def change(_: int) -> None:
        user = db.session.get(User, old.id)
        accounts.change_password(settings, user, utcnow(), PASSWORD, NEW, address="", agent="")

    assert together(app, 1, change) == [None]
    assert keys.ensure_key(settings, old, proven, utcnow(), PASSWORD) is None
    assert kinds(old) == ["login", "password"]


def test_no_key_is_made_for_who_was_removed_meanwhile(settings: Settings, old: User) -> None:
    proven = old.password_hash
    with writing():
        db.session.execute(delete(User))
    assert keys.ensure_key(settings, old, proven, utcnow(), PASSWORD) is None
    assert db.session.scalars(select(KeySlot)).all() == []


def test_a_token_by_a_password_that_was_just_replaced_is_refused(
    app: Flask, settings: Settings, ann: Entrant
) -> None:
    entrant = accounts.authenticate(settings, utcnow(), "ann", PASSWORD)

    def change(_: int) -> None:
        user = db.session.get(User, ann.user.id)
        accounts.change_password(settings, user, utcnow(), PASSWORD, NEW, address="", agent="")

    assert together(app, 1, change) == [None]
    with pytest.raises(WrongCredentials):
        with_token(entrant)
    with pytest.raises(WrongCredentials):
        signed_in(entrant)


def test_one_derivation_proves_the_password_and_opens_the_key(
    settings: Settings, ann: Entrant, derivations: list[int]
) -> None:
    assert accounts.authenticate(settings, utcnow(), "ann", PASSWORD).key == ann.key
    assert len(derivations) == 1


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The costs of what is derived from passwords from now on."""
    made: list[int] = []
    scrypt: Callable[..., bytes] = hashlib.scrypt

    def deriving(password: bytes, **given: object) -> bytes:
        made.append(given["n"])
        return scrypt(password, **given)

    monkeypatch.setattr(hashlib, "scrypt", deriving)
    return made


def test_destroying_leaves_no_copy_of_that_account(settings: Settings, ann: Entrant) -> None:
    bob = entered(settings, "bob", recovery=True)
    proofs = [BY_PASSWORD, signed_in(bob), with_token(bob)]
    with writing():
        keys.destroy(bob.user.id)
    assert [keys.key_of(bob.user, proof) for proof in proofs] == [None] * 3
    assert kinds(bob.user) == []
    assert keys.key_of(ann.user, BY_PASSWORD) == ann.key


def test_a_removed_account_leaves_no_copy(
    platform: Platform, settings: Settings, ann: Entrant
) -> None:
    bob = entered(settings, "bob", recovery=True)
    signed_in(bob), with_token(bob)
    administration.suspend(platform, ann.user, utcnow(), "bob", address="")
    administration.remove(platform, ann.user, utcnow(), "bob", address="")
    assert {row.user_id for row in db.session.scalars(select(KeySlot))} == {ann.user.id}


def test_nothing_that_is_printed_shows_a_key(settings: Settings) -> None:
    entrant = entered(settings, "ann", recovery=True)
    made = keys.make_key(settings, entrant.user.userhash, PASSWORD, recovery=True)
    shown = repr([entrant, made, BY_PASSWORD, signed_in(entrant)])
    for secret in (repr(entrant.key), repr(made.key), PASSWORD, entrant.recovery_code):
        assert secret not in shown
    assert len(db.session.scalars(select(Login)).all()) == 1
    assert db.session.scalars(select(Token)).all() == []
