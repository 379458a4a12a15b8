from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select, update

from models import (
    ActiveSession,
    Audience,
    Kind,
    Login,
    Pass,
    Role,
    Share,
    Standing,
    State,
    User,
    Workspace,
    db,
    utcnow,
    writing,
)
from orchestrator import accounts, administration, starting, tokens, workspaces
from orchestrator.platform import Platform
from orchestrator.previews import Decision, Label, Verdict, shares
from orchestrator.previews import gate as gates
from orchestrator.previews.domain import AppsDomain
from orchestrator.previews.gate import Gate
from tests.app_fixtures import on_both_databases
from tests.orchestrator.conftest import ACTOR, Carrier
from tests.orchestrator.previews.conftest import ADDRESS, LABEL, PANEL, PORT, Browser
from web import opening

pytestmark = on_both_databases
Look = Callable[..., Decision]
Enter = Callable[..., str]
SignIn = Callable[[User], Browser]


@pytest.fixture
def share(platform: Platform, running: Workspace) -> Callable[..., None]:
    """Return ``share(audience)``: share the port."""

    def change(audience: Audience, seconds: float | None = None) -> None:
        until = utcnow() + timedelta(seconds=seconds) if seconds is not None else None
        shares.change(platform, running, PORT, audience, until, utcnow(), ACTOR)

    return change


def queries(act: Callable[[], object]) -> int:
    """Return how many statements the database gets while ``act`` runs."""
    seen: list[str] = []

    def note(_c: object, _cur: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    act()
    event.remove(db.engine, "before_cursor_execute", note)
    return len(seen)


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


@pytest.mark.parametrize("state", set(State) - {State.RUNNING})
def test_what_does_not_run_is_told_to_who_may_know(
    running: Workspace, browser: SignIn, entered: Enter, look: Look, state: State
) -> None:
    secret = entered(browser(running.user))
    with writing():
        db.session.execute(update(Workspace).values(state=state))
    decision = look(secret)
    assert (decision.verdict, decision.own, decision.panel) == (Verdict.STOPPED, True, PANEL)
    assert look().verdict is Verdict.PASS_NEEDED


class TestShares:
    def test_users_may_open_what_is_shared_with_users(
        self, share: Callable[..., None], bob: User, browser: SignIn, entered: Enter, look: Look
    ) -> None:
        share(Audience.USERS)
        decision = look(entered(browser(bob)))
        assert (decision.verdict, decision.own) == (Verdict.OPEN, False)
        assert look().verdict is Verdict.PASS_NEEDED

    def test_everybody_may_open_what_is_public(
        self, share: Callable[..., None], look: Look
    ) -> None:
        share(Audience.PUBLIC)
        decision = look()
        assert (decision.verdict, decision.audience) == (Verdict.OPEN, Audience.PUBLIC)
        assert decision.panel == ""

    def test_an_administrator_is_nobody_special(
        self, running: Workspace, bob: User, browser: SignIn, bearer: Callable, look: Look
    ) -> None:
        with writing():
            db.session.get(User, bob.id).role = Role.ADMIN
        _, token = tokens.create(bob, utcnow(), "t", 1, address="")
        assert look(token=token).verdict is Verdict.ABSENT

    def test_a_share_is_of_one_port(self, share: Callable[..., None], look: Look) -> None:
        share(Audience.PUBLIC)
        assert look(label=Label(PORT + 1, "main", "ann")).verdict is Verdict.PASS_NEEDED

    def test_a_share_ends_at_its_moment_even_if_nobody_sweeps(
        self, share: Callable[..., None], look: Look, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        share(Audience.PUBLIC, seconds=3600)
        assert look().verdict is Verdict.OPEN
        later = utcnow() + timedelta(seconds=3601)
        monkeypatch.setattr(gates, "utcnow", lambda: later)
        assert look(address="192.0.2.8").verdict is Verdict.PASS_NEEDED

    def test_a_decision_is_not_remembered_beyond_the_share(
        self, share: Callable[..., None], look: Look, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        share(Audience.PUBLIC, seconds=1)
        assert look().verdict is Verdict.OPEN
        later, moment = gates.monotonic() + 1, utcnow() + timedelta(seconds=1)
        monkeypatch.setattr(gates, "monotonic", lambda: later)
        monkeypatch.setattr(gates, "utcnow", lambda: moment)
        assert look().verdict is Verdict.PASS_NEEDED

    def test_what_is_shared_opens_at_once(
        self, share: Callable[..., None], look: Look, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gates, "REMEMBERED_SECONDS", 3600)
        assert look().verdict is Verdict.PASS_NEEDED
        share(Audience.PUBLIC)
        assert look().verdict is Verdict.OPEN

    @pytest.mark.parametrize("after", [Audience.PRIVATE, Audience.USERS])
    def test_what_is_taken_back_cuts_strangers_off_at_once(
        self, share: Callable[..., None], look: Look, after: Audience
    ) -> None:
        share(Audience.PUBLIC)
        viewer, carrier = look().viewer, Carrier()
        assert viewer.hold(carrier)
        share(after)
        assert carrier.closed == 1
        assert not viewer.hold(Carrier())
        assert look().verdict is Verdict.PASS_NEEDED

    def test_making_it_private_cuts_users_off_but_not_the_owner(
        self,
        running: Workspace,
        share: Callable[..., None],
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
        self, share: Callable[..., None], bob: User, browser: SignIn, entered: Enter, look: Look
    ) -> None:
        share(Audience.USERS)
        secret, carrier = entered(browser(bob)), Carrier()
        look(secret).viewer.hold(carrier)
        share(Audience.PUBLIC)
        share(Audience.PUBLIC, seconds=60)
        assert carrier.closed == 0

    def test_who_comes_while_it_is_taken_back_does_not_stay(
        self,
        platform: Platform,
        running: Workspace,
        share: Callable[..., None],
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


ENDS = [sign_out, suspend, remove, delete_workspace, stop_workspace, end_share, end_pass]


@pytest.mark.parametrize("end", ENDS)
def test_a_visit_ends_with_what_it_rests_on(
    app: Flask,
    platform: Platform,
    ann: User,
    bob: User,
    share: Callable[..., None],
    browser: SignIn,
    entered: Enter,
    look: Look,
    end: Callable[[Platform, User, Browser], None],
) -> None:
    share(Audience.USERS)
    theirs = browser(bob)
    secret, carrier = entered(theirs), Carrier()
    assert look(secret).viewer.hold(carrier)
    end(platform, ann, theirs)
    assert carrier.closed == 1
    over = Verdict.STOPPED if end is stop_workspace else Verdict.PASS_NEEDED
    assert look(secret).verdict is over


@pytest.mark.parametrize("end", ENDS)
def test_another_server_ends_it_at_its_next_look(
    make_app: Callable[..., Flask],
    platform: Platform,
    ann: User,
    bob: User,
    share: Callable[..., None],
    browser: SignIn,
    entered: Enter,
    end: Callable[[Platform, User, Browser], None],
) -> None:
    """Its background looks every two seconds: see REVOKED_SECONDS."""
    share(Audience.USERS)
    theirs = browser(bob)
    second = make_app(engine=platform.engine, storage=platform.storage)
    gate, other = opening.gate_of(second), second.extensions["rootblood"]
    secret, carrier = entered(theirs), Carrier()
    db.session.rollback()
    assert gate.look(LABEL, [secret], None, ADDRESS).viewer.hold(carrier)
    end(platform, ann, theirs)
    with second.app_context():
        other.connections.hang_up_revoked()
    assert carrier.closed == 1
    over = Verdict.STOPPED if end is stop_workspace else Verdict.PASS_NEEDED
    assert gate.look(LABEL, [secret], None, ADDRESS).verdict is over


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
    share: Callable[..., None], running: Workspace, look: Look
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
        self, share: Callable[..., None], look: Look
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


class TestMemory:
    def test_the_second_look_asks_nobody(
        self, running: Workspace, browser: SignIn, entered: Enter, look: Look
    ) -> None:
        secret = entered(browser(running.user))
        look(secret), look()
        assert queries(lambda: (look(secret), look())) == 0

    def test_a_look_later_asks_again(
        self, running: Workspace, look: Look, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look()
        later = gates.monotonic() + gates.REMEMBERED_SECONDS
        monkeypatch.setattr(gates, "monotonic", lambda: later + 0.1)
        assert queries(look) > 0

    def test_it_does_not_grow_without_end(
        self, gate: Gate, running: Workspace, look: Look, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gates, "REMEMBERED_MOST", 5)
        for number in range(20):
            look(f"{number:043}")
        assert len(gate._memory) <= 5


def test_a_visit_keeps_the_previews_port(
    gate: Gate, share: Callable[..., None], look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Label] = []
    monkeypatch.setattr(AppsDomain, "used", lambda _self, label, _now: seen.append(label))
    look()
    share(Audience.PUBLIC)
    look()
    assert seen == [LABEL]


def sessions() -> list[ActiveSession]:
    db.session.rollback()
    query = select(ActiveSession).where(ActiveSession.kind == Kind.PREVIEW)
    return list(db.session.scalars(query.order_by(ActiveSession.id)))


class TestViewers:
    def test_a_visit_has_a_row_that_the_owner_sees(
        self, running: Workspace, browser: SignIn, entered: Enter, look: Look
    ) -> None:
        secret = entered(browser(running.user))
        look(secret), look(secret)
        (row,) = sessions()
        assert (row.user_id, row.workspace_id, row.port) == (running.user_id, running.id, PORT)
        assert (row.address, row.server) == (ADDRESS, "test:1")

    def test_a_stranger_is_an_address(self, share: Callable[..., None], look: Look) -> None:
        share(Audience.PUBLIC)
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            look(address=address)
        rows = sessions()
        assert [(row.user_id, row.address) for row in rows] == [
            (None, "192.0.2.1"), (None, "192.0.2.2")
        ]  # fmt: skip

    def test_a_crowd_is_told_as_one(
        self, share: Callable[..., None], look: Look, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gates, "STRANGERS_MOST", 2)
        share(Audience.PUBLIC)
        for number in range(9):
            assert look(address=f"192.0.2.{number}").verdict is Verdict.OPEN
        assert [row.address for row in sessions()] == ["192.0.2.0", "192.0.2.1", ""]

    def test_opening_a_page_counts_as_activity_for_people_alone(
        self,
        platform: Platform,
        gate: Gate,
        running: Workspace,
        share: Callable[..., None],
        browser: SignIn,
        entered: Enter,
        look: Look,
    ) -> None:
        share(Audience.PUBLIC)
        secret = entered(browser(running.user))
        gate.visited(look())
        look(secret)
        assert platform.connections.last_input(running.id) is None
        gate.visited(look(secret))
        assert platform.connections.last_input(running.id) is not None
