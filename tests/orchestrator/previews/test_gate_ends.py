"""What ends a visit, on this server and on another."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from models import Audience, Pass, Share, User, db, utcnow, writing
from orchestrator import accounts, administration, workspaces
from orchestrator.platform import Platform
from orchestrator.previews import Verdict, shares
from orchestrator.previews import gate as gates
from tests.app_fixtures import on_both_databases
from tests.orchestrator.conftest import ACTOR, Carrier
from tests.orchestrator.previews.conftest import (
    ADDRESS,
    LABEL,
    Browser,
    Enter,
    Look,
    SharePort,
    SignIn,
)
from web import opening

pytestmark = on_both_databases
End = Callable[[Platform, User, Browser], None]


@pytest.fixture
def theirs(share: SharePort, bob: User, browser: SignIn) -> Browser:
    """Bob's browser, which may open the preview as long as it is shared."""
    share(Audience.USERS)
    return browser(bob)


def sign_out(platform: Platform, admin: User, theirs: Browser) -> None:
    accounts.sign_out(theirs.login.id)
    platform.connections.hang_up_revoked()


def suspend(platform: Platform, admin: User, theirs: Browser) -> None:
    administration.suspend(platform, admin, utcnow(), theirs.user.username, address="")


def remove(platform: Platform, admin: User, theirs: Browser) -> None:
    suspend(platform, admin, theirs)
    administration.remove(platform, admin, utcnow(), theirs.user.username, address="")


def delete_workspace(platform: Platform, admin: User, theirs: Browser) -> None:
    (row,) = workspaces.of_user(admin)
    workspaces.remove(platform, row, ACTOR)


def stop_workspace(platform: Platform, admin: User, theirs: Browser) -> None:
    (row,) = workspaces.of_user(admin)
    workspaces.stop(platform, row, ACTOR)


def end_share(platform: Platform, admin: User, theirs: Browser) -> None:
    with writing():
        db.session.execute(update(Share).values(expires_at=utcnow() - timedelta(seconds=1)))
    shares.end_expired(platform, utcnow())
    platform.connections.hang_up_revoked()


def end_pass(platform: Platform, admin: User, theirs: Browser) -> None:
    with writing():
        db.session.execute(update(Pass).values(expires_at=utcnow() - timedelta(seconds=1)))
    gates.passes.delete_expired(utcnow())
    platform.connections.hang_up_revoked()


ends = pytest.mark.parametrize(
    ("end", "verdict"),
    [
        (sign_out, Verdict.PASS_NEEDED), (suspend, Verdict.PASS_NEEDED),
        (remove, Verdict.PASS_NEEDED), (delete_workspace, Verdict.PASS_NEEDED),
        (end_share, Verdict.PASS_NEEDED), (end_pass, Verdict.PASS_NEEDED),
        (stop_workspace, Verdict.STOPPED),
    ],
)  # fmt: skip


@ends
def test_a_visit_ends_with_what_it_rests_on(
    platform: Platform,
    ann: User,
    theirs: Browser,
    entered: Enter,
    look: Look,
    end: End,
    verdict: Verdict,
) -> None:
    secret, carrier = entered(theirs), Carrier()
    assert look(secret).viewer.hold(carrier)
    end(platform, ann, theirs)
    assert carrier.closed == 1
    assert look(secret).verdict is verdict


@ends
def test_another_server_ends_it_at_its_next_look(
    make_app: Callable[..., Flask],
    platform: Platform,
    ann: User,
    theirs: Browser,
    entered: Enter,
    end: End,
    verdict: Verdict,
) -> None:
    """Its background looks every two seconds: see REVOKED_SECONDS."""
    second = make_app(engine=platform.engine, storage=platform.storage)
    gate, other = opening.gate_of(second), second.extensions["rootblood"]
    secret, carrier = entered(theirs), Carrier()
    db.session.rollback()
    assert gate.look(LABEL, [secret], None, ADDRESS).viewer.hold(carrier)
    end(platform, ann, theirs)
    with second.app_context():
        other.connections.hang_up_revoked()
    assert carrier.closed == 1
    assert gate.look(LABEL, [secret], None, ADDRESS).verdict is verdict
