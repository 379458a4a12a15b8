from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from models import Audience, Event, Share, User, Workspace, db, utcnow
from orchestrator import workspaces
from orchestrator.errors import AllowanceReached, BadInput, NotFound
from orchestrator.platform import Platform
from orchestrator.previews import shares
from tests.app_fixtures import on_both_databases, together
from tests.orchestrator.conftest import ACTOR
from tests.orchestrator.previews.conftest import PORT

pytestmark = on_both_databases


@pytest.fixture
def share(platform: Platform, made: Workspace) -> Callable[..., None]:
    def change(audience: Audience, port: int = PORT, seconds: float | None = None) -> None:
        until = utcnow() + timedelta(seconds=seconds) if seconds is not None else None
        shares.change(platform, made, port, audience, until, utcnow(), ACTOR)

    return change


def shared(made: Workspace, later: float = 0) -> list[tuple[int, Audience]]:
    db.session.rollback()
    rows = shares.of([made.id], utcnow() + timedelta(seconds=later))
    return [(row.port, row.audience) for row in rows]


def test_a_port_is_private_until_it_is_shared(made: Workspace, share: Callable[..., None]) -> None:
    assert shared(made) == []
    share(Audience.USERS)
    share(Audience.PUBLIC, 80)
    assert shared(made) == [(80, Audience.PUBLIC), (PORT, Audience.USERS)]
    share(Audience.PRIVATE)
    assert shared(made) == [(80, Audience.PUBLIC)]


def test_sharing_is_written_down(made: Workspace, share: Callable[..., None]) -> None:
    share(Audience.PUBLIC, seconds=60)
    event = db.session.scalars(select(Event).where(Event.action == "port.shared")).one()
    assert (event.actor, event.target, event.address) == ("ann", "main:5173", "192.0.2.1")
    assert event.detail["audience"] == "public"
    assert event.detail["expires"].startswith("20")


def test_a_share_ends_at_its_moment(
    platform: Platform, made: Workspace, share: Callable[..., None]
) -> None:
    share(Audience.PUBLIC, seconds=60)
    assert shared(made, later=59) == [(PORT, Audience.PUBLIC)]
    assert shared(made, later=61) == []
    version = platform.feed.version(made.user_id)
    shares.end_expired(platform, utcnow())
    assert platform.feed.version(made.user_id) == version
    shares.end_expired(platform, utcnow() + timedelta(seconds=61))
    assert db.session.scalar(select(func.count(Share.id))) == 0
    assert platform.feed.version(made.user_id) > version


def test_a_share_ends_with_the_workspace(
    platform: Platform, made: Workspace, share: Callable[..., None]
) -> None:
    share(Audience.PUBLIC)
    workspaces.remove(platform, made, ACTOR)
    assert db.session.scalar(select(func.count(Share.id))) == 0
    with pytest.raises(NotFound):
        share(Audience.PUBLIC)


@pytest.mark.parametrize("port", [-1, 0, 7681, 65536, 10**9])
def test_what_is_no_port_or_ours_is_not_shared(share: Callable[..., None], port: int) -> None:
    with pytest.raises(BadInput) as told:
        share(Audience.PUBLIC, port)
    assert told.value.field == "port"


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_share_that_is_over_is_none(share: Callable[..., None], seconds: float) -> None:
    with pytest.raises(BadInput) as told:
        share(Audience.PUBLIC, seconds=seconds)
    assert told.value.field == "expires"


def test_shares_of_a_workspace_are_counted(
    share: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "SHARES_MAX", 2)
    share(Audience.PUBLIC, 1)
    share(Audience.USERS, 2)
    share(Audience.PUBLIC, 2)
    with pytest.raises(AllowanceReached):
        share(Audience.USERS, 3)
    share(Audience.PRIVATE, 3)
    share(Audience.PRIVATE, 1)
    share(Audience.USERS, 3)


def test_changes_at_once_leave_one_share(
    app: Flask, platform: Platform, ann: User, made: Workspace
) -> None:
    wanted = [Audience.USERS, Audience.PUBLIC] * 4

    def change(number: int) -> None:
        (row,) = workspaces.of_user(db.session.get(User, ann.id))
        shares.change(platform, row, PORT, wanted[number], None, utcnow(), ACTOR)

    assert together(app, 8, change) == [None] * 8
    assert len(shared(made)) == 1
