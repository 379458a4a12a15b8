"""Server-sent events: the state of a person's workspaces as it changes."""

import json
from collections.abc import Iterator

from flask import Flask, Response

from models import utcnow
from orchestrator import workspaces
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
    yield "retry: 2000\n\n"
    while not feed.closed:
        version = feed.version(user_id)
        # Each look has a session of its own: a stream must not hold a connection while it waits.
        with app.app_context():
            state = _look(platform, license)
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


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
