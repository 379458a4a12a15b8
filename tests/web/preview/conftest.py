"""One server of previews for all tests that need no bounds of their own; Bob's, without one."""

import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from models import Audience, User, db, utcnow
from orchestrator import starting, workspaces
from orchestrator.previews import Decision, shares
from orchestrator.workspaces import Actor
from tests.app_fixtures import PROOF
from tests.web.preview.entering import HOST, LABEL, Ask
from tests.web.preview.previewing import Previews, serving
from web import opening
from web.preview import upstreams
from web.preview.entry import Knock, Reply, knock


@pytest.fixture(scope="module")
def previews() -> Iterator[Previews]:
    with serving() as running:
        yield running


@pytest.fixture
def up(app: Flask, bobs: str) -> None:
    """Bob's workspace runs."""
    with app.app_context():
        bob = db.session.query(User).filter_by(username="bob").one()
        (row,) = workspaces.of_user(bob)
        starting.ensure_running(app.extensions["rootblood"], row, Actor("bob", "", PROOF))


@pytest.fixture
def share(app: Flask, bobs: str) -> Callable[[Audience], None]:
    """Return ``share(audience)``: share Bob's port."""

    def change(audience: Audience) -> None:
        with app.app_context():
            bob = db.session.query(User).filter_by(username="bob").one()
            (row,) = workspaces.of_user(bob)
            parts = app.extensions["rootblood"]
            shares.change(parts, row, 5173, audience, None, utcnow(), Actor("bob"))

    return change


@pytest.fixture
def ask(app: Flask, up: None) -> Ask:
    """Return ``ask(target, headers)``: what a browser without a pass is answered."""

    def request(
        target: str = "/", headers: dict | None = None, *, method: str = "GET",
        host: str = HOST, scheme: str = "http",
    ) -> Decision | Reply:  # fmt: skip
        given = Knock(
            LABEL, method, target, scheme, host, "192.0.2.7", headers or {},
            upgrades=(headers or {}).get(b"upgrade") == b"websocket",
        )  # fmt: skip
        return knock(opening.gate_of(app), given)

    return request


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return ``pass_time(seconds)``: let the clock of connections to apps go on."""
    passed = 0.0
    monotonic = time.monotonic

    class Clock:
        monotonic = staticmethod(lambda: monotonic() + passed)

    monkeypatch.setattr(upstreams, "time", Clock)

    def more(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    return more
