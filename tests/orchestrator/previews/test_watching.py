from collections.abc import Iterator

import pytest
from flask import Flask

from models import Audience, Workspace, db, utcnow
from orchestrator import workspaces
from orchestrator.errors import BadInput, EngineUnreachable
from orchestrator.platform import Platform
from orchestrator.previews import shares, watching
from orchestrator.previews.ports import Listing
from orchestrator.previews.watching import PortWatch
from tests.engine import WatchedEngine
from tests.orchestrator.conftest import ACTOR
from tests.orchestrator.previews.conftest import PORT


def written(listing: Listing) -> str:
    signs = {True: "+", False: "-", None: "?"}
    said = [f"{row.label.port}{signs[row.listens]}{row.audience}" for row in listing.ports]
    return " ".join(said if listing.known else ["?", *said])


@pytest.fixture
def watch(
    app: Flask, platform: Platform, running: Workspace, monkeypatch: pytest.MonkeyPatch
) -> PortWatch:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.005)
    db.session.rollback()
    return PortWatch(platform, running, app.app_context, lambda listing: f"[{written(listing)}]")


@pytest.fixture
def said(watch: PortWatch) -> Iterator[str]:
    return watch.told()


def test_ports_are_told_as_they_open_and_close(engine: WatchedEngine, said: Iterator[str]) -> None:
    assert next(said) == "[]"
    engine.listen(PORT)
    assert next(said) == "[5173+private]"
    engine.listen(80)
    assert next(said) == "[80+private 5173+private]"
    engine.listen(PORT, None)
    assert next(said) == "[80+private]"


def test_shares_are_told_at_once(
    platform: Platform, running: Workspace, said: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 3600)
    assert next(said) == "[]"
    shares.change(platform, running, PORT, Audience.PUBLIC, None, utcnow(), ACTOR)
    assert next(said) == "[5173-public]"


def test_an_engine_that_does_not_answer_is_told_as_that(
    platform: Platform, engine: WatchedEngine, running: Workspace, said: Iterator[str]
) -> None:
    engine.listen(PORT)
    shares.change(platform, running, 80, Audience.PUBLIC, None, utcnow(), ACTOR)
    assert next(said) == "[80-public 5173+private]"
    engine.failing["listeners"] = EngineUnreachable()
    assert next(said) == "[? 80?public]"
    del engine.failing["listeners"]
    assert next(said) == "[80-public 5173+private]"


def test_the_database_is_asked_only_when_something_happened(
    engine: WatchedEngine, said: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    company = watching.ports.company
    monkeypatch.setattr(
        watching.ports, "company", lambda *given: asked.append(1) or company(*given)
    )
    next(said)
    for port in range(1, 20):
        engine.listen(port)
        next(said)
    assert len(asked) == 1


def test_it_ends_with_its_page_and_its_workspace(
    platform: Platform, running: Workspace, watch: PortWatch, said: Iterator[str]
) -> None:
    next(said)
    watch.close()
    assert list(said) == []
    again = PortWatch(platform, running, watch._context, written).told()
    next(again, None)
    workspaces.remove(platform, running, ACTOR)
    assert list(again) == []


def test_there_is_nothing_to_say_to_it(watch: PortWatch) -> None:
    with pytest.raises(BadInput):
        watch.tell("{}")
