from typing import NoReturn

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from orchestrator import accounts
from tests.visitor import Visitor


@pytest.fixture
def broken_database(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that refuses from now on to say who is signed in."""

    def refuse(*_: object) -> NoReturn:
        raise OperationalError("SELECT", {}, Exception("the disk is on fire"))

    monkeypatch.setattr(accounts, "find_login", refuse)


@pytest.mark.parametrize("path", ["/", "/account", "/w/main/"])
def test_a_page_says_so_when_the_database_is_down(
    ann: Visitor, broken_database: None, path: str
) -> None:
    answer = ann.client.get(path)
    assert answer.status_code == 503
    assert "Your files are safe. Try again in a moment." in answer.text
    assert "fire" not in answer.text


def test_an_error_needs_no_database(ann: Visitor, broken_database: None) -> None:
    assert ann.client.get("/nothing/here").status_code == 404


def test_the_api_says_so_when_the_database_is_down(ann: Visitor, broken_database: None) -> None:
    answer = ann.client.get("/api/v1/me")
    assert (answer.status_code, answer.json["slug"]) == (503, "database-unreachable")
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("path", ["/account", "/w/main/?x=1", "/admin/users"])
def test_a_stranger_is_led_to_the_sign_in_and_back(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)
    assert answer.status_code == 303
    assert answer.location.startswith("/login?next=%2F")


def test_what_is_not_there_is_said_in_our_words(ann: Visitor) -> None:
    page = ann.client.get("/nothing/here")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    problem = ann.client.get("/api/v1/nothing").json
    assert (problem["slug"], problem["status"]) == ("not-found", 404)


def test_a_plain_request_to_a_websocket_is_told_what_it_is(ann: Visitor) -> None:
    problem = ann.client.get("/api/v1/workspaces/main/terminal").json
    assert (problem["slug"], problem["detail"]) == (
        "bad-input", "This address speaks WebSocket only",
    )  # fmt: skip
