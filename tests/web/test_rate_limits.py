from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.app_fixtures import PASSWORD
from tests.visitor import Visitor


def wrong_by_form(visitor: Visitor) -> TestResponse:
    return visitor.post("/login", {"username": visitor.name, "password": "wrong"})


def wrong_by_api(visitor: Visitor) -> TestResponse:
    body = {"username": visitor.name, "password": "wrong"}
    return visitor.client.post("/api/v1/tokens", json=body)


@pytest.fixture
def guesser(app: Flask, bob: Visitor) -> Visitor:
    """Somebody who tries Bob's password."""
    visitor = Visitor(app, "bob", PASSWORD)
    visitor.get("/login")
    return visitor


@pytest.mark.parametrize("guess", [wrong_by_form, wrong_by_api])
def test_the_eleventh_wrong_password_has_to_wait_and_so_has_the_right_one(
    guesser: Visitor, guess: Callable[[Visitor], TestResponse]
) -> None:
    assert [guess(guesser).status_code for _ in range(10)] == [401] * 10
    answer = guess(guesser)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert guesser.sign_in().status_code == 429


def test_form_and_api_are_counted_together(guesser: Visitor) -> None:
    for _ in range(5):
        assert wrong_by_form(guesser).status_code == 401
        assert wrong_by_api(guesser).status_code == 401
    assert wrong_by_form(guesser).status_code == 429
    problem = wrong_by_api(guesser)
    assert problem.status_code == 429
    assert (problem.json["slug"], bool(problem.json["hint"])) == ("too-many-requests", True)


@pytest.mark.parametrize("spelling", ["BOB", "Bob"])
def test_another_spelling_is_no_other_account(guesser: Visitor, spelling: str) -> None:
    for _ in range(10):
        wrong_by_form(guesser)
    guesser.name = spelling
    assert wrong_by_form(guesser).status_code == 429


def test_other_accounts_are_not_affected(app: Flask, guesser: Visitor, ann: Visitor) -> None:
    for _ in range(11):
        wrong_by_form(guesser)
    other = Visitor(app, "ann", PASSWORD)
    assert other.sign_in().status_code == 303


def test_right_passwords_are_not_counted(app: Flask, ann: Visitor) -> None:
    for _ in range(15):
        assert Visitor(app, "ann", PASSWORD).sign_in().status_code == 303


def test_one_address_cannot_try_many_accounts(app: Flask, ann: Visitor) -> None:
    answers = []
    for number in range(41):
        visitor = Visitor(app, f"user{number}", "wrong")
        answers.append(wrong_by_api(visitor).status_code)
    assert answers == [401] * 40 + [429]


def test_another_address_may_still_sign_in(app: Flask, ann: Visitor) -> None:
    for number in range(41):
        wrong_by_api(Visitor(app, f"user{number}", "wrong"))
    body = {"username": "ann", "password": PASSWORD}
    other = {"REMOTE_ADDR": "198.51.100.7"}
    answer = app.test_client().post("/api/v1/tokens", json=body, environ_overrides=other)
    assert answer.status_code == 201


def test_the_present_password_cannot_be_guessed_from_inside(ann: Visitor) -> None:
    form = {"current": "wrong", "new": "another fine password"}
    answers = [ann.post("/account/password", form).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


def test_one_name_can_be_asked_for_only_so_often(app: Flask, ann: Visitor) -> None:
    body = {"username": "dora", "password": PASSWORD}
    client = app.test_client()
    answers = [client.post("/api/v1/users", json=body).status_code for _ in range(11)]
    assert answers == [201] + [409] * 9 + [429]


def test_one_address_makes_only_so_many_accounts(app: Flask) -> None:
    client = app.test_client()
    answers = [
        client.post("/api/v1/users", json={"username": f"user{n}", "password": "short"}).status_code
        for n in range(91)
    ]
    assert answers == [422] * 90 + [429]


def test_nothing_else_is_limited(ann: Visitor) -> None:
    assert {ann.get("/api/v1/me").status_code for _ in range(100)} == {200}


def test_limits_can_be_switched_off(make_app: Callable[..., Flask], ann: Visitor) -> None:
    visitor = Visitor(make_app(rate_limits=False), "ann", "wrong")
    assert {wrong_by_api(visitor).status_code for _ in range(15)} == {401}
