"""People, workspaces and connections made without the web, for use cases."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from models import Kind, User, Workspace, db, utcnow
from orchestrator import starting, workspaces
from orchestrator.connections import Connection
from orchestrator.platform import Platform
from orchestrator.splice import Splicer
from orchestrator.workspaces import Actor
from tests.app_fixtures import PROOF, account
from tests.orchestrator.splicing import Pair
from tests.wire import LoopThread

ACTOR = Actor("ann", "192.0.2.1", PROOF)


@pytest.fixture
def ann(context: None, platform: Platform) -> User:
    """The first account, and so an administrator."""
    return account(platform.settings, "ann")


@pytest.fixture
def bob(ann: User, platform: Platform) -> User:
    return account(platform.settings, "bob")


@pytest.fixture
def made(ann: User, platform: Platform) -> Workspace:
    """Ann's stopped workspace."""
    return workspaces.create(platform, ann, utcnow(), "main", actor=ACTOR)


@pytest.fixture
def running(made: Workspace, platform: Platform) -> Workspace:
    return starting.ensure_running(platform, made, ACTOR)


@pytest.fixture
def again(app: Flask) -> Callable[[Workspace], Workspace | None]:
    """Return ``again(row)``: the row as the database has it, for whoever looks."""

    def look(row: Workspace) -> Workspace | None:
        db.session.rollback()
        return db.session.get(Workspace, row.id, populate_existing=True)

    return look


class Carrier:
    """What carries a connection's bytes, as far as hanging up goes."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def connect() -> Callable[..., Connection]:
    """Return ``connect(platform, workspace)``: a terminal that is open."""

    def open_(platform: Platform, row: Workspace, **given: object) -> Connection:
        values = {"login_id": None, "token_id": None, "now": utcnow()} | given
        connection = platform.connections.open(
            user_id=row.user_id, workspace_id=row.id, kind=Kind.TERMINAL,
            address="192.0.2.1", **values,
        )  # fmt: skip
        connection.carrier = Carrier()
        return connection

    return open_


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture
def splicer(thread: LoopThread) -> Splicer:
    return Splicer(thread.loop)


@pytest.fixture
def pair(thread: LoopThread, splicer: Splicer) -> Iterator[Pair]:
    pair = Pair(thread, splicer)
    yield pair
    pair.close()
