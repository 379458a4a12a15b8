"""Previews of Ann's workspace, people who may or may not look, and servers that let them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from models import ActiveSession, Audience, Kind, Login, User, Workspace, db, utcnow
from orchestrator import accounts
from orchestrator.platform import Platform
from orchestrator.previews import Decision, Label, shares, tickets
from orchestrator.previews.gate import Gate
from tests.orchestrator.conftest import ACTOR
from web import opening

PORT = 5173
LABEL = Label(PORT, "main", "ann")
PANEL = "http://localhost:8000"
NONCE = "n" * 43
ADDRESS = "192.0.2.7"
Look = Callable[..., Decision]
Enter = Callable[..., str]
SharePort = Callable[..., None]


@dataclass(frozen=True)
class Browser:
    """A person's browser that is signed in."""

    user: User
    login: Login


SignIn = Callable[[User], Browser]


@pytest.fixture
def browser() -> Callable[[User], Browser]:
    """Return ``browser(user)``: a login of that person's."""

    def sign_in(user: User) -> Browser:
        login, _ = accounts.sign_in(user, utcnow(), address="192.0.2.1", agent="")
        return Browser(user, login)

    return sign_in


@pytest.fixture
def ticket() -> Callable[..., str]:
    """Return ``ticket(browser)``: the secret of a ticket."""

    def issue(browser: Browser, label: Label = LABEL, nonce: str = NONCE) -> str:
        state = tickets.state_of(nonce)
        return tickets.issue(browser.user, browser.login.id, label, state, PANEL, utcnow())

    return issue


@pytest.fixture
def entered(ticket: Callable[..., str]) -> Callable[..., str]:
    """Return ``entered(browser)``: the secret of a pass."""

    def enter(browser: Browser, label: Label = LABEL) -> str:
        state = tickets.state_of(NONCE)
        secret = tickets.redeem(ticket(browser, label), label, [state], utcnow())
        assert secret is not None
        return secret

    return enter


@pytest.fixture
def gate(app: Flask) -> Gate:
    return opening.gate_of(app)


@pytest.fixture
def look(gate: Gate) -> Callable[..., Decision]:
    """Return ``look(*passes)``: what the gate says of a browser that shows them."""

    def ask(
        *passes: str, label: Label = LABEL, token: str | None = None, address: str = ADDRESS
    ) -> Decision:
        db.session.rollback()  # what a request before has read is no business of this one
        return gate.look(label, passes, token, address)

    return ask


@pytest.fixture
def share(platform: Platform, running: Workspace) -> SharePort:
    """Return ``share(audience)``: share the port, for so many ``seconds`` where they are given."""

    def change(audience: Audience, seconds: float | None = None) -> None:
        until = utcnow() + timedelta(seconds=seconds) if seconds is not None else None
        shares.change(platform, running, PORT, audience, until, utcnow(), ACTOR)

    return change


def sessions() -> list[ActiveSession]:
    """Return the visits that have a row."""
    db.session.rollback()
    query = select(ActiveSession).where(ActiveSession.kind == Kind.PREVIEW)
    return list(db.session.scalars(query.order_by(ActiveSession.id)))
