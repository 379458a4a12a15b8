"""Changing the password, API tokens, and ending logins."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask, current_app
from sqlalchemy import select, update

from models import ActiveSession, Standing, Token, User, Workspace, db, utcnow, writing
from orchestrator import accounts, invitations, recovery, tokens
from orchestrator.connections import Connection
from orchestrator.errors import BadInput, NotFound, WrongCredentials
from orchestrator.platform import Platform
from orchestrator.settings import Settings
from tests.app_fixtures import PASSWORD, account, on_both_databases, open_sessions, together

pytestmark = [on_both_databases, pytest.mark.usefixtures("context")]
FORTNIGHT = timedelta(days=14)
NEW = "another fine password"


def change(user: User, current: str = PASSWORD, new: str = NEW) -> str:
    settings = current_app.extensions["rootblood"].settings
    return accounts.change_password(settings, user, utcnow(), current, new, address="", agent="")[1]


def test_a_new_password_replaces_the_old_one(settings: Settings) -> None:
    ann = account(settings, "ann")
    change(ann)
    assert accounts.authenticate(settings, utcnow(), "ann", NEW).user.id == ann.id
    with pytest.raises(WrongCredentials):
        accounts.authenticate(settings, utcnow(), "ann", PASSWORD)


def test_a_new_password_ends_every_login_and_connection_and_opens_one_login(
    platform: Platform, running: Workspace, bob: User, connect: Callable[..., Connection]
) -> None:
    ann = running.user
    old = [accounts.sign_in(ann, utcnow(), address="", agent="")[1] for _ in range(2)]
    others = accounts.sign_in(bob, utcnow(), address="", agent="")[1]
    connection = connect(platform, running)
    fresh = change(ann)
    platform.connections.hang_up_revoked()
    assert connection.carrier.closed == 1
    assert open_sessions() == []
    assert [accounts.find_login(secret, utcnow(), FORTNIGHT) for secret in old] == [None, None]
    assert accounts.find_login(fresh, utcnow(), FORTNIGHT) is not None
    assert accounts.find_login(others, utcnow(), FORTNIGHT) is not None


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("wrong", NEW, "current"), ("", NEW, "current"), ("x" * 10_000_000, NEW, "current"),
        (PASSWORD, "short", "new"), (PASSWORD, "x" * 10_000_000, "new"),
        (PASSWORD, "annabella-the-first", "new"),
    ],
)  # fmt: skip
def test_a_refused_change_changes_nothing(
    settings: Settings, current: str, new: str, field: str
) -> None:
    ann = account(settings, "annabella-the-first")
    secret = accounts.sign_in(ann, utcnow(), address="", agent="")[1]
    with pytest.raises(BadInput) as caught:
        change(ann, current, new)
    assert caught.value.field == field
    assert accounts.find_login(secret, utcnow(), FORTNIGHT) is not None
    assert accounts.authenticate(settings, utcnow(), "annabella-the-first", PASSWORD)


def token(user: User, *, days: int = 1, name: str = "ci") -> tuple[Token, str]:
    return tokens.create(user, utcnow(), name, days, address="")


def test_a_token_is_hashed_recognisable_and_found_by_its_secret(settings: Settings) -> None:
    ann = account(settings, "ann")
    row, secret = token(ann)
    assert secret.startswith("rb_")
    assert secret.startswith(row.prefix)
    assert len(secret) - len(row.prefix) >= 32, "what is shown of it helps nobody to guess it"
    assert row.secret_hash not in secret
    assert secret not in row.secret_hash
    found = tokens.find(secret, utcnow())
    assert found is not None
    assert (found[0].id, found[1].id) == (row.id, ann.id)
    for wrong in ("", "rb_", secret[:-1], row.secret_hash, secret.upper()):
        assert tokens.find(wrong, utcnow()) is None


def test_no_column_holds_a_secret(settings: Settings) -> None:
    ann = account(settings, "ann")
    secrets = [
        token(ann)[1], accounts.sign_in(ann, utcnow(), address="", agent="")[1],
        invitations.create(ann, utcnow(), 1)[1], PASSWORD,
    ]  # fmt: skip
    text = ""
    for table in db.metadata.sorted_tables:
        text += repr(db.session.execute(select(table)).all())
    assert "ann" in text
    assert [secret for secret in secrets if secret in text] == []


def test_a_token_expires(settings: Settings) -> None:
    ann, now = account(settings, "ann"), utcnow()
    row, secret = token(ann, days=1)
    assert tokens.find(secret, now + timedelta(hours=23)) is not None
    assert tokens.find(secret, row.expires_at) is None
    assert tokens.find(secret, now + timedelta(days=2)) is None


def test_a_suspended_accounts_token_opens_nothing(settings: Settings) -> None:
    ann = account(settings, "ann")
    _, secret = token(ann)
    login = accounts.sign_in(ann, utcnow(), address="", agent="")[1]
    with writing():
        db.session.execute(update(User).values(standing=Standing.SUSPENDED))
    assert tokens.find(secret, utcnow()) is None
    assert accounts.find_login(login, utcnow(), FORTNIGHT) is None


def test_a_token_can_be_revoked_by_its_owner_alone(settings: Settings) -> None:
    ann, bob = account(settings, "ann"), account(settings, "bob")
    row, secret = token(ann)
    for user, number in ((bob, row.id), (ann, row.id + 1), (ann, 0)):
        with pytest.raises(NotFound):
            tokens.revoke(user, utcnow(), number, address="")
    tokens.revoke(ann, utcnow(), row.id, address="")
    assert tokens.find(secret, utcnow()) is None
    assert tokens.of_user(ann) == []


@pytest.mark.parametrize(
    ("name", "days"), [("", 1), ("a\nb", 1), ("x" * 81, 1), ("x" * 10_000_000, 1), ("\x00", 1),
                       ("ok", 0), ("ok", -1), ("ok", 367), ("ok", 10**12)],
)  # fmt: skip
def test_tokens_need_a_name_and_a_bounded_time(settings: Settings, name: str, days: int) -> None:
    ann = account(settings, "ann")
    with pytest.raises(BadInput):
        token(ann, name=name, days=days)
    assert tokens.of_user(ann) == []


def test_nobody_has_more_than_so_many_and_expired_ones_do_not_count(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "TOKENS_MAX", 4)
    ann, bob = account(settings, "ann"), account(settings, "bob")
    tokens.create(ann, utcnow() - timedelta(days=3), "old", 1, address="")
    results = together(app, 8, lambda _: token(db.session.get(User, ann.id)))
    assert sum(isinstance(r, BadInput) for r in results) == 4, results
    assert len(tokens.of_user(ann)) == 4
    assert token(bob)


def test_the_last_use_is_remembered(settings: Settings) -> None:
    ann, now = account(settings, "ann"), utcnow()
    row, _ = token(ann)
    accounts.touch(row, ann, now)
    db.session.rollback()
    assert tokens.of_user(ann)[0].last_used_at == now


def test_a_token_outlives_a_new_password_but_not_its_connections(
    platform: Platform, running: Workspace, connect: Callable[..., Connection]
) -> None:
    ann = running.user
    row, secret = token(ann)
    connect(platform, running, token_id=row.id)
    change(ann)
    assert tokens.find(secret, utcnow()) is not None
    assert db.session.scalars(select(ActiveSession)).all() == []


def test_recovering_ends_every_login_and_connection_but_no_token(
    platform: Platform, running: Workspace, connect: Callable[..., Connection]
) -> None:
    settings, ann = platform.settings, running.user
    code = recovery.new_code(settings, ann, utcnow(), PASSWORD, address="")
    _, cookie = accounts.sign_in(ann, utcnow(), address="", agent="")
    _, secret = token(ann)
    connect(platform, running)
    recovery.recover(settings, utcnow(), "ann", code, NEW, address="")
    assert accounts.find_login(cookie, utcnow(), FORTNIGHT) is None
    assert db.session.scalars(select(ActiveSession)).all() == []
    assert tokens.find(secret, utcnow()) is not None


def test_ending_logins_ends_those_and_no_others(settings: Settings) -> None:
    ann, bob = account(settings, "ann"), account(settings, "bob")
    one, two, three = (accounts.sign_in(ann, utcnow(), address="", agent="")[0] for _ in range(3))
    other = accounts.sign_in(bob, utcnow(), address="", agent="")[0]
    accounts.end_logins(bob, only=one.id)  # not theirs
    ids = [one.id, two.id, three.id]
    assert sorted(row.id for row in accounts.logins_of(ann)) == ids
    accounts.end_logins(ann, only=ids[0])
    accounts.end_logins(ann, keep=ids[1])
    assert [row.id for row in accounts.logins_of(ann)] == [ids[1]]
    assert [row.id for row in accounts.logins_of(bob)] == [other.id]
