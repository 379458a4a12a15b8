"""What the gate keeps of those who looked: decisions for a moment, visits for their owners."""

from collections.abc import Callable

import pytest
from sqlalchemy import event

from models import Audience, Workspace, db
from orchestrator.platform import Platform
from orchestrator.previews import Label, Verdict
from orchestrator.previews import gate as gates
from orchestrator.previews.domain import AppsDomain
from orchestrator.previews.gate import Gate
from tests.app_fixtures import on_both_databases
from tests.orchestrator.previews.conftest import (
    ADDRESS,
    LABEL,
    PORT,
    Enter,
    Look,
    SharePort,
    SignIn,
    sessions,
)

pytestmark = on_both_databases


def queries(act: Callable[[], object]) -> int:
    """Return how many statements the database gets while ``act`` runs."""
    seen: list[str] = []

    def note(_c: object, _cur: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    act()
    event.remove(db.engine, "before_cursor_execute", note)
    return len(seen)


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
    gate: Gate, share: SharePort, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Label] = []
    monkeypatch.setattr(AppsDomain, "used", lambda _self, label, _now: seen.append(label))
    look()
    share(Audience.PUBLIC)
    look()
    assert seen == [LABEL]


class TestViewers:
    def test_a_visit_has_a_row_that_the_owner_sees(
        self, running: Workspace, browser: SignIn, entered: Enter, look: Look
    ) -> None:
        secret = entered(browser(running.user))
        look(secret), look(secret)
        (row,) = sessions()
        assert (row.user_id, row.workspace_id, row.port) == (running.user_id, running.id, PORT)
        assert (row.address, row.server) == (ADDRESS, "test:1")

    def test_a_stranger_is_an_address(self, share: SharePort, look: Look) -> None:
        share(Audience.PUBLIC)
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            look(address=address)
        rows = sessions()
        assert [(row.user_id, row.address) for row in rows] == [
            (None, "192.0.2.1"), (None, "192.0.2.2")
        ]  # fmt: skip

    def test_a_crowd_is_told_as_one(
        self, share: SharePort, look: Look, monkeypatch: pytest.MonkeyPatch
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
        share: SharePort,
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
