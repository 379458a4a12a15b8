from contextlib import nullcontext
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from models import ActiveSession, Audience, Berth, Kind, Share, User, Workspace, db, utcnow
from orchestrator import workspaces
from orchestrator.errors import Conflict, NotFound
from orchestrator.platform import Platform
from orchestrator.previews import Label
from orchestrator.previews.berths import AppsPorts, choose
from orchestrator.previews.domain import AppsDomain
from orchestrator.settings import Settings
from tests.orchestrator.conftest import ACTOR

HOST = "apps.example.org"
PORTS = range(9000, 9003)
LONG_AGO = timedelta(hours=1)


@pytest.fixture
def ports(app: Flask) -> AppsPorts:
    return AppsPorts(HOST, PORTS, app.app_context)


def ask(ports: AppsPorts, port: int, workspace: str = "main", user: str = "ann") -> str:
    return ports.origin(Label(port, workspace, user), "https", "panel.example.org")


def let_pass(ago: timedelta = LONG_AGO, **where: int) -> None:
    """Let it be long ago that the addresses were asked for."""
    db.session.execute(update(Berth).filter_by(**where).values(used_at=utcnow() - ago))
    db.session.commit()


def test_every_port_of_the_host_is_covered_and_no_other_host(ports: AppsPorts) -> None:
    for host in (f"{HOST}:9000", f"{HOST}:1", HOST, "APPS.example.org.:9002"):
        assert ports.covers(host), host
    for host in ("example.org", f"x.{HOST}:9000", "panel.example.org:9000", f"{HOST}.evil.test"):
        assert not ports.covers(host), host


def test_a_preview_keeps_the_port_it_is_given(
    made: Workspace, ports: AppsPorts, app: Flask
) -> None:
    assert ask(ports, 5173) == f"https://{HOST}:9000"
    assert ask(ports, 8888) == f"https://{HOST}:9001"
    assert ask(ports, 5173) == f"https://{HOST}:9000"
    assert ports.label(f"{HOST}:9001") == Label(8888, "main", "ann")
    after_restart = AppsPorts(HOST, PORTS, app.app_context)
    assert after_restart.label(f"{HOST}:9000") == Label(5173, "main", "ann")
    assert ask(after_restart, 8888) == f"https://{HOST}:9001"


def test_a_port_that_another_server_gave_away_at_once_is_not_given_twice(
    made: Workspace, ports: AppsPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, others = ports._take, [9000]

    def meet(port: int, workspace_id: int, app_port: int) -> Berth:
        if others:
            raise IntegrityError("INSERT", {}, ValueError(others.pop()))
        return take(port, workspace_id, app_port)

    monkeypatch.setattr(ports, "_take", meet)
    assert ask(ports, 5173) == f"https://{HOST}:9000"


@pytest.mark.parametrize("host", [f"{HOST}:9002", HOST, f"{HOST}:x", "localhost:9000", f"{HOST}:"])
def test_a_port_that_nobody_has_is_nobodys(made: Workspace, ports: AppsPorts, host: str) -> None:
    ask(ports, 5173)
    assert ports.label(host) is None


def test_what_another_server_gave_is_known_at_once(
    made: Workspace, ports: AppsPorts, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.previews.berths.MISSED_SECONDS", -1.0)
    assert ports.label(f"{HOST}:9000") is None
    ask(AppsPorts(HOST, PORTS, app.app_context), 5173)
    assert ports.label(f"{HOST}:9000") == Label(5173, "main", "ann")


def test_what_is_known_is_not_asked_for_again(made: Workspace, ports: AppsPorts) -> None:
    ask(ports, 5173)
    ports.label(f"{HOST}:9000")

    def never() -> nullcontext[None]:
        raise AssertionError("the database was asked")

    ports._context = never
    assert ports.label(f"{HOST}:9000") == Label(5173, "main", "ann")


def test_the_ports_of_a_deleted_workspace_are_given_on_last(
    made: Workspace, ports: AppsPorts, platform: Platform, ann: User
) -> None:
    """What it left in browsers should meet another app as late as can be."""
    ask(ports, 5173)
    db.session.delete(db.session.get(Workspace, made.id))
    db.session.commit()
    workspaces.create(platform, ann, utcnow(), "other", actor=ACTOR)
    for app_port, port in ((1001, 9001), (1002, 9002), (1003, 9000)):
        assert ask(ports, app_port, "other") == f"https://{HOST}:{port}"
    with pytest.raises(NotFound):
        ask(ports, 5173)


def test_what_another_server_gave_up_is_given_on_last(
    made: Workspace, ports: AppsPorts, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.previews.berths.MISSED_SECONDS", -1.0)
    ask(AppsPorts(HOST, PORTS, app.app_context), 5173)
    assert ports.label(f"{HOST}:9000")
    db.session.execute(delete(Berth))
    db.session.commit()
    assert ports.label(f"{HOST}:9001") is None
    assert ask(ports, 1001) == f"https://{HOST}:9001"


def test_a_port_in_use_is_never_given_to_another(made: Workspace, ports: AppsPorts) -> None:
    for port in (1001, 1002, 1003):
        ask(ports, port)
    with pytest.raises(Conflict, match="in use"):
        ask(ports, 1004)
    let_pass(app_port=1002)
    assert ask(ports, 1004) == f"https://{HOST}:9001"
    assert ports.label(f"{HOST}:9001") == Label(1004, "main", "ann")


def test_what_is_shared_is_given_up_last(made: Workspace, ports: AppsPorts) -> None:
    for port in (1001, 1002, 1003):
        ask(ports, port)
    now = utcnow()
    db.session.add(Share(workspace_id=made.id, port=1001, audience=Audience.PUBLIC, created_at=now))
    let_pass()
    let_pass(2 * LONG_AGO, port=9000)
    assert ask(ports, 1004) == f"https://{HOST}:9001"


def look_at(workspace: Workspace, port: int) -> None:
    """Let somebody look at a preview."""
    now = utcnow()
    row = ActiveSession(
        workspace_id=workspace.id, kind=Kind.PREVIEW, port=port, address="", server="test:1",
        opened_at=now, last_seen_at=now,
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()


def test_what_somebody_looks_at_is_not_given_up(made: Workspace, ports: AppsPorts) -> None:
    for port in (1001, 1002, 1003):
        ask(ports, port)
    let_pass()
    look_at(made, 1001)
    look_at(made, 1003)
    assert ask(ports, 1004) == f"https://{HOST}:9001"
    let_pass()
    look_at(made, 1004)
    with pytest.raises(Conflict, match="in use"):
        ask(ports, 1005)


def test_what_is_used_is_kept_though_nobody_asks_for_its_address(
    made: Workspace, ports: AppsPorts
) -> None:
    for port in (1001, 1002, 1003):
        ask(ports, port)
    let_pass()
    ports.used(Label(1001, "main", "ann"), utcnow())
    ports.used(Label(1004, "main", "ann"), utcnow())
    assert ask(ports, 1004) == f"https://{HOST}:9001"
    assert ask(ports, 1005) == f"https://{HOST}:9002"


def test_one_person_does_not_take_all_ports(
    made: Workspace, app: Flask, platform: Platform, bob: User
) -> None:
    ports = AppsPorts(HOST, range(9000, 9020), app.app_context)
    workspaces.create(platform, bob, utcnow(), "his", actor=ACTOR)
    assert ask(ports, 1, "his", "bob") == f"https://{HOST}:9000"
    let_pass()
    for port in range(1001, 1006):
        ask(ports, port)
    with pytest.raises(Conflict, match="You"):
        ask(ports, 2000)
    let_pass(app_port=1003)
    assert ask(ports, 2000) == f"https://{HOST}:9003", "their own is given up, not another's"
    assert ask(ports, 2, "his", "bob") == f"https://{HOST}:9006"


def test_a_changed_range_gives_another_port(made: Workspace, ports: AppsPorts, app: Flask) -> None:
    ask(ports, 5173)
    moved = AppsPorts(HOST, range(9500, 9501), app.app_context)
    assert ask(moved, 5173) == f"https://{HOST}:9500"
    assert moved.label(f"{HOST}:9000") is None


def test_the_settings_choose(context: None, app: Flask) -> None:
    assert choose(Settings(), app.app_context) == AppsDomain("localhost")
    by_port = choose(Settings(apps_host=HOST, apps_ports="9000-9002"), app.app_context)
    assert isinstance(by_port, AppsPorts)
    assert by_port.covers(f"{HOST}:9000")
