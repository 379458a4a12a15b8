"""Server-sent events, read without a browser: the first looks and what ends the stream."""

import json
from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from flask import Flask
from sqlalchemy import delete, update

from models import Activity, Login, Standing, Token, User, db, utcnow, writing
from orchestrator.feed import Transfer
from orchestrator.platform import Platform
from tests.visitor import Visitor
from web import live

Events = Iterator[tuple[str, object]]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)


@pytest.fixture
def open_stream() -> Iterator[Callable[..., Events]]:
    """Return a maker of event streams that are closed at the end."""
    responses = []

    def events(client: object, **given: object) -> Events:
        answer = client.get("/api/v1/events", buffered=False, **given)
        responses.append(answer)
        assert answer.mimetype == "text/event-stream"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["Cache-Control"] == "no-store"
        for chunk in islice(answer.response, 20):  # an endless stream must not be an endless test
            text = chunk.decode() if isinstance(chunk, bytes) else chunk
            fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
            if "event" in fields:
                yield fields["event"], json.loads(fields["data"])

    yield events
    for answer in responses:
        answer.close()


def user_id(app: Flask, name: str) -> int:
    with app.app_context():
        return db.session.scalars(db.select(User.id).where(User.username == name)).one()


def test_the_first_event_is_the_state(
    bob: Visitor, bobs: str, open_stream: Callable[..., Events]
) -> None:
    name, data = next(open_stream(bob.client))
    assert name == "state"
    assert data["user"]["username"] == "bob"
    assert [(w["name"], w["state"]) for w in data["workspaces"]] == [("web", "stopped")]


def test_a_token_can_follow_too(
    app: Flask, bob: Visitor, bobs: str, bearer: Callable, open_stream: Callable[..., Events]
) -> None:
    name, data = next(open_stream(app.test_client(), headers=bearer("bob")))
    assert (name, len(data["workspaces"])) == ("state", 1)


def test_a_change_is_told_at_once(
    bob: Visitor, bobs: str, open_stream: Callable[..., Events]
) -> None:
    stream = open_stream(bob.client)
    next(stream)
    assert bob.api("POST", "/api/v1/workspaces/web/start").status_code == 200
    name, data = next(stream)
    assert (name, data["workspaces"][0]["state"]) == ("state", "running")
    assert data["workspaces"][0]["activity"]["explanation"].startswith("stops in 30 min")


def test_nobody_hears_of_others(
    bob: Visitor, carl: Visitor, bobs: str, open_stream: Callable[..., Events]
) -> None:
    _, data = next(open_stream(carl.client))
    assert data["workspaces"] == []
    assert "bob" not in json.dumps(data)


def test_a_download_is_told_with_its_progress(
    app: Flask, platform: Platform, bob: Visitor, open_stream: Callable[..., Events]
) -> None:
    stream = open_stream(bob.client)
    next(stream)
    progress = Transfer("home", "running", 5, 10, 0.5)
    platform.feed.transfer(user_id(app, "bob"), progress)
    assert next(stream) == ("archive", progress.as_dict())


def revoke(app: Flask) -> None:
    with app.app_context(), writing():
        db.session.execute(delete(Login))
        db.session.execute(delete(Token))


def expire(app: Flask) -> None:
    with app.app_context(), writing():
        past = utcnow().replace(year=2001)
        db.session.execute(update(Login).values(last_seen_at=past))
        db.session.execute(update(Token).values(expires_at=past))


def suspend(app: Flask) -> None:
    with app.app_context(), writing():
        db.session.execute(update(User).values(standing=Standing.SUSPENDED))


def remove(app: Flask) -> None:
    with app.app_context(), writing():
        db.session.execute(delete(User))


@pytest.mark.parametrize("proof", ["cookie", "token"])
@pytest.mark.parametrize("end", [revoke, expire, suspend, remove])
def test_who_is_out_is_told_and_hears_no_more(
    app: Flask, platform: Platform, ann: Visitor, bearer: Callable,
    open_stream: Callable[..., Events], end: Callable[[Flask], None], proof: str,
) -> None:  # fmt: skip
    if proof == "cookie":
        stream = open_stream(ann.client)
    else:
        stream = open_stream(app.test_client(), headers=bearer("ann"))
    next(stream)
    number = user_id(app, "ann")
    end(app)
    platform.feed.publish(number)
    assert list(stream) == [("signed-out", {})]


def test_signing_out_tells_the_other_tabs(bob: Visitor, open_stream: Callable[..., Events]) -> None:
    stream = open_stream(bob.client)
    next(stream)
    bob.post("/logout")
    assert list(stream) == [("signed-out", {})]


def test_a_stopping_server_lets_its_streams_go(
    platform: Platform, bob: Visitor, open_stream: Callable[..., Events]
) -> None:
    stream = open_stream(bob.client)
    next(stream)
    platform.feed.close()
    assert list(stream) == []


def test_what_happens_in_the_commons_is_told_to_who_may_know(
    app: Flask, ann: Visitor, bob: Visitor, open_stream: Callable[..., Events]
) -> None:
    events = open_stream(bob.client)
    assert next(events)[0] == "state"
    hidden = {"name": "hidden", "visibility": "private"}
    for form in (hidden, {"name": "seen"}):
        assert ann.post("/global/-/new", form).status_code == 303
    kind, data = next(events)
    assert kind == "activity"
    with app.app_context():
        assert db.session.get(Activity, data["latest"]).repository.name == "seen"
