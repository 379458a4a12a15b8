"""The tmux sessions of a workspace: one per terminal tab, whoever is looking."""

from dataclasses import dataclass
from datetime import UTC, datetime

from models import State, Workspace
from orchestrator.errors import BadInput, WorkspaceStopped
from orchestrator.names import parse_session
from orchestrator.platform import Platform

_FORMAT = "#{session_name}\t#{session_attached}\t#{session_created}\t#{pane_current_command}"
_COMMAND_MAX = 40
_KILLED = 137  # 128 + SIGKILL: the workspace ended under the command


@dataclass(frozen=True, slots=True)
class Session:
    """One tmux session.

    ``attached`` counts the terminals that show it; ``command`` is the program in front.
    """

    name: str
    attached: int
    created_at: datetime
    command: str


def listed(platform: Platform, workspace: Workspace) -> list[Session]:
    """Return the workspace's sessions, oldest first; none when it is not meant to run.

    What the workspace says is not trusted: lines that are not ours to have named are dropped.
    Raises: WorkspaceStopped, EngineError when there is no answer, which does not mean "none".
    """
    if workspace.state is not State.RUNNING:
        return []
    result = platform.engine.exec(
        workspace.container, ("tmux", "list-sessions", "-F", _FORMAT), timeout=5.0
    )
    if result.exit_code == _KILLED:
        raise WorkspaceStopped
    found = [_parse(line) for line in result.stdout[:65536].decode("utf-8", "replace").splitlines()]
    return sorted((s for s in found if s is not None), key=lambda s: (s.created_at, s.name))


def end(platform: Platform, workspace: Workspace, name: str) -> None:
    """End a session with the programs in it. Absent is success. Raises: BadInput."""
    parse_session(name)
    if workspace.state is State.RUNNING:
        # "=" makes tmux match the whole name, not a prefix of it: tmux(1), "target-session".
        platform.engine.exec(
            workspace.container, ("tmux", "kill-session", "-t", f"={name}"), timeout=5.0
        )


def _parse(line: str) -> Session | None:
    parts = line.split("\t")
    try:
        name = parse_session(parts[0])
        created = datetime.fromtimestamp(int(parts[2]), UTC)
        command = "".join(c for c in parts[3][:_COMMAND_MAX] if c.isprintable())
        return Session(name, int(parts[1]), created, command)
    except (BadInput, ValueError, IndexError, OverflowError, OSError):
        return None
