"""Server-sent events: the state of a person's workspaces as it changes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask, Response

from models import Login, Token, User, db, utcnow
from orchestrator import workspaces
from orchestrator.errors import TooManyRequests
from orchestrator.platform import Platform
from web import present
from web.identity import Caller

STREAMS_MAX = 40
"""Of one person: at each change of theirs every one of them looks."""
LOOK_SECONDS = 5.0
"""Also look this often, for what other servers on the same database did."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """Who was let in, and by what."""

    user_id: int
    login_id: int | None
    token_id: int | None
    secret_hash: str
    """The login's or token's: its number may be the next one's as soon as it is gone."""


def response(app: Flask, caller: Caller) -> Response:
    """Return a stream that lives until the page leaves or the sign-in ends.

    Raises: TooManyRequests.
    """
    feed, user_id = app.extensions["rootblood"].feed, caller.user.id
    if not feed.enter(user_id, STREAMS_MAX):
        raise TooManyRequests(
            f"You follow events in {STREAMS_MAX} places already", hint="Close some pages."
        )
    stream = Response(_stream(app, _seen(caller)), mimetype="text/event-stream")
    stream.call_on_close(lambda: feed.leave(user_id))
    stream.headers["Cache-Control"] = "no-store"
    stream.headers["X-Accel-Buffering"] = "no"
    return stream


def _seen(caller: Caller) -> _Seen:
    row = caller.login or caller.token
    assert row is not None
    return _Seen(caller.user.id, caller.login_id, caller.token_id, row.secret_hash)


def _stream(app: Flask, seen: _Seen) -> Iterator[str]:
    platform: Platform = app.extensions["rootblood"]
    feed, user_id, sent, told = platform.feed, seen.user_id, "", dict[str, object]()
    yield "retry: 2000\n\n"
    while not feed.closed:
        version = feed.version(user_id)
        # Each look has a session of its own: a stream must not hold a connection while it waits.
        with app.app_context():
            state = _look(platform, seen)
        if state is None:
            yield _event("signed-out", "{}")
            return
        for transfer in feed.transfers(user_id):
            if told.get(transfer.id) != transfer:
                told[transfer.id] = transfer
                yield _event("archive", json.dumps(transfer.as_dict()))
        if state != sent:
            sent = state
            yield _event("state", state)
        else:
            yield ": still here\n\n"
        feed.wait(user_id, version, timeout=LOOK_SECONDS)


def _look(platform: Platform, seen: _Seen) -> str | None:
    """Return the state as JSON, or None when the caller may not see it any more."""
    now = utcnow()
    user = db.session.get(User, seen.user_id)
    login = db.session.get(Login, seen.login_id) if seen.login_id else None
    token = db.session.get(Token, seen.token_id) if seen.token_id else None
    if (row := login or token) is None or row.secret_hash != seen.secret_hash:
        return None
    if login is not None:
        proved = login.last_seen_at > now - timedelta(seconds=platform.settings.login_seconds)
    else:
        proved = token is not None and token.expires_at > now
    if user is None or not user.is_active or not proved:
        return None
    who = Caller(user, login=login, token=token)
    rows = present.workspaces(platform, now, workspaces.of_user(user))
    return json.dumps(
        {
            "user": present.me(platform, user).model_dump(mode="json"),
            "workspaces": [row.model_dump(mode="json") for row in rows],
            "home": present.home(platform, who, now).model_dump(mode="json"),
        }
    )


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
