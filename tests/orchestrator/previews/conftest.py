"""Previews of Ann's workspace, people who may or may not look, and servers that let them."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask

from models import Login, User, db, utcnow
from orchestrator import accounts
from orchestrator.previews import Decision, Label, tickets
from orchestrator.previews.gate import Gate
from web import opening

PORT = 5173
LABEL = Label(PORT, "main", "ann")
PANEL = "http://localhost:8000"
NONCE = "n" * 43
ADDRESS = "192.0.2.7"


@dataclass(frozen=True)
class Browser:
    """A person's browser that is signed in."""

    user: User
    login: Login


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
