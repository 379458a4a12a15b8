from collections.abc import Callable
from datetime import timedelta

from models import ActiveSession, Audience, Kind, User, Workspace, db, utcnow, writing
from orchestrator import workspaces
from orchestrator.engines import Listener
from orchestrator.errors import EngineUnreachable
from orchestrator.platform import Platform
from orchestrator.previews import Label, ports, shares
from orchestrator.previews.ports import Guest, Port
from tests.engine import WatchedEngine
from tests.orchestrator.conftest import ACTOR
from tests.orchestrator.previews.conftest import LABEL, PORT, Browser

HEARD = Listener(PORT, "127.0.0.1", "memory")


def listed(platform: Platform, row: Workspace, *, known: bool = True) -> list[Port]:
    found = ports.listed(platform, row, utcnow())
    db.session.rollback()
    assert found.known == known
    return found.ports


def test_ports_listen_or_are_shared(
    platform: Platform, engine: WatchedEngine, running: Workspace
) -> None:
    engine.listen(PORT)
    engine.listen(7681)
    shares.change(platform, running, 80, Audience.PUBLIC, None, utcnow(), ACTOR)
    assert listed(platform, running) == [
        Port(Label(80, "main", "ann"), None, Audience.PUBLIC),
        Port(LABEL, HEARD),
    ]
    assert ports.one(platform, running, 9, utcnow()) == Port(Label(9, "main", "ann"), None)


def test_what_does_not_run_listens_to_nothing(
    platform: Platform, engine: WatchedEngine, running: Workspace
) -> None:
    engine.listen(PORT)
    workspaces.stop(platform, running, ACTOR)
    assert listed(platform, running) == []


def test_an_engine_that_does_not_answer_hides_no_shares(
    platform: Platform, engine: WatchedEngine, running: Workspace
) -> None:
    shares.change(platform, running, 80, Audience.USERS, None, utcnow(), ACTOR)
    engine.listen(80)
    assert [port.listens for port in listed(platform, running)] == [True]
    engine.failing["listeners"] = EngineUnreachable()
    (port,) = listed(platform, running, known=False)
    assert (port.label.port, port.listens) == (80, None), "unknown, which is not nothing"
    assert ports.one(platform, running, 9, utcnow()).listens is None


def test_who_looks_is_told_once(
    platform: Platform,
    engine: WatchedEngine,
    running: Workspace,
    bob: User,
    browser: Callable[[User], Browser],
) -> None:
    engine.listen(PORT)
    began = utcnow()
    with writing():
        for number, (user, address) in enumerate(
            [(bob, "192.0.2.1"), (bob, "192.0.2.2"), (None, "192.0.2.3"), (None, "192.0.2.3")]
        ):
            at = began + timedelta(seconds=number)
            db.session.add(
                ActiveSession(
                    user_id=user.id if user else None,
                    workspace_id=running.id,
                    port=PORT,
                    kind=Kind.PREVIEW,
                    address=address,
                    server="s",
                    opened_at=at,
                    last_seen_at=at,
                )
            )
        terminal = ActiveSession(
            user_id=bob.id, workspace_id=running.id, kind=Kind.TERMINAL, address="", server="s",
            opened_at=began, last_seen_at=began,
        )  # fmt: skip
        db.session.add(terminal)
    (port,) = listed(platform, running)
    assert port.guests == (
        Guest("bob", "", began),
        Guest(None, "192.0.2.3", began + timedelta(seconds=2)),
    )
