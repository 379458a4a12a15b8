from datetime import timedelta

import pytest
from sqlalchemy import select, update

from models import Audience, Login, Pass, Standing, State, User, Workspace, db, utcnow, writing
from orchestrator import starting, tokens, workspaces
from orchestrator.platform import Platform
from orchestrator.previews import Decision, Label, Verdict
from orchestrator.previews import gate as gates
from tests.app_fixtures import on_both_databases
from tests.orchestrator.conftest import ACTOR, Carrier
from tests.orchestrator.previews.conftest import LABEL, PANEL, PORT, Enter, Look, SharePort, SignIn

pytestmark = on_both_databases


def test_the_owners_pass_opens_a_private_preview(
    running: Workspace, browser: SignIn, entered: Enter, look: Look
) -> None:
    decision = look(entered(browser(running.user)))
    assert decision.verdict is Verdict.OPEN
    assert decision.container == running.container
    assert (decision.panel, decision.own, decision.audience) == (PANEL, True, Audience.PRIVATE)


def test_nobody_without_a_pass_learns_anything(running: Workspace, look: Look) -> None:
    for label in (LABEL, Label(PORT, "none", "ann"), Label(PORT, "main", "nobody")):
        decision = look("x" * 43, label=label)
        assert decision == Decision(Verdict.PASS_NEEDED, label)


def test_a_pass_is_for_one_port_of_one_workspace(
    platform: Platform, running: Workspace, browser: SignIn, entered: Enter, look: Look
) -> None:
    secret = entered(browser(running.user))
    other = workspaces.create(platform, running.user, utcnow(), "other", actor=ACTOR)
    starting.ensure_running(platform, other, ACTOR)
    for label in (Label(PORT + 1, "main", "ann"), Label(PORT, "other", "ann")):
        assert look(secret, label=label).verdict is Verdict.PASS_NEEDED


def test_the_hash_of_a_pass_opens_nothing(
    running: Workspace, browser: SignIn, entered: Enter, look: Look
) -> None:
    entered(browser(running.user))
    row = db.session.scalars(select(Pass)).one()
    assert look(row.secret_hash).verdict is Verdict.PASS_NEEDED


def test_of_several_passes_a_good_one_counts(
    running: Workspace, browser: SignIn, entered: Enter, look: Look
) -> None:
    secret = entered(browser(running.user))
    assert look("x" * 43, secret, "y" * 43).verdict is Verdict.OPEN


@pytest.mark.parametrize("state", sorted(set(State) - {State.RUNNING}))
def test_what_does_not_run_is_told_to_who_may_know(
    running: Workspace, browser: SignIn, entered: Enter, look: Look, state: State
) -> None:
    secret = entered(browser(running.user))
    with writing():
        db.session.execute(update(Workspace).values(state=state))
    decision = look(secret)
    assert (decision.verdict, decision.own, decision.panel) == (Verdict.STOPPED, True, PANEL)
    assert look().verdict is Verdict.PASS_NEEDED


def test_a_login_that_idled_out_takes_its_passes_along(
    running: Workspace, browser: SignIn, entered: Enter, look: Look
) -> None:
    secret = entered(browser(running.user))
    with writing():
        db.session.execute(update(Login).values(last_seen_at=utcnow() - timedelta(days=365)))
    assert look(secret).verdict is Verdict.PASS_NEEDED


def test_a_pass_ends_at_its_moment_even_if_nobody_sweeps(
    running: Workspace,
    browser: SignIn,
    entered: Enter,
    look: Look,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = entered(browser(running.user))
    later = utcnow() + timedelta(seconds=gates.passes.PASS_SECONDS)
    monkeypatch.setattr(gates, "utcnow", lambda: later)
    assert look(secret).verdict is Verdict.PASS_NEEDED


def test_a_suspended_owners_public_preview_is_closed(
    share: SharePort, running: Workspace, look: Look
) -> None:
    share(Audience.PUBLIC)
    with writing():
        db.session.get(User, running.user_id).standing = Standing.SUSPENDED
    assert look().verdict is Verdict.PASS_NEEDED


class TestTokens:
    def test_a_token_opens_what_its_owner_may(self, running: Workspace, look: Look) -> None:
        _, token = tokens.create(running.user, utcnow(), "t", 1, address="")
        decision = look(token=token)
        assert (decision.verdict, decision.own, decision.panel) == (Verdict.OPEN, True, "")

    def test_another_persons_token_finds_nothing(
        self, running: Workspace, bob: User, look: Look
    ) -> None:
        _, token = tokens.create(bob, utcnow(), "t", 1, address="")
        for label in (LABEL, Label(PORT, "none", "ann"), Label(PORT, "main", "nobody")):
            assert look(token=token, label=label).verdict is Verdict.ABSENT

    def test_a_wrong_token_does_not_fall_back_to_a_pass(
        self, running: Workspace, browser: SignIn, entered: Enter, look: Look
    ) -> None:
        assert look(entered(browser(running.user)), token="rb_x").verdict is Verdict.PASS_NEEDED

    def test_a_wrong_token_is_no_strangers_way_to_what_is_public(
        self, share: SharePort, look: Look
    ) -> None:
        share(Audience.PUBLIC)
        assert look(token="rb_x").verdict is Verdict.PASS_NEEDED

    def test_a_token_that_is_revoked_hangs_up(
        self, platform: Platform, running: Workspace, look: Look
    ) -> None:
        row, token = tokens.create(running.user, utcnow(), "t", 1, address="")
        carrier = Carrier()
        look(token=token).viewer.hold(carrier)
        tokens.revoke(running.user, utcnow(), row.id, address="")
        platform.connections.hang_up_revoked()
        assert carrier.closed == 1
        assert look(token=token).verdict is Verdict.PASS_NEEDED
