"""The program that starts apps, run here: what it starts outlives it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.inside import apps, bundle, keeping, sockets
from tests.end_to_end.waiting import DEADLINE_SECONDS, until

SERVE = """
import http.server, pathlib, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if pathlib.Path("open").exists() else 503)
        self.end_headers()
subprocess.Popen(["sleep", "987654"], start_new_session=True)
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Workspace:
    """A home, and the place of the apps' books."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.place = folder / "place"
        self.home.mkdir()
        self.apps: list[dict[str, Any]] = []

    def ask(self, do: str, *wanted: dict[str, Any]) -> list[dict[str, Any]]:
        command = bundle.command(apps, sockets, keeping)
        argv = [word.replace(apps.PLACE, str(self.place)) for word in command]
        asked = subprocess.run(
            argv, input=json.dumps({"do": do, "apps": wanted}).encode() + b"\n",
            env={"HOME": str(self.home), "PATH": os.environ["PATH"]}, cwd="/",
            capture_output=True, timeout=DEADLINE_SECONDS, start_new_session=True, check=True,
        )  # fmt: skip
        assert (asked.stderr.decode()[-2000:], asked.returncode) == ("", 0)
        return [json.loads(line) for line in asked.stdout.splitlines()]

    def one(self, do: str, app: dict[str, Any]) -> dict[str, Any]:
        [found] = self.ask(do, app)
        return found

    def app(self, *command: str, id: str = "one", port: int | None = None) -> dict[str, Any]:
        made = {"id": id, "port": port or free_port(), "ready": "/", "command": list(command)}
        self.apps.append(made)
        return made

    def server(self) -> dict[str, Any]:
        port = free_port()
        return self.app(sys.executable, "-c", SERVE, str(port), port=port)

    def wait_for(self, app: dict[str, Any], state: str) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            found = self.one("look", app)
            return found if found["state"] == state else None

        found = until(there, f"the app is {state}")
        assert found is not None
        return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path)
    yield made
    if made.apps:
        made.ask("stop", *made.apps)


def test_an_app_runs_once_it_answers_and_goes_on_without_who_started_it(
    workspace: Workspace,
) -> None:
    app = workspace.server()
    assert workspace.one("look", app) == {"id": "one", "log": "", "state": "stopped"}
    began = workspace.one("start", app)
    assert (began["state"], began["began"]) == ("starting", True)
    until(lambda: "serving" in workspace.one("look", app)["log"], "it says so")
    assert workspace.one("look", app)["state"] == "starting", "503 is not yet an answer"
    (workspace.home / "open").touch()
    workspace.wait_for(app, "running")
    assert "began" not in workspace.one("start", app), "it runs already"


def test_what_an_app_started_ends_with_it(workspace: Workspace) -> None:
    app = workspace.server()
    (workspace.home / "open").touch()
    workspace.one("start", app)
    workspace.wait_for(app, "running")
    leader = keeping.read(str(workspace.place / "one"), "pid")
    assert leader is not None
    others = sockets.family(leader) - {leader}
    assert others
    assert workspace.one("stop", app)["state"] == "stopped"
    until(lambda: not any(Path(f"/proc/{pid}/cwd").exists() for pid in others), "all are gone")
    assert workspace.one("start", app)["began"] is True


@pytest.mark.slow
def test_one_that_heeds_nobody_is_ended_all_the_same(workspace: Workspace) -> None:
    app = workspace.app("/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done")
    workspace.one("start", app)
    until(lambda: "deaf" in workspace.one("look", app)["log"], "it listens to nobody")
    assert workspace.one("stop", app)["state"] == "stopped"


@pytest.mark.parametrize(
    ("command", "state", "code", "log"),
    [
        ("echo no luck >&2; exit 3", "failed", 3, "no luck"),
        ("kill -KILL $$", "failed", -signal.SIGKILL, ""),
        ("echo done", "stopped", None, "done"),
    ],
)
def test_how_it_ended_is_known_with_its_last_words(
    workspace: Workspace, command: str, state: str, code: int | None, log: str
) -> None:
    app = workspace.app("/bin/sh", "-c", command)
    workspace.one("start", app)
    found = workspace.wait_for(app, state)
    assert (found.get("code"), found["log"]) == (code, log)
    assert workspace.one("start", app)["began"] is True, "and it can be started again"


def test_a_program_that_is_not_there_is_missing_or_has_failed(workspace: Workspace) -> None:
    app = workspace.app("/opt/nothing/here")
    assert workspace.one("start", app)["state"] == "missing"
    named = workspace.app("no-such-program", id="two")
    workspace.one("start", named)
    found = workspace.wait_for(named, "failed")
    assert found["code"] == 127
    assert "not found" in found["log"]


def test_a_port_that_another_program_has_is_said(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        app = workspace.app("/bin/sleep", "100", port=other.getsockname()[1])
        found = workspace.one("start", app)
        assert found["state"] == "taken"
        assert found["holder"] == Path("/proc/self/comm").read_text().strip()
        assert "began" not in found
    workspace.one("start", app)
    assert workspace.one("look", app)["state"] == "starting"
    with socket.create_server(("127.0.0.1", app["port"])):
        assert workspace.one("look", app)["state"] == "taken"


def test_programs_of_peoples_own_path_are_found(workspace: Workspace) -> None:
    (workspace.home / "bin").mkdir()
    program = workspace.home / "bin" / "mine"
    program.write_text("#!/bin/sh\necho it is $0 in $PWD\nexec sleep 100\n")
    program.chmod(0o755)
    (workspace.home / ".profile").write_text("PATH=$HOME/bin:$PATH\n")
    app = workspace.app("mine")
    workspace.one("start", app)
    until(lambda: "it is" in workspace.one("look", app)["log"], "it runs")
    assert workspace.one("look", app)["log"] == f"it is {program} in {workspace.home}"


def test_a_log_has_a_bound_and_keeps_its_end(workspace: Workspace) -> None:
    app = workspace.app("/bin/sh", "-c", "seq 200000; exit 1")
    workspace.one("start", app)
    assert workspace.wait_for(app, "failed")["log"].splitlines()[-1] == "200000"
    assert (workspace.place / "one" / "log").stat().st_size <= keeping.LOG_BYTES


def test_many_who_start_it_at_once_start_it_once(workspace: Workspace) -> None:
    app = workspace.app("/bin/sleep", "100")
    found = workspace.ask("start", app, app, app)
    assert [one.get("began", False) for one in found] == [True, False, False]
