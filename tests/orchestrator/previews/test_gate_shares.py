"""The gate before what is shared, and before what was."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from models import ActiveSession, Audience, Role, Share, User, Workspace, db, utcnow, writing
from orchestrator import tokens
from orchestrator.platform import Platform
from orchestrator.previews import Label, Verdict
from orchestrator.previews import gate as gates
from tests.app_fixtures import on_both_databases
from tests.orchestrator.conftest import Carrier
from tests.orchestrator.previews.conftest import PORT, Enter, Look, SharePort, SignIn, sessions

pytestmark = on_both_databases


def test_users_may_open_what_is_shared_with_users(
    share: SharePort, bob: User, browser: SignIn, entered: Enter, look: Look
) -> None:
    share(Audience.USERS)
    decision = look(entered(browser(bob)))
    assert (decision.verdict, decision.own) == (Verdict.OPEN, False)
    assert look().verdict is Verdict.PASS_NEEDED


def test_everybody_may_open_what_is_public(share: SharePort, look: Look) -> None:
    share(Audience.PUBLIC)
    decision = look()
    assert (decision.verdict, decision.audience) == (Verdict.OPEN, Audience.PUBLIC)
    assert decision.panel == ""


def test_an_administrator_is_nobody_special(
    running: Workspace, bob: User, browser: SignIn, bearer: Callable, look: Look
) -> None:
    with writing():
        db.session.get(User, bob.id).role = Role.ADMIN
    _, token = tokens.create(bob, utcnow(), "t", 1, address="")
    assert look(token=token).verdict is Verdict.ABSENT


def test_a_share_is_of_one_port(share: SharePort, look: Look) -> None:
    share(Audience.PUBLIC)
    assert look(label=Label(PORT + 1, "main", "ann")).verdict is Verdict.PASS_NEEDED


def test_a_share_ends_at_its_moment_even_if_nobody_sweeps(
    share: SharePort, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(Audience.PUBLIC, seconds=3600)
    assert look().verdict is Verdict.OPEN
    later = utcnow() + timedelta(seconds=3601)
    monkeypatch.setattr(gates, "utcnow", lambda: later)
    assert look(address="192.0.2.8").verdict is Verdict.PASS_NEEDED


def test_a_decision_is_not_remembered_beyond_the_share(
    share: SharePort, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(Audience.PUBLIC, seconds=1)
    assert look().verdict is Verdict.OPEN
    later, moment = gates.monotonic() + 1, utcnow() + timedelta(seconds=1)
    monkeypatch.setattr(gates, "monotonic", lambda: later)
    monkeypatch.setattr(gates, "utcnow", lambda: moment)
    assert look().verdict is Verdict.PASS_NEEDED


def test_what_is_shared_opens_at_once(
    share: SharePort, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "REMEMBERED_SECONDS", 3600)
    assert look().verdict is Verdict.PASS_NEEDED
    share(Audience.PUBLIC)
    assert look().verdict is Verdict.OPEN


@pytest.mark.parametrize("after", [Audience.PRIVATE, Audience.USERS])
def test_what_is_taken_back_cuts_strangers_off_at_once(
    share: SharePort, look: Look, after: Audience
) -> None:
    share(Audience.PUBLIC)
    viewer, carrier = look().viewer, Carrier()
    assert viewer.hold(carrier)
    share(after)
    assert carrier.closed == 1
    assert not viewer.hold(Carrier())
    assert look().verdict is Verdict.PASS_NEEDED


def test_making_it_private_cuts_users_off_but_not_the_owner(
    running: Workspace,
    share: SharePort,
    bob: User,
    browser: SignIn,
    entered: Enter,
    look: Look,
) -> None:
    share(Audience.USERS)
    own, others = entered(browser(running.user)), entered(browser(bob))
    mine, theirs = Carrier(), Carrier()
    look(own).viewer.hold(mine)
    look(others).viewer.hold(theirs)
    share(Audience.PRIVATE)
    assert (mine.closed, theirs.closed) == (0, 1)
    assert look(own).verdict is Verdict.OPEN
    assert look(others).verdict is Verdict.PASS_NEEDED
    share(Audience.USERS)
    assert look(others).verdict is Verdict.PASS_NEEDED, "the pass has ended"


def test_sharing_more_widely_cuts_nobody_off(
    share: SharePort, bob: User, browser: SignIn, entered: Enter, look: Look
) -> None:
    share(Audience.USERS)
    secret, carrier = entered(browser(bob)), Carrier()
    look(secret).viewer.hold(carrier)
    share(Audience.PUBLIC)
    share(Audience.PUBLIC, seconds=60)
    assert carrier.closed == 0


def test_who_comes_while_it_is_taken_back_does_not_stay(
    platform: Platform,
    running: Workspace,
    share: SharePort,
    look: Look,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    share(Audience.PUBLIC)
    opened = platform.connections.open_preview

    def meanwhile(row: ActiveSession, owner_id: int) -> object:
        with writing():
            db.session.execute(update(Share).values(audience=Audience.USERS))
        return opened(row, owner_id)

    monkeypatch.setattr(platform.connections, "open_preview", meanwhile)
    assert look().verdict is Verdict.PASS_NEEDED
    platform.connections.bury()
    assert sessions() == []
