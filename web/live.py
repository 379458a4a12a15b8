"""Server-sent events: a person's workspaces as they change, and that something happened."""

import json
from collections.abc import Iterator

from flask import Flask, Response

from models import User, db, utcnow
from orchestrator import workspaces
from orchestrator.commons import activity
from orchestrator.errors import TooManyRequests
from orchestrator.platform import Platform
from web import present
from web.identity import Caller
from web.license import License

STREAMS_MAX = 40
"""Of one person: at each change of theirs every one of them looks."""
LOOK_SECONDS = 5.0
"""Also look this often, for what other servers on the same database did."""


def response(app: Flask, caller: Caller) -> Response:
    """Return a stream that lives until the page leaves or the sign-in ends.

    Raises: TooManyRequests.
    """
    feed, user_id = app.extensions["rootblood"].feed, caller.user.id
    if not feed.enter(user_id, STREAMS_MAX):
        raise TooManyRequests(
            f"You follow events in {STREAMS_MAX} places already", hint="Close some pages."
        )
    stream = Response(_stream(app, License.of(caller)), mimetype="text/event-stream")
    stream.call_on_close(lambda: feed.leave(user_id))
    stream.headers["Cache-Control"] = "no-store"
    stream.headers["X-Accel-Buffering"] = "no"
    return stream


def _stream(app: Flask, license: License) -> Iterator[str]:
    platform: Platform = app.extensions["rootblood"]
    feed, user_id, sent, told = platform.feed, license.user_id, "", dict[str, object]()
    latest = 0
    yield "retry: 2000\n\n"
    while not feed.closed:
        version = feed.version(user_id)
        # Each look has a session of its own: a stream must not hold a connection while it waits.
        with app.app_context():
            state = _look(platform, license)
            happened = _latest(user_id) if state is not None else latest
        if state is None:
            yield _event("signed-out", "{}")
            return
        for transfer in feed.transfers(user_id):
            if told.get(transfer.id) != transfer:
                told[transfer.id] = transfer
                yield _event("archive", json.dumps(transfer.as_dict()))
        if happened != latest:
            latest = happened
            yield _event("activity", json.dumps({"latest": latest}))
        if state != sent:
            sent = state
            yield _event("state", state)
        else:
            yield ": still here\n\n"
        feed.wait(user_id, version, timeout=LOOK_SECONDS)


def _look(platform: Platform, license: License) -> str | None:
    """Return the state as JSON, or None when the caller may not see it any more."""
    now, who = utcnow(), license.holder(platform)
    if who is None:
        return None
    rows = present.workspaces(platform, now, workspaces.of_user(who.user))
    return json.dumps(
        {
            "user": present.me(platform, who.user).model_dump(mode="json"),
            "workspaces": [row.model_dump(mode="json") for row in rows],
            "home": present.home(platform, who, now).model_dump(mode="json"),
        }
    )


def _latest(user_id: int) -> int:
    """Return the number of the last thing in the commons that the user may know of."""
    user = db.session.get(User, user_id)
    happened = activity.recent(user, count=1) if user is not None else []
    return happened[0].id if happened else 0


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
