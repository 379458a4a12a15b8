"""The server without containers: the in-memory engine, a database per test, people with browsers.

``database`` is SQLite unless a module says ``pytestmark = on_both_databases``.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import flask_migrate
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.security import generate_password_hash

from models import ActiveSession, Slot, User, db, utcnow
from orchestrator import accounts, catalogue, escrow, passwords, tokens
from orchestrator.claims import Claims
from orchestrator.commons.git import Git
from orchestrator.commons.store import Store
from orchestrator.connections import Connections
from orchestrator.keyring import MemoryKeyring
from orchestrator.keys import Proof
from orchestrator.leases import Leases
from orchestrator.platform import Platform
from orchestrator.settings import Settings
from orchestrator.storage import keys
from orchestrator.storage.memory import MemoryStorage
from tests import postgres
from tests.engine import WatchedEngine
from tests.visitor import Visitor
from web import create_app, opening
from web.limits import limiter

T = TypeVar("T")
PASSWORD = "correct horse battery"
PROOF = Proof(Slot.PASSWORD, None, PASSWORD)
"""What opens every home of the tests."""
REAL_METHOD = passwords.METHOD
REAL_COST = keys.COST

on_both_databases = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Hash with the same algorithm and next to no work: a test waits for each account."""
    cheap = "scrypt:256:1:1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "METHOD", cheap)
        patch.setattr(keys, "COST", keys.Cost(8, 1, 1))
        patch.setattr(passwords, "_NOBODY", generate_password_hash("nobody", cheap))
        yield


@dataclass(frozen=True)
class Database:
    """A migrated database with a server on it that tests share: making one takes long."""

    kind: str
    settings: Settings
    app: Flask


def make_platform(settings: Settings, server: str, lease: float = 60.0) -> Platform:
    """Put a server together without touching anything outside the data directory."""
    return Platform(
        settings=settings,
        engine=WatchedEngine(),
        storage=MemoryStorage(),
        store=Store.at(settings.data_dir / "commons", Git()),
        splicer=None,
        claims=Claims(server, lease),
        connections=Connections(server),
        keyring=MemoryKeyring(),
        leases=Leases(settings.data_dir / "homes" / "leases"),
    )


@contextmanager
def _migrated(kind: str, data_dir: Path, url: str = "") -> Iterator[Database]:
    # The disk's fill level is not these tests' business.
    settings = Settings(data_dir=data_dir, database_url=url, reserve_bytes=0, start_seconds=5.0)
    app = create_app(make_platform(settings, "template"))
    with app.app_context():
        flask_migrate.upgrade()
    yield Database(kind, settings, app)
    close(app)


def close(app: Flask) -> None:
    """Close the server's connections to its database."""
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with _migrated("sqlite", tmp_path_factory.mktemp("sqlite")) as database:
        yield database


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server, up to the database's name."""
    from tests.conftest import missing

    try:
        with postgres.server() as url:
            yield url
    except postgres.PostgresMissing as error:
        missing(str(error))


@pytest.fixture(scope="session")
def _postgres(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    url = postgres.create_database(postgres_server, "rows")
    with _migrated("postgres", tmp_path_factory.mktemp("postgres"), url) as database:
        yield database


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Database:
    """A database with the present schema and the built-in template, otherwise empty."""
    kind = getattr(request, "param", "sqlite")
    found: Database = request.getfixturevalue(f"_{kind}")
    limiter.reset()
    (found.settings.data_dir / escrow.FILE_NAME).unlink(missing_ok=True)
    shutil.rmtree(found.settings.data_dir / "commons", ignore_errors=True)
    with found.app.app_context():
        if kind == "postgres":  # fail rather than wait for a transaction that a test left open
            db.session.execute(text("SET LOCAL lock_timeout = '5s'"))
        for table in reversed(db.metadata.sorted_tables):
            db.session.execute(table.delete())
        db.session.commit()
        catalogue.ensure_built_in(utcnow())
    return found


@pytest.fixture
def settings(database: Database) -> Settings:
    return database.settings


@pytest.fixture
def app(database: Database) -> Iterator[Flask]:
    """The server, with an engine and a storage that this test has for itself."""
    platform = database.app.extensions["rootblood"] = make_platform(database.settings, "test:1")
    platform.jobs.context = database.app.app_context
    opening.install(database.app)
    yield database.app
    _check(platform)


@pytest.fixture
def make_app(settings: Settings) -> Iterator[Callable[..., Flask]]:
    """Return a maker of further servers on the test's database: ``make_app(registration=...)``.

    ``server`` names the process; ``engine`` and ``storage`` can be those of another one.
    """
    made: list[Flask] = []

    def make(server: str = "test:2", lease: float = 60.0, **changes: Any) -> Flask:
        parts = {k: changes.pop(k) for k in ("engine", "storage") if k in changes}
        platform = make_platform(replace(settings, **changes), server, lease)
        made.append(create_app(replace(platform, **parts)))
        return made[-1]

    yield make
    for app in made:
        close(app)
        _check(app.extensions["rootblood"])


def _check(platform: Platform) -> None:
    broken = sorted(set(platform.engine.violations))
    assert not broken, f"the engine was called with a transaction open: {broken}"


@pytest.fixture
def platform(app: Flask) -> Platform:
    found: Platform = app.extensions["rootblood"]
    return found


@pytest.fixture
def engine(platform: Platform) -> WatchedEngine:
    assert isinstance(platform.engine, WatchedEngine)
    return platform.engine


@pytest.fixture
def context(app: Flask) -> Iterator[None]:
    """A database session for the whole test; not for tests that use a client."""
    with app.app_context():
        yield


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def sign_up(app: Flask) -> Callable[..., Visitor]:
    """Return ``sign_up(name)``: a browser that is signed in. The first is the administrator."""

    def sign(name: str) -> Visitor:
        visitor = Visitor(app, name, PASSWORD)
        visitor.register()
        return visitor

    return sign


@pytest.fixture
def bearer(app: Flask) -> Callable[[str], dict[str, str]]:
    """Return ``bearer(name)``: the headers of an API token of that account, made if absent."""

    def headers(name: str) -> dict[str, str]:
        with app.app_context():
            user = db.session.query(User).filter_by(username=name).one_or_none() or account(
                app.extensions["rootblood"].settings, name
            )
            _, secret = tokens.create(user, utcnow(), "test", 1, address="")
        return {"Authorization": f"Bearer {secret}"}

    return headers


def account(settings: Settings, name: str, **changes: Any) -> User:
    """Register an account without a browser."""
    given = {"password": PASSWORD, "invite": "", "address": "192.0.2.1"} | changes
    return accounts.register(settings, utcnow(), name, **given).user


def together(app: Flask, count: int, act: Callable[[int], T]) -> list[T | Exception]:
    """Call ``act(0)`` to ``act(count - 1)`` at once, each with a session of its own."""
    barrier = threading.Barrier(count)

    def one(number: int) -> T | Exception:
        with app.app_context():
            barrier.wait()
            try:
                return act(number)
            except Exception as error:
                return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def open_sessions() -> list[int]:
    """Return the ids of the connections that the database knows."""
    db.session.rollback()
    return sorted(db.session.scalars(select(ActiveSession.id)))
