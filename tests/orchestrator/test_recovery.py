"""Codes that replace a lost password."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from models import (
    Event,
    KeySlot,
    Slot,
    Standing,
    User,
    db,
    utcnow,
    writing,
)
from orchestrator import accounts, keys, recovery
from orchestrator.accounts import Entrant
from orchestrator.errors import BadInput, WrongCredentials
from orchestrator.keys import Proof
from orchestrator.settings import Settings
from tests.app_fixtures import PASSWORD, account, on_both_databases, together

pytestmark = [on_both_databases, pytest.mark.usefixtures("context")]
FORTNIGHT = timedelta(days=14)
NEW = "another fine password"


@pytest.fixture
def ann(settings: Settings) -> Entrant:
    return accounts.register(
        settings, utcnow(), "ann", PASSWORD, invite="", address="", recovery=True
    )


def recover(settings: Settings, name: str, code: str, new: str = NEW) -> Entrant:
    return recovery.recover(settings, utcnow(), name, code, new, address="")


def new_code(settings: Settings, user: User, password: str = PASSWORD) -> str:
    return recovery.new_code(settings, user, utcnow(), password, address="")


def test_a_code_is_made_only_when_it_is_wanted(settings: Settings, ann: Entrant) -> None:
    assert keys.has_slot(ann.user, Slot.RECOVERY)
    assert len(ann.recovery_code.replace("-", "")) == 28
    assert not keys.has_slot(account(settings, "bob"), Slot.RECOVERY)


def test_a_code_gives_a_new_password_the_same_home_and_the_next_code(
    settings: Settings, ann: Entrant
) -> None:
    entrant = recover(settings, "ann", ann.recovery_code.lower().replace("-", " "))
    assert (entrant.user.id, entrant.key) == (ann.user.id, ann.key)
    assert accounts.authenticate(settings, utcnow(), "ann", NEW).key == ann.key
    with pytest.raises(WrongCredentials):
        accounts.authenticate(settings, utcnow(), "ann", PASSWORD)
    row, secret = accounts.sign_in(
        entrant.user, utcnow(), address="", agent="", key=entrant.key, proven=entrant.proven
    )
    assert keys.key_of(ann.user, Proof(Slot.LOGIN, row.id, secret)) == ann.key
    with pytest.raises(WrongCredentials):
        recover(settings, "ann", ann.recovery_code)
    assert recover(settings, "ann", entrant.recovery_code, PASSWORD).key == ann.key


@pytest.mark.parametrize(
    ("name", "code", "standing"),
    [
        ("ann", "0000-0000-0000-0000-0000-0000-0000", Standing.ACTIVE),
        ("ann", "", Standing.ACTIVE),
        ("ann", "x" * 10_000_000, Standing.ACTIVE),
        ("nobody", "right", Standing.ACTIVE),
        ("ann\0", "right", Standing.ACTIVE),
        ("a" * 10_000_000, "right", Standing.ACTIVE),
        ("bob", "right", Standing.ACTIVE),
        ("ann", "right", Standing.SUSPENDED),
    ],
    ids=range(8),
)
def test_every_refusal_is_the_same_answer_after_the_same_work(
    settings: Settings,
    ann: Entrant,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    code: str,
    standing: Standing,
) -> None:
    account(settings, "bob")
    with writing():
        db.session.execute(update(User).values(standing=standing))
    derived: list[int] = []
    monkeypatch.setattr(hashlib, "scrypt", lambda *_, **__: derived.append(1))
    with pytest.raises(WrongCredentials) as caught:
        recover(settings, name, ann.recovery_code if code == "right" else code)
    assert caught.value.message == "Wrong username or recovery code"
    assert derived == [], "which would take longer for a right one"
    assert keys.has_slot(ann.user, Slot.RECOVERY)


def test_a_bad_new_password_uses_no_code_up(settings: Settings, ann: Entrant) -> None:
    for new in ("short", "x" * 10_000_000):
        with pytest.raises(BadInput) as caught:
            recover(settings, "ann", ann.recovery_code, new)
        assert caught.value.field == "new"
    assert recover(settings, "ann", ann.recovery_code).key == ann.key


def test_of_many_who_use_one_code_at_once_one_gets_in(app: Flask, settings: Settings) -> None:
    ann = accounts.register(
        settings, utcnow(), "ann", PASSWORD, invite="", address="", recovery=True
    )
    results = together(
        app, 6, lambda n: recover(settings, "ann", ann.recovery_code, f"password number {n}")
    )
    (winner,) = [n for n, result in enumerate(results) if isinstance(result, Entrant)]
    assert sum(isinstance(result, WrongCredentials) for result in results) == 5, results
    found = accounts.authenticate(settings, utcnow(), "ann", f"password number {winner}")
    assert found.key == ann.key


def test_a_new_code_takes_the_password_and_replaces_the_old_one(
    settings: Settings, ann: Entrant
) -> None:
    with pytest.raises(BadInput) as caught:
        new_code(settings, ann.user, "wrong")
    assert caught.value.field == "password"
    fresh = new_code(settings, ann.user)
    with pytest.raises(WrongCredentials):
        recover(settings, "ann", ann.recovery_code)
    assert recover(settings, "ann", fresh).key == ann.key


def test_an_account_from_before_homes_had_keys_gets_both(settings: Settings) -> None:
    user = account(settings, "old")
    with writing():
        db.session.execute(delete(KeySlot))
    code = new_code(settings, user)
    key = keys.key_of(user, Proof(Slot.PASSWORD, None, PASSWORD))
    assert key is not None
    assert recover(settings, "old", code).key == key


def test_a_code_outlives_a_new_password(settings: Settings, ann: Entrant) -> None:
    accounts.change_password(settings, ann.user, utcnow(), PASSWORD, NEW, address="", agent="")
    assert recover(settings, "ann", ann.recovery_code, PASSWORD).key == ann.key


def test_a_code_of_another_account_that_is_moved_here_opens_nothing(
    settings: Settings, ann: Entrant
) -> None:
    bob = accounts.register(
        settings, utcnow(), "bob", PASSWORD, invite="", address="", recovery=True
    )
    of = KeySlot.kind == Slot.RECOVERY
    with writing():
        bobs = db.session.scalars(
            select(KeySlot.wrapped).where(of, KeySlot.user_id == bob.user.id)
        ).one()
        slot = update(KeySlot).where(of, KeySlot.user_id == ann.user.id)
        db.session.execute(slot.values(wrapped=bobs))
    with pytest.raises(WrongCredentials):
        recover(settings, "ann", bob.recovery_code)


def test_what_was_done_is_in_the_audit_log_without_the_code(
    settings: Settings, ann: Entrant, capsys: pytest.CaptureFixture[str]
) -> None:
    code = new_code(settings, ann.user)
    fresh = recover(settings, "ann", code).recovery_code
    events = db.session.scalars(select(Event).order_by(Event.id.desc()).limit(2)).all()
    assert [event.action for event in events] == [
        "account.recovered", "account.recovery-code-made",
    ]  # fmt: skip
    written = "".join(capsys.readouterr()) + repr([vars(event) for event in events])
    assert not any(secret in written for secret in (code, fresh, ann.recovery_code))


def test_a_settled_account_needs_no_more_writing(settings: Settings, ann: Entrant) -> None:
    before = db.session.scalars(select(KeySlot.id)).all()
    for _ in range(2):
        accounts.authenticate(replace(settings, escrow=False), utcnow(), "ann", PASSWORD)
    assert db.session.scalars(select(KeySlot.id)).all() == before
