"""What has run out is deleted, with the copies of keys that it opened."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from models import KeySlot, Login, Slot, Token, Workspace, db, utcnow
from orchestrator import accounts, deletion, expiry, tokens
from orchestrator.connections import Connection
from orchestrator.platform import Platform
from tests.app_fixtures import PASSWORD, on_both_databases, open_sessions

pytestmark = [on_both_databases, pytest.mark.usefixtures("context")]


def left() -> tuple[list[str], set[Slot]]:
    """Return where people are signed in, and what opens homes."""
    db.session.rollback()
    agents = sorted(db.session.scalars(select(Login.agent)))
    return agents, set(db.session.scalars(select(KeySlot.kind))) - {Slot.PASSWORD}


def test_logins_go_with_their_copies_and_connections_and_no_other(
    platform: Platform, running: Workspace, connect: Callable[..., Connection]
) -> None:
    lifetime, now = timedelta(seconds=platform.settings.login_seconds), utcnow()
    entrant = accounts.authenticate(platform.settings, now, running.user.username, PASSWORD)
    for agent, moment in (("old", now - lifetime), ("young", now - lifetime + timedelta(hours=1))):
        login, _ = accounts.sign_in(
            entrant.user, moment, address="", agent=agent, key=entrant.key, proven=entrant.proven
        )
        connect(platform, running, login_id=login.id)
    expiry.delete_expired(platform, now - timedelta(seconds=1))
    assert (left(), platform.unscrubbed.is_set()) == ((["old", "young"], {Slot.LOGIN}), False)
    expiry.delete_expired(platform, now)
    assert (left(), platform.unscrubbed.is_set()) == ((["young"], {Slot.LOGIN}), True)
    assert len(open_sessions()) == 1
    deletion.finish_all(platform)
    assert not platform.unscrubbed.is_set(), "the collector has overwritten it"
    expiry.delete_expired(platform, now + lifetime)
    assert left() == ([], set())


def test_tokens_go_with_their_copies(platform: Platform, running: Workspace) -> None:
    now = utcnow()
    entrant = accounts.authenticate(platform.settings, now, running.user.username, PASSWORD)
    tokens.create(entrant.user, now, "ci", 1, address="", key=entrant.key, proven=entrant.proven)
    expiry.delete_expired(platform, now + timedelta(hours=23))
    assert (left(), platform.unscrubbed.is_set()) == (([], {Slot.TOKEN}), False)
    expiry.delete_expired(platform, now + timedelta(days=2))
    assert (left(), platform.unscrubbed.is_set()) == (([], set()), True)
    assert db.session.scalars(select(Token)).all() == []
