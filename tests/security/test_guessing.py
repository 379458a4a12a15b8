"""Passwords guessed at once, from elsewhere, and from inside."""

from collections import Counter

import pytest
from flask import Flask

from models import User, db, utcnow
from orchestrator import accounts
from orchestrator.errors import WrongCredentials
from orchestrator.settings import Settings
from tests.app_fixtures import PASSWORD, account, together
from tests.visitor import Visitor


def guess(app: Flask, name: str, password: str, address: str) -> int:
    return app.test_client().post(
        "/api/v1/tokens", json={"username": name, "password": password},
        environ_overrides={"REMOTE_ADDR": address},
    ).status_code  # fmt: skip


def test_guesses_at_once_are_as_many_as_one_after_the_other(app: Flask, bob: Visitor) -> None:
    answers = together(app, 40, lambda _: guess(app, "bob", "wrong", "198.51.100.1"))
    assert Counter(answers) == {401: 10, 429: 30}


def test_nobody_can_keep_the_owner_out_from_another_address(app: Flask, bob: Visitor) -> None:
    for _ in range(45):
        guess(app, "bob", "wrong", "198.51.100.1")
    assert guess(app, "bob", PASSWORD, "198.51.100.2") == 201


def test_many_addresses_together_have_a_limit(app: Flask, bob: Visitor) -> None:
    answers = Counter(
        guess(app, "bob", "wrong", f"198.51.100.{host}") for host in range(11) for _ in range(10)
    )
    assert answers == {401: 100, 429: 10}


def test_one_network_of_ipv6_is_one_address(app: Flask, bob: Visitor) -> None:
    answers = [guess(app, "bob", "wrong", f"2001:db8::{host:x}") for host in range(11)]
    assert answers == [401] * 10 + [429]
    assert guess(app, "bob", PASSWORD, "2001:db8:0:1::1") == 201


def test_refused_tries_do_not_shut_out_the_neighbours(
    app: Flask, bob: Visitor, ann: Visitor
) -> None:
    for _ in range(60):
        guess(app, "bob", "wrong", "198.51.100.1")
    assert guess(app, "ann", PASSWORD, "198.51.100.1") == 201


def test_the_form_that_changes_a_password_counts_for_who_sends_it(
    app: Flask, ann: Visitor, bob: Visitor
) -> None:
    answers = [
        bob.post(
            "/account/password",
            {"username": f"user{n}", "current": "wrong", "new": "another fine password"},
        ).status_code
        for n in range(11)
    ]
    assert answers == [422] * 10 + [429]


def test_a_sign_in_that_a_new_password_overtakes_fails(app: Flask, settings: Settings) -> None:
    with app.app_context():
        account(settings, "ann")
        user = accounts.authenticate(
            settings, utcnow(), "ann", PASSWORD
        ).user  # with what is still the password

        def change(_: int) -> None:
            same = db.session.query(User).filter_by(username="ann").one()
            new = "another fine password"
            accounts.change_password(settings, same, utcnow(), PASSWORD, new, address="", agent="")

        assert together(app, 1, change) == [None]
        with pytest.raises(WrongCredentials):
            accounts.sign_in(user, utcnow(), address="", agent="")


def test_a_token_cannot_make_another(app: Flask, ann: Visitor, bearer: object) -> None:
    header = bearer("ann")  # type: ignore[operator]
    answer = app.test_client().post(
        "/account/tokens", data={"name": "more", "days": "365"}, headers=header
    )
    assert answer.status_code == 403


def test_no_error_of_the_database_tells_a_hash(app: Flask) -> None:
    with app.app_context():
        assert db.engine.hide_parameters
