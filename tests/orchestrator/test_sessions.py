from datetime import UTC, datetime

import pytest

from models import Workspace
from orchestrator import sessions
from orchestrator.engines import Result
from orchestrator.errors import (
    BadInput,
    EngineError,
    EngineUnreachable,
    RootBloodError,
    WorkspaceStopped,
)
from orchestrator.platform import Platform
from tests.engine import WatchedEngine


@pytest.fixture
def tmux(engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the workspace's tmux is asked; its answer is ``tmux.answer``."""

    class Asked(list[tuple[str, ...]]):
        answer = b""

    asked = Asked()

    def run(self: WatchedEngine, name: str, argv: tuple[str, ...], **_: object) -> Result:
        asked.append(tuple(argv))
        return Result(0, asked.answer, b"")

    monkeypatch.setattr(WatchedEngine, "exec", run)
    return asked


def test_sessions_are_listed_oldest_first(
    platform: Platform, running: Workspace, tmux: list[tuple[str, ...]]
) -> None:
    tmux.answer = b"logs\t0\t1900000100\ttail\nmain\t2\t1900000000\tvim\x1b\n"
    first, second = sessions.listed(platform, running)
    assert (first.name, first.attached, first.command) == ("main", 2, "vim")
    assert (second.name, second.attached, second.command) == ("logs", 0, "tail")
    assert first.created_at == datetime.fromtimestamp(1_900_000_000, UTC)


def test_a_hostile_workspace_says_what_it_likes_in_vain(
    platform: Platform, running: Workspace, tmux: list[tuple[str, ...]]
) -> None:
    hostile = [
        b"ok\t0\t5\t" + b"c" * 999, b"<script>\t0\t5\tsh", b"a\tb\tc\td", b"\xff\t0\t5\tsh", b"x",
        b"A\t0\t5\tsh", b"y\t0\t" + b"9" * 400 + b"\tsh", b"z\t0\t-" + b"9" * 30 + b"\tsh",
        b"w\t" + b"9" * 5000 + b"\t5\tsh", b"v\t0\t5",
    ]  # fmt: skip
    tmux.answer = b"\n".join(hostile + [b"flood\t0\t5\tsh"] * 100_000)
    found = sessions.listed(platform, running)
    assert {session.name for session in found} == {"ok", "flood"}
    assert max(len(session.command) for session in found) <= 40
    assert len(found) < 10_000


def test_a_stopped_workspace_is_not_asked(
    platform: Platform, made: Workspace, tmux: list[tuple[str, ...]]
) -> None:
    assert sessions.listed(platform, made) == []
    sessions.end(platform, made, "main")
    assert tmux == []


@pytest.mark.parametrize("error", [WorkspaceStopped(), EngineError("slow"), EngineUnreachable()])
def test_no_answer_is_not_no_sessions(
    platform: Platform, running: Workspace, engine: WatchedEngine, error: RootBloodError
) -> None:
    engine.failing["exec"] = error
    with pytest.raises(type(error)):
        sessions.listed(platform, running)


def test_a_workspace_that_dies_under_the_question_has_not_answered(
    platform: Platform, running: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WatchedEngine, "exec", lambda *_, **__: Result(137, b"", b""))
    with pytest.raises(WorkspaceStopped):
        sessions.listed(platform, running)


def test_a_workspace_without_a_terminal_has_no_sessions(
    platform: Platform, running: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WatchedEngine, "exec", lambda *_, **__: Result(1, b"", b"no server"))
    assert sessions.listed(platform, running) == []


def test_a_session_is_ended_by_its_whole_name(
    platform: Platform, running: Workspace, tmux: list[tuple[str, ...]]
) -> None:
    sessions.end(platform, running, "main")
    assert tmux == [("tmux", "kill-session", "-t", "=main")]


@pytest.mark.parametrize("name", ["", "a;b", "-t", "a b", "x" * 33, "main\n"])
def test_other_names_never_reach_tmux(
    platform: Platform, running: Workspace, tmux: list[tuple[str, ...]], name: str
) -> None:
    with pytest.raises(BadInput):
        sessions.end(platform, running, name)
    assert tmux == []


def test_tmux_is_asked_without_a_transaction(
    platform: Platform, running: Workspace, engine: WatchedEngine
) -> None:
    assert running.user.username == "ann"
    sessions.listed(platform, running)
    assert engine.calls["exec"] == 1
