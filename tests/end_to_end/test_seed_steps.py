"""The steps by hand, as the README has them: ``python init_db.py``, then ``python app.py``."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.end_to_end.person import Person
from tests.end_to_end.server import PROJECT, Server

pytestmark = pytest.mark.engine


def test_database_by_hand_then_server(
    make_server: Callable[..., Server], people: Callable[..., Person]
) -> None:
    server = make_server()
    for _ in range(2):  # doing it again does no harm
        done = subprocess.run(
            [sys.executable, "init_db.py"], cwd=PROJECT, env=server.environment(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "python app.py" in done.stdout
    assert (server.data_dir / "rootblood.db").exists()

    server.start()
    first = people(server)
    assert first.ok("GET", "/api/v1/me")["role"] == "admin"
    first.open()
    assert first.terminal().value("$(whoami)") == first.username
    assert people(server).ok("GET", "/api/v1/me")["role"] == "user"


def test_server_alone_makes_what_is_missing(make_server: Callable[..., Server]) -> None:
    server = make_server().start()
    assert server.get("/readyz") == (200, {"status": "ok"})
    assert server.data_dir.stat().st_mode & 0o77 == 0
    assert (server.data_dir / "secret.key").stat().st_mode & 0o77 == 0
    said = server.log.read_text()
    assert "the first account becomes the administrator" in said


def test_wrong_setting_and_taken_port_are_said_in_words(
    make_server: Callable[..., Server], server: Server
) -> None:
    for settings, said in (
        ({"idle_secnds": 3}, "ROOTBLOOD_IDLE_SECONDS"),
        ({"listen": server.host}, "Cannot listen"),
    ):
        wrong = make_server(**settings)
        done = subprocess.run(
            [sys.executable, "app.py"], cwd=PROJECT, env=wrong.environment(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
