"""Whether who was let in still is, for what goes on after the request was looked at."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask, current_app

from models import Login, Token, User, db, end_reading, utcnow
from orchestrator.errors import SignInRequired
from orchestrator.platform import Platform
from web.identity import Caller

LOOK_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class License:
    """Who was let in, and by what; it lasts for as long as that does.

    Without a login or token it was by a workspace's door, which closes with its connections.
    """

    user_id: int
    login_id: int | None
    token_id: int | None
    secret_hash: str
    """The login's or token's: its number may be the next one's as soon as it is gone."""

    @classmethod
    def of(cls, caller: Caller) -> "License":
        """Return the caller's."""
        row = caller.login or caller.token
        secret_hash = row.secret_hash if row is not None else ""
        return cls(caller.user.id, caller.login_id, caller.token_id, secret_hash)

    def holder(self, platform: Platform) -> Caller | None:
        """Return who holds it as the database has them now, None when it has ended."""
        now = utcnow()
        user = db.session.get(User, self.user_id)
        if user is None or not user.is_active:
            return None
        if not self.secret_hash:
            return Caller(user)
        login = db.session.get(Login, self.login_id) if self.login_id else None
        token = db.session.get(Token, self.token_id) if self.token_id else None
        if (row := login or token) is None or row.secret_hash != self.secret_hash:
            return None
        if login is not None:
            lifetime = timedelta(seconds=platform.settings.login_seconds)
            proved = login.last_seen_at > now - lifetime
        else:
            proved = token is not None and token.expires_at > now
        return Caller(user, login=login, token=token) if proved else None


def licensed(chunks: Iterator[bytes], caller: Caller) -> Iterator[bytes]:
    """Yield ``chunks`` for as long as the caller may have them; call it inside a request.

    Breaking the connection is then the only honest end: the response has long begun.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return _while_held(app, chunks, License.of(caller))


def _while_held(app: Flask, chunks: Iterator[bytes], license: License) -> Iterator[bytes]:
    looked = time.monotonic()
    for chunk in chunks:
        if time.monotonic() - looked >= LOOK_SECONDS:
            with app.app_context():
                held = license.holder(app.extensions["rootblood"]) is not None
                end_reading()
            if not held:
                raise SignInRequired("Your sign-in or token has ended")
            looked = time.monotonic()
        yield chunk
