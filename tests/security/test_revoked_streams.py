"""Who was thrown out, and the number of whose sign-in or token somebody has by now.

SQLite gives the number of the newest row again once that row is gone.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice, repeat

import pytest
from flask import Flask
from sqlalchemy import select

from models import Login, User, db, utcnow
from orchestrator import accounts, archives, tokens
from orchestrator.commons import pushing
from orchestrator.errors import SignInRequired
from tests.app_fixtures import PASSWORD
from tests.visitor import Visitor
from web import license, live


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)


def told(stream: Iterator[bytes | str]) -> list[str]:
    """Return the names of a stream's next events, of which it may have endlessly many."""
    texts = [one.decode() if isinstance(one, bytes) else one for one in islice(stream, 5)]
    return [text.split("\n")[0].removeprefix("event: ") for text in texts if "event: " in text]


def test_a_new_password_ends_the_streams_of_old_sign_ins(app: Flask, ann: Visitor) -> None:
    with closing(ann.client.get("/api/v1/events", buffered=False)) as stolen:
        events = iter(stolen.response)
        assert json.loads([next(events) for _ in range(2)][1].split(b"data: ")[1])["user"]
        with app.app_context():
            user = db.session.scalars(select(User)).one()
            before = db.session.scalars(select(Login.id)).one()
            login, _ = accounts.change_password(
                app.extensions["rootblood"].settings, user, utcnow(), PASSWORD,
                f"{PASSWORD} anew", address="", agent="",
            )  # fmt: skip
            assert login.id == before
        assert told(events) == ["signed-out"]


def test_the_next_token_does_not_keep_a_revoked_one_alive(
    app: Flask, ann: Visitor, bearer: Callable[[str], dict[str, str]]
) -> None:
    thief = app.test_client()
    with closing(thief.get("/api/v1/events", headers=bearer("ann"), buffered=False)) as stolen:
        events = iter(stolen.response)
        assert len([next(events) for _ in range(2)]) == 2
        with app.app_context():
            user = db.session.scalars(select(User)).one()
            (old,) = tokens.of_user(user)
            number = old.id
            tokens.revoke(user, utcnow(), number, address="")
            row, _ = tokens.create(user, utcnow(), "next", 1, address="")
            assert row.id == number
        assert told(events) == ["signed-out"]


def test_a_download_ends_with_the_token_that_began_it(
    app: Flask,
    ann: Visitor,
    bearer: Callable[[str], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(license, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(archives.Archive, "__iter__", lambda _self: repeat(b"x"))
    ann.api("POST", "/api/v1/home/unlock", json={})
    thief = app.test_client()
    answer = thief.get("/api/v1/home/archive", headers=bearer("ann"), buffered=False)
    with closing(answer) as stolen:
        chunks = iter(stolen.response)
        assert list(islice(chunks, 3)) == [b"x"] * 3
        with app.app_context():
            user = db.session.scalars(select(User)).one()
            (row,) = tokens.of_user(user)
            tokens.revoke(user, utcnow(), row.id, address="")
        with pytest.raises(SignInRequired):
            list(islice(chunks, 5))


@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_git_ends_with_the_token_that_began_it(
    app: Flask,
    bearer: Callable[[str], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    service: str,
) -> None:
    monkeypatch.setattr(license, "LOOK_SECONDS", 0.0)
    for verb in ("fetch", "push"):
        monkeypatch.setattr(pushing, verb, lambda *_: repeat(b"x"))
    answer = app.test_client().post(
        f"/git/ann/hello.git/{service}", headers=bearer("ann"), buffered=False,
        content_type=f"application/x-{service}-request",
    )  # fmt: skip
    with closing(answer) as stolen:
        chunks = iter(stolen.response)
        assert list(islice(chunks, 3)) == [b"x"] * 3
        with app.app_context():
            user = db.session.scalars(select(User)).one()
            (row,) = tokens.of_user(user)
            tokens.revoke(user, utcnow(), row.id, address="")
        with pytest.raises(SignInRequired):
            list(islice(chunks, 5))
