"""Thieves of the database, its log, the server's log, and of what was deleted."""

import base64
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import select

from models import KeySlot, Slot, User, db, utcnow, writing
from orchestrator import accounts, keys, tokens
from orchestrator.keys import Proof
from orchestrator.settings import Settings
from tests.app_fixtures import PASSWORD, close, make_platform
from tests.end_to_end.server import Server
from tests.visitor import Visitor
from web import create_app


def spellings(secret: bytes) -> list[bytes]:
    """Return the ways in which a secret could have been written down."""
    encoded = base64.b64encode(secret).rstrip(b"=")
    return [
        secret, secret.hex().encode(), secret.hex().upper().encode(), encoded,
        base64.urlsafe_b64encode(secret).rstrip(b"="), repr(secret)[2:-1].encode(),
    ]  # fmt: skip


def everything(*folders: Path) -> dict[str, bytes]:
    """Return the bytes of every file."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                found[str(path)] = path.read_bytes()
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The real server, which waits for an engine that never answers."""
    made = Server(
        tmp_path, f"rb-test-keys-{os.getpid()}", egress="off",
        engine_url=f"unix://{tmp_path}/no-engine.sock",
    ).start()  # fmt: skip
    yield made
    made.close()


def ask(server: Server, method: str, path: str, body: dict[str, object], token: str = "") -> dict:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request(method, path, json.dumps(body), headers)
        response = connection.getresponse()
        answer = response.read()
        assert response.status < 300, answer
        return json.loads(answer)


@pytest.mark.slow
def test_nothing_at_rest_tells_a_key_password_code_or_secret(server: Server) -> None:
    """The keys are taken out of the database as their owner could, then looked for everywhere."""
    who = {"username": "ann", "password": PASSWORD}
    code = ask(server, "POST", "/api/v1/users", who | {"recovery": True})["recovery_code"]
    token = ask(server, "POST", "/api/v1/tokens", who | {"name": "laptop"})["token"]
    ask(server, "GET", "/api/v1/me", {}, token)
    settings = Settings(data_dir=server.data_dir, reserve_bytes=0)
    app = create_app(make_platform(settings, "thief"))
    with app.app_context():
        ann = db.session.scalars(select(User)).one()
        key = keys.key_of(ann, Proof(Slot.PASSWORD, None, PASSWORD))
        assert key is not None
    close(app)
    secrets = {"key": key, "password": PASSWORD.encode(), "token": token.encode()}
    secrets |= {"code": code.encode(), "bare code": code.replace("-", "").encode()}
    found = everything(server.data_dir, server.root)
    assert any(path.endswith("rootblood.db-wal") for path in found)
    assert any(b"account.registered" in content for content in found.values())
    told = [
        (name, path)
        for name, secret in secrets.items()
        for path, content in found.items()
        if any(spelling in content for spelling in spellings(secret))
    ]
    assert told == []


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Flask]:
    """A server with a database file of its own."""
    app = create_app(make_platform(Settings(data_dir=tmp_path, reserve_bytes=0), "apart"))
    with app.app_context():
        flask_migrate.upgrade()
        yield app
    close(app)


def copies() -> list[bytes]:
    found = list(db.session.scalars(select(KeySlot.wrapped)))
    db.session.rollback()
    return found


def holding(folder: Path, wanted: list[bytes]) -> list[str]:
    # The end of a copy is what was sealed; SQLite may keep the beginning of a freed page's cell.
    return [
        path
        for path, content in everything(folder).items()
        if any(copy[-48:] in content for copy in wanted)
    ]


def test_copies_of_a_removed_account_are_in_no_byte_of_the_database(
    apart: Flask, tmp_path: Path
) -> None:
    settings = apart.extensions["rootblood"].settings
    ann = accounts.register(
        settings, utcnow(), "ann", PASSWORD, invite="", address="", recovery=True
    )
    accounts.sign_in(ann.user, utcnow(), address="", agent="", key=ann.key)
    tokens.create(ann.user, utcnow(), "ci", 1, address="", key=ann.key)
    gone = copies()
    assert len(gone) == 4
    assert holding(tmp_path, gone)
    with writing():
        keys.destroy(ann.user.id)
    assert keys.scrub()
    assert holding(tmp_path, gone) == []


def test_scrubbing_waits_for_nobody(apart: Flask, tmp_path: Path) -> None:
    """Whoever reads holds it up; the server does not stand still meanwhile, and tries again."""
    settings = apart.extensions["rootblood"].settings
    ann = accounts.register(settings, utcnow(), "ann", PASSWORD, invite="", address="")
    with closing(sqlite3.connect(tmp_path / "rootblood.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM users").fetchall()
        with writing():
            keys.destroy(ann.user.id)
        began = time.monotonic()
        assert not keys.scrub()
        assert time.monotonic() - began < 5, "SQLite's own patience is ten seconds"
    assert keys.scrub()


def test_a_copy_of_the_database_and_a_cookie_of_another_open_nothing(
    app: Flask, ann: Visitor, bob: Visitor
) -> None:
    """Each sign-in opens its own owner's home: no row number chooses another."""
    with app.app_context():
        slots = db.session.scalars(select(KeySlot).where(KeySlot.kind == Slot.LOGIN)).all()
        users = {user.id: user for user in db.session.scalars(select(User))}
        assert len(slots) == 2
        for slot in slots:
            for user in users.values():
                for secret in ("", PASSWORD, "x" * 43):
                    assert keys.key_of(user, Proof(Slot.LOGIN, slot.login_id, secret)) is None
