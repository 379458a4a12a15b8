"""What it takes to try a password rises with a sign-in, and with nothing else."""

import pytest
from flask import Flask
from sqlalchemy import select

from models import KeySlot, Slot, User, db, utcnow
from orchestrator import accounts, keys, passwords
from orchestrator.accounts import Entrant
from orchestrator.errors import WrongCredentials
from orchestrator.settings import Settings
from orchestrator.storage import keys as copies
from tests.app_fixtures import PASSWORD, on_both_databases, together
from tests.entrants import entered, signed_in

pytestmark = [on_both_databases, pytest.mark.usefixtures("context")]
NEW = "another fine password"


@pytest.fixture
def ann(settings: Settings) -> Entrant:
    return entered(settings, "ann")


@pytest.fixture
def dearer(context: None, ann: Entrant, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made of passwords from now on takes more work than it did for Ann."""
    monkeypatch.setattr(passwords, "METHOD", "scrypt:256:1:3")
    monkeypatch.setattr(copies, "COST", copies.Cost(8, 1, 3))


def made_of(user: User) -> tuple[str, bytes]:
    """Return what the database has of the password."""
    db.session.rollback()
    query = select(User.password_hash, KeySlot.wrapped).join(KeySlot, KeySlot.user_id == User.id)
    return tuple(
        db.session.execute(query.where(User.id == user.id, KeySlot.kind == Slot.PASSWORD)).one()
    )


@pytest.mark.usefixtures("dearer")
def test_what_was_cheap_to_try_is_made_anew_at_the_next_sign_in(
    settings: Settings, ann: Entrant
) -> None:
    entrant = accounts.authenticate(settings, utcnow(), "ann", PASSWORD)
    password_hash, copy = made_of(ann.user)
    assert password_hash.startswith("scrypt:256:1:3$")
    assert copy[1:4] == bytes((8, 1, 3))
    assert (entrant.key, entrant.proven) == (ann.key, password_hash)
    assert keys.key_of(ann.user, signed_in(entrant)) == ann.key
    assert accounts.authenticate(settings, utcnow(), "ann", PASSWORD).key == ann.key
    assert made_of(ann.user) == (password_hash, copy), "once is enough"


@pytest.mark.usefixtures("dearer")
def test_a_wrong_password_renews_nothing(settings: Settings, ann: Entrant) -> None:
    before = made_of(ann.user)
    with pytest.raises(WrongCredentials):
        accounts.authenticate(settings, utcnow(), "ann", NEW)
    assert made_of(ann.user) == before


@pytest.mark.usefixtures("dearer")
def test_sign_ins_at_once_all_get_in_while_one_renews(
    app: Flask, settings: Settings, ann: Entrant
) -> None:
    def enter(_: int) -> bytes | None:
        entrant = accounts.authenticate(settings, utcnow(), "ann", PASSWORD)
        signed_in(entrant)
        return entrant.key

    assert together(app, 8, enter) == [ann.key] * 8


@pytest.mark.usefixtures("dearer")
def test_a_password_that_is_replaced_meanwhile_renews_nothing(
    settings: Settings, ann: Entrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved = keys.prove

    def replacing(user: User, password: str) -> tuple[bool, bytes | None]:
        result = proved(user, password)
        monkeypatch.setattr(keys, "prove", proved)
        accounts.change_password(settings, user, utcnow(), PASSWORD, NEW, address="", agent="")
        return result

    monkeypatch.setattr(keys, "prove", replacing)
    with pytest.raises(WrongCredentials):
        accounts.authenticate(settings, utcnow(), "ann", PASSWORD)
    assert accounts.authenticate(settings, utcnow(), "ann", NEW).key == ann.key
