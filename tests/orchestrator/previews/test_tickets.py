from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from models import Audience, Pass, Standing, Ticket, User, Workspace, db, utcnow, writing
from orchestrator import accounts, workspaces
from orchestrator.errors import NotFound
from orchestrator.platform import Platform
from orchestrator.previews import Label, passes, shares, tickets
from tests.app_fixtures import on_both_databases, together
from tests.orchestrator.conftest import ACTOR
from tests.orchestrator.previews.conftest import LABEL, NONCE, Browser

pytestmark = on_both_databases
STATE = tickets.state_of(NONCE)


@pytest.fixture
def anns(browser: Callable[[User], Browser], made: Workspace) -> Browser:
    return browser(made.user)


def redeem(secret: str, label: Label = LABEL, state: str = STATE, seconds: float = 0) -> str | None:
    return tickets.redeem(secret, label, [state], utcnow() + timedelta(seconds=seconds))


def test_a_ticket_becomes_a_pass_of_the_same_login(
    anns: Browser, made: Workspace, ticket: Callable[..., str]
) -> None:
    secret = redeem(ticket(anns))
    assert secret is not None
    row = db.session.scalars(select(Pass)).one()
    assert (row.user_id, row.login_id) == (made.user_id, anns.login.id)
    assert (row.workspace_id, row.port, row.panel) == (made.id, 5173, "http://localhost:8000")
    assert (row.expires_at - row.created_at).total_seconds() == passes.PASS_SECONDS
    assert secret not in (row.secret_hash, row.panel)


def test_a_ticket_works_once(anns: Browser, ticket: Callable[..., str]) -> None:
    secret = ticket(anns)
    assert redeem(secret) is not None
    assert redeem(secret) is None


def test_of_many_who_show_one_ticket_at_once_one_gets_in(
    app: Flask, anns: Browser, ticket: Callable[..., str]
) -> None:
    secret = ticket(anns)
    results = together(app, 8, lambda _: redeem(secret))
    assert not [r for r in results if isinstance(r, Exception)]
    assert len([r for r in results if r]) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": Label(5174, "main", "ann")},
        {"label": Label(5173, "main", "bob")},
        {"state": tickets.state_of("m" * 43)},
        {"seconds": tickets.TICKET_SECONDS},
    ],
)
def test_a_ticket_fits_one_preview_one_browser_and_half_a_minute(
    anns: Browser, ticket: Callable[..., str], wrong: dict
) -> None:
    secret = ticket(anns)
    assert redeem(secret, **wrong) is None
    assert redeem(secret) is None, "whoever shows it has used it up"


def test_a_ticket_lasts_nearly_half_a_minute(anns: Browser, ticket: Callable[..., str]) -> None:
    assert redeem(ticket(anns), seconds=tickets.TICKET_SECONDS - 1) is not None


def test_no_secret_is_no_ticket(anns: Browser, ticket: Callable[..., str]) -> None:
    ticket(anns)
    row = db.session.scalars(select(Ticket)).one()
    for wrong in ("", "x", row.secret_hash, row.state):
        assert redeem(wrong) is None


def sign_out(platform: Platform, anns: Browser) -> None:
    accounts.sign_out(anns.login.id)


def suspend(platform: Platform, anns: Browser) -> None:
    with writing():
        db.session.get(User, anns.user.id).standing = Standing.SUSPENDED


def delete_workspace(platform: Platform, anns: Browser) -> None:
    (row,) = workspaces.of_user(anns.user)
    workspaces.remove(platform, row, ACTOR)


@pytest.mark.parametrize("end", [sign_out, suspend, delete_workspace])
def test_a_ticket_ends_with_what_it_stands_for(
    platform: Platform,
    anns: Browser,
    ticket: Callable[..., str],
    end: Callable[[Platform, Browser], None],
) -> None:
    secret = ticket(anns)
    end(platform, anns)
    assert redeem(secret) is None
    assert db.session.scalar(select(func.count(Pass.id))) == 0


def test_a_ticket_to_what_is_shared_no_more_is_void(
    platform: Platform,
    made: Workspace,
    bob: User,
    browser: Callable[[User], Browser],
    ticket: Callable[..., str],
) -> None:
    shares.change(platform, made, 5173, Audience.USERS, None, utcnow(), ACTOR)
    secret = ticket(browser(bob))
    shares.change(platform, made, 5173, Audience.PRIVATE, None, utcnow(), ACTOR)
    assert redeem(secret) is None


def test_who_may_not_open_it_gets_no_ticket(
    made: Workspace, bob: User, browser: Callable[[User], Browser], ticket: Callable[..., str]
) -> None:
    others = browser(bob)
    messages = set()
    for label in (LABEL, Label(5173, "none", "ann"), Label(5173, "main", "nobody")):
        with pytest.raises(NotFound) as told:
            ticket(others, label)
        messages.add(str(told.value))
    assert len(messages) == 1, "what is private must not differ from what is not there"


def test_tickets_do_not_pile_up(anns: Browser, ticket: Callable[..., str]) -> None:
    for _ in range(tickets.TICKETS_MAX + 5):
        last = ticket(anns)
    assert db.session.scalar(select(func.count(Ticket.id))) == tickets.TICKETS_MAX
    assert redeem(last) is not None
