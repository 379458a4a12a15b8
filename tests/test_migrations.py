"""The migrations make exactly the schema that the models describe, on both databases."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import inspect, select, text

import init_db
from models import Template, db
from orchestrator.settings import Settings
from tests import postgres
from tests.app_fixtures import close, make_platform, together
from web import MIGRATIONS, create_app

both = pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)


@pytest.fixture
def empty(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """A server whose database nobody has migrated yet."""
    url = ""
    if kind == "postgres":
        server = request.getfixturevalue("postgres_server")
        url = postgres.create_database(server, f"migrations-{abs(hash(request.node.nodeid))}")
    settings = Settings(data_dir=tmp_path, database_url=url)
    app = create_app(make_platform(settings, "test:1"))
    yield app
    close(app)


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names())


@both
def test_the_migrated_schema_is_the_models(empty: Flask) -> None:
    with empty.app_context():
        flask_migrate.upgrade()
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, db.metadata) == []
        assert tables() == {*db.metadata.tables, "alembic_version"}


@both
def test_every_step_can_be_taken_back_and_again(empty: Flask) -> None:
    steps = [s.revision for s in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    assert steps
    with empty.app_context():
        for step in reversed(steps):
            flask_migrate.upgrade(revision=step)
        flask_migrate.downgrade(revision="base")
        assert tables() == {"alembic_version"}
        flask_migrate.upgrade()
        assert set(db.metadata.tables) < tables()


def test_there_is_one_line_of_migrations() -> None:
    assert len(ScriptDirectory(str(MIGRATIONS)).get_heads()) == 1


@both
def test_migrating_fills_the_catalogue_and_can_be_done_again(empty: Flask) -> None:
    for _ in range(2):
        init_db.migrate(empty)
        with empty.app_context():
            assert [t.name for t in db.session.scalars(select(Template))] == ["chaospine"]


@both
def test_servers_that_start_at_once_wait_for_each_other(empty: Flask) -> None:
    results = together(empty, 4, lambda _: init_db.migrate(empty))
    assert results == [None] * 4
    with empty.app_context():
        assert len(db.session.scalars(select(Template)).all()) == 1


@pytest.mark.parametrize("kind", ["sqlite"])
def test_sqlite_runs_in_wal_mode_with_foreign_keys(empty: Flask) -> None:
    init_db.migrate(empty)
    with empty.app_context(), db.engine.connect() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert settings == {
        "journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000, "synchronous": 1
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["sqlite"])
def test_sqlite_never_gives_an_id_twice(empty: Flask, tmp_path: Path) -> None:
    init_db.migrate(empty)
    connection = sqlite3.connect(tmp_path / "rootblood.db")
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'users'").fetchone()
    connection.close()
    assert "AUTOINCREMENT" in sql


def test_init_db_alone_makes_the_database_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROOTBLOOD_DATA_DIR", str(tmp_path / "fresh"))
    assert init_db.main() == 0
    assert "is ready" in capsys.readouterr().out
    assert (tmp_path / "fresh" / "rootblood.db").exists()
    assert (tmp_path / "fresh" / "secret.key").stat().st_mode & 0o077 == 0


def test_init_db_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROOTBLOOD_IDLE_SECOND", "1")
    assert init_db.main() == 1
    assert "Did you mean ROOTBLOOD_IDLE_SECONDS?" in capsys.readouterr().err
