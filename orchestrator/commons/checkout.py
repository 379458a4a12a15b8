"""Put a repository into somebody's workspace: cloned into the home, with a terminal in it."""

import re
from dataclasses import dataclass
from datetime import datetime

from models import Repository, User, Visibility, end_reading
from orchestrator import starting, workspaces
from orchestrator.errors import Conflict
from orchestrator.names import SESSION_MAX
from orchestrator.platform import Platform
from orchestrator.workspaces import Actor

CLONE_SECONDS = 300.0
_NO_LABEL = re.compile(r"[^a-z0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is open: a workspace, and the tmux session whose shell stands in the clone."""

    workspace: str
    session: str


def open_in_workspace(
    platform: Platform, user: User, now: datetime, row: Repository, actor: Actor
) -> Place:
    """Clone ``row``, which the user may read, into the home unless it is there, and open it.

    Raises: Conflict (something else has its place), and what starting a workspace raises.
    """
    address = remote_of(row)
    target = f"/home/{user.username}/{row.name}"
    workspace = workspaces.default_of(platform, user, now, actor)
    container = starting.ensure_running(platform, workspace, actor).container
    end_reading()
    run = platform.engine.exec
    present = run(container, ("git", "-C", target, "remote", "get-url", "origin"))
    if present.exit_code == 0:
        if _path_of(present.stdout.decode(errors="replace").strip()) != _path_of(address):
            raise _occupied(row)
    else:
        cloned = run(
            container, ("git", "clone", "--quiet", "--", address, target), timeout=CLONE_SECONDS
        )
        if cloned.exit_code != 0:
            raise _occupied(row)
    session = session_of(row.name)
    run(container, ("tmux", "-u", "new-session", "-d", "-s", session, "-c", target))
    return Place(workspace.name, session)


def _occupied(row: Repository) -> Conflict:
    return Conflict(
        f"~/{row.name} could not be cloned: something else may be there",
        hint=f"Open a terminal, look at ~/{row.name}, and clone by hand under another name.",
    )


def _path_of(address: str) -> str:
    """Return what an address names, whichever way leads there."""
    return address.removeprefix("commons::").removesuffix(".git")


def remote_of(row: Repository) -> str:
    """Return what a clone inside a workspace is made from; private ones come through the server."""
    path = f"/global/{row.slug}"
    return path if row.visibility is Visibility.PUBLIC else f"commons::{path}"


def session_of(name: str) -> str:
    """Return the name of the terminal's session for a repository."""
    return _NO_LABEL.sub("-", name.lower())[:SESSION_MAX].strip("-") or "repository"
