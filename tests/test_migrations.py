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
from sqlalchemy.exc import IntegrityError

import init_db
from models import Home, Template, User, db, utcnow
from orchestrator.commons import space
from orchestrator.platform import git_root
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


def _insert(table: str, **values: object) -> None:
    columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    db.session.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), values)


def _fill_first_schema() -> None:
    """Have two people with all that people had before homes; a third has been deleted."""
    at = utcnow()
    sized = {"cpus": 1.5, "memory_bytes": 1 << 33, "pids": 9}
    said = {"title": "", "description": "", "image": "x:1", "ports": "[]"}
    _insert("templates", id=1, name="box", read_only_root=True, enabled=True, created_at=at,
            **said, **sized)  # fmt: skip
    for id, name in ((1, "ann"), (2, "bob"), (3, "carl")):
        _insert("users", id=id, username=name, password_hash="h", userhash=f"{id:016x}",
                uid=20000 + id, role="user", standing="active", max_cpus=0.5,
                created_at=at)  # fmt: skip
        _insert("logins", id=id, user_id=id, secret_hash=f"l{id}", address="", agent="",
                created_at=at, last_seen_at=at)  # fmt: skip
        _insert("tokens", id=id, user_id=id, name="ci", prefix="rb_", secret_hash=f"t{id}",
                created_at=at, expires_at=at)  # fmt: skip
        _insert("workspaces", id=id, user_id=id, template_id=1, name="main", state="running",
                reason="", log="", created_at=at, **sized)  # fmt: skip
        _insert("active_sessions", id=id, user_id=id, workspace_id=id, login_id=id,
                kind="terminal", address="", server="s", opened_at=at, last_seen_at=at)  # fmt: skip
        _insert("events", id=id, at=at, actor=name, action="a", target="", address="",
                detail='{"k": 1}')  # fmt: skip
        _insert("invites", id=id, secret_hash=f"i{id}", created_by=name, created_at=at,
                expires_at=at)  # fmt: skip
    db.session.execute(text("DELETE FROM users WHERE id = 3"))
    db.session.commit()


def _kept() -> dict[str, list[dict[str, object]]]:
    """Return every row of the first schema's tables, without what later steps added to it."""
    added = {"max_disk_bytes", "max_hours", "unseen", "languages", "apps", "pass_id", "port"}
    names = ("templates", "users", "logins", "tokens", "workspaces", "active_sessions", "events",
             "invites")  # fmt: skip
    if db.engine.dialect.name == "sqlite":
        names += ("sqlite_sequence",)
    found = {}
    for name in names:
        rows = db.session.execute(text(f"SELECT * FROM {name} ORDER BY 1")).mappings()
        found[name] = [{k: v for k, v in row.items() if k not in added} for row in rows]
    db.session.rollback()
    # Of the tables that came and went SQLite has a number left, which harms nobody.
    sequences = found.get("sqlite_sequence", [])
    sequences[:] = [row for row in sequences if row["name"] in found]
    return found


@both
def test_what_people_have_outlives_every_step_there_and_back(empty: Flask) -> None:
    with empty.app_context():
        flask_migrate.upgrade(revision="0001")
        _fill_first_schema()
        before = _kept()
        assert [len(rows) for rows in before.values()] == [1, 2, 2, 2, 2, 2, 3, 3, 2][: len(before)]
        for step in (flask_migrate.upgrade, flask_migrate.downgrade, flask_migrate.upgrade):
            db.engine.dispose()
            step(revision="0001" if step is flask_migrate.downgrade else "head")
            assert _kept() == before, step
        assert {user.max_disk_bytes for user in db.session.scalars(select(User))} == {None}
        _insert("users", username="dora", password_hash="h", userhash="d", uid=30000, role="user",
                standing="active", created_at=utcnow(),
                **({"id": 4} if db.engine.dialect.name != "sqlite" else {}))  # fmt: skip
        newest = db.session.scalar(select(User.id).order_by(User.id.desc()).limit(1))
        assert newest == 4, "Carl's number is not given again"
        db.session.rollback()


@both
def test_homes_keep_what_they_have_and_count_what_is_published(empty: Flask) -> None:
    with empty.app_context():
        flask_migrate.upgrade(revision="0001")
        _fill_first_schema()
        flask_migrate.upgrade(revision="0002")
        _insert("homes", user_id=1, storage="vault", place="p", capped=True, allowance_bytes=100,
                files_bytes=50, snapshots_bytes=30, images_bytes=1,
                snapshots_stale=False)  # fmt: skip
        db.session.commit()
        for step in (flask_migrate.upgrade, flask_migrate.downgrade, flask_migrate.upgrade):
            db.engine.dispose()
            step(revision="0002" if step is flask_migrate.downgrade else "head")
        home = db.session.scalars(select(Home)).one()
        assert (home.files_bytes, home.published_bytes, home.reserved_bytes) == (50, 0, 31)
        home.published_bytes = 19
        db.session.commit()
        for too_much in (20, -1):
            home.published_bytes = too_much
            with pytest.raises(IntegrityError):
                db.session.commit()
            db.session.rollback()


@both
def test_who_looks_at_previews_is_forgotten_on_the_way_back(empty: Flask) -> None:
    with empty.app_context():
        flask_migrate.upgrade(revision="0001")
        _fill_first_schema()
        flask_migrate.upgrade(revision="0005")
        at = utcnow()
        session = {"workspace_id": 1, "address": "", "server": "s", "opened_at": at,
                   "last_seen_at": at}  # fmt: skip
        _insert("active_sessions", id=7, kind="preview", port=80, **session)
        _insert("active_sessions", id=8, kind="ports", user_id=1, **session)
        db.session.commit()
        for step in (flask_migrate.downgrade, flask_migrate.upgrade):
            db.engine.dispose()
            step(revision="0004" if step is flask_migrate.downgrade else "0005")
            found = db.session.execute(text("SELECT id FROM active_sessions ORDER BY id"))
            assert list(found.scalars()) == [1, 2]
            db.session.rollback()


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
    monkeypatch.setenv("ROOTBLOOD_INSTANCE", "rb-test-init")
    try:
        assert init_db.main() == 0
    finally:
        space.sweep(git_root("rb-test-init"))
    assert "is ready" in capsys.readouterr().out
    assert (tmp_path / "fresh" / "rootblood.db").exists()
    assert (tmp_path / "fresh" / "secret.key").stat().st_mode & 0o077 == 0


def test_init_db_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROOTBLOOD_IDLE_SECOND", "1")
    assert init_db.main() == 1
    assert "Did you mean ROOTBLOOD_IDLE_SECONDS?" in capsys.readouterr().err
