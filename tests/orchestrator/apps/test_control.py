import json
import shutil
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from models import Event, State, Workspace, db, utcnow, writing
from orchestrator import apps
from orchestrator.apps import CODE_SERVER, App, control
from orchestrator.apps.control import Doing
from orchestrator.engines import Result
from orchestrator.errors import Conflict, EngineError
from orchestrator.platform import Platform
from orchestrator.workspaces import Actor
from tests.engine import WatchedEngine

DOCS = App("docs", "Docs", "book-open", 8000, "/", ("/usr/bin/docs",))
ANN = Actor("ann", "192.0.2.1")


class Program:
    """What the workspace is asked, and what it says."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.result = Result(0, b"", b"")

    def says(self, **told: object) -> None:
        line = json.dumps({"id": "docs", "log": "", **told}).encode()
        self.result = Result(0, line + b"\n", b"")


@pytest.fixture
def program(engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch) -> Program:
    made = Program()

    def run(
        self: WatchedEngine, name: str, argv: Sequence[str], *, stdin: bytes, timeout: float
    ) -> Result:
        made.asked.append(json.loads(stdin))
        return made.result

    monkeypatch.setattr(WatchedEngine, "exec", run)
    return made


@pytest.fixture
def workspace(platform: Platform, running: Workspace) -> Workspace:
    with writing():
        db.session.refresh(running)
        running.template.apps = apps.stored((DOCS, CODE_SERVER))
    return running


def events() -> list[tuple[str, str]]:
    rows = db.session.scalars(select(Event).where(Event.action.startswith("app.")))
    return [(row.action, row.target) for row in rows]


@pytest.mark.parametrize(
    ("told", "doing", "reason", "log"),
    [
        ({"state": "stopped"}, Doing.STOPPED, "", ""),
        ({"state": "running", "log": "old"}, Doing.RUNNING, "", ""),
        ({"state": "starting", "log": "\x1b[31mred\x1b[0m\x07\nline"}, Doing.STARTING, "",
         "red\nline"),
        ({"state": "failed", "code": 3, "log": "no"}, Doing.FAILED, "It ended with exit code 3.",
         "no"),
        ({"state": "failed", "code": -9}, Doing.FAILED,
         "It was killed. Perhaps the workspace ran out of memory.", ""),
        ({"state": "failed", "code": -11}, Doing.FAILED, "It was ended by signal 11.", ""),
        ({"state": "failed", "code": None}, Doing.FAILED, "It was ended by force.", ""),
        ({"state": "taken", "holder": "vite\x1b[2J"}, Doing.FAILED,
         "Another program (vite) listens on port 8000. End it, then start Docs.", ""),
        ({"state": "missing"}, Doing.ABSENT,
         "Docs is not in this workspace's image: there is no /usr/bin/docs.", ""),
    ],
)  # fmt: skip
def test_what_the_workspace_says_is_told_in_words(
    platform: Platform,
    workspace: Workspace,
    program: Program,
    told: dict[str, object],
    doing: Doing,
    reason: str,
    log: str,
) -> None:
    program.says(**told)
    docs, absent = control.look(platform, workspace)
    assert (docs.doing, docs.reason, docs.log) == (doing, reason, log)
    assert (absent.doing, absent.app) == (Doing.ABSENT, CODE_SERVER)
    assert absent.reason.endswith("script/add-app code-server")
    [asked] = program.asked
    assert asked == {"do": "look", "apps": json.loads(json.dumps(apps.stored([DOCS])))}


def test_one_that_was_installed_while_the_workspace_ran_needs_a_restart(
    platform: Platform, workspace: Workspace, program: Program
) -> None:
    shelves = apps.shelves(platform.settings.data_dir)
    (shelves / "code-server").mkdir(parents=True)
    program.says(id="code-server", state="missing")
    try:
        with pytest.raises(Conflict, match="Restart the workspace"):
            control.start(platform, workspace, CODE_SERVER, ANN, utcnow())
    finally:  # the directory is that of all tests
        shutil.rmtree(shelves)


@pytest.mark.parametrize(
    "written",
    [b"", b"x", b"{}\n", b"[]\n", b"7\n", b'{"id":"other","state":"running","log":""}\n',
     b'{"id":"docs","state":"running"}\n', b'{"id":["docs"],"state":"running","log":""}\n',
     b"\xff\n", b'{"id":"docs","state":"running","log":""}\n' * 2],
)  # fmt: skip
def test_a_hostile_workspace_says_what_it_likes_in_vain(
    platform: Platform, workspace: Workspace, program: Program, written: bytes
) -> None:
    program.result = Result(0, written, b"no \x1b[31mpython")
    with pytest.raises(EngineError) as refused:
        control.look(platform, workspace)
    assert refused.value.log == "no python"


def test_what_was_started_or_stopped_is_written_down_once(
    platform: Platform, workspace: Workspace, program: Program
) -> None:
    program.says(state="starting", began=True)
    assert control.start(platform, workspace, DOCS, ANN, utcnow()).doing is Doing.STARTING
    program.says(state="running")
    assert control.start(platform, workspace, DOCS, ANN, utcnow()).doing is Doing.RUNNING
    program.says(state="stopped")
    assert control.stop(platform, workspace, DOCS, ANN, utcnow()).doing is Doing.STOPPED
    assert events() == [("app.started", "main:docs"), ("app.stopped", "main:docs")]


def test_one_that_failed_at_once_is_told_with_its_log(
    platform: Platform, workspace: Workspace, program: Program
) -> None:
    program.says(state="failed", code=1, log="no", began=True)
    seen = control.start(platform, workspace, DOCS, ANN, utcnow())
    assert (seen.doing, seen.log) == (Doing.FAILED, "no")


def test_a_port_that_is_taken_is_a_conflict(
    platform: Platform, workspace: Workspace, program: Program
) -> None:
    program.says(state="taken", holder="vite")
    with pytest.raises(Conflict, match=r"Another program \(vite\) listens on port 8000"):
        control.start(platform, workspace, DOCS, ANN, utcnow())
    assert events() == []


def test_the_apps_of_a_stopped_workspace_are_stopped_and_nobody_is_asked(
    platform: Platform, workspace: Workspace, program: Program
) -> None:
    with writing():
        db.session.refresh(workspace)
        workspace.state = State.STOPPED
    docs, absent = control.look(platform, workspace)
    assert (docs.doing, absent.doing) == (Doing.STOPPED, Doing.ABSENT)
    assert control.stop(platform, workspace, DOCS, ANN, utcnow()).doing is Doing.STOPPED
    assert program.asked == []
