"""Where somebody's files are just now: in the workspace while it runs, else in a rescue."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from models import State, User, Workspace, end_reading
from orchestrator.engines import Phase
from orchestrator.errors import AllowanceReached, NoSpace
from orchestrator.files import Files, rescue
from orchestrator.files.over_sftp import SftpFiles
from orchestrator.keys import Proof
from orchestrator.platform import Platform


class Kind(StrEnum):
    """What a place is."""

    WORKSPACE = "workspace"
    RESCUE = "rescue"


@dataclass(frozen=True, slots=True)
class Place:
    """Files, and where they are reached."""

    files: Files
    kind: Kind


def home_folder(user: User) -> str:
    """Return where a workspace has its user's home."""
    return f"/home/{user.username}"


@contextmanager
def opened(
    platform: Platform, user: User, workspace: Workspace, proof: Proof | None
) -> Iterator[Place]:
    """Give access to the files that ``workspace`` has, for as long as the block lasts.

    Raises: HomeLocked where a rescue needs a key that nobody brought; HomeBusy; EngineError.
    """
    try:
        if _runs(platform, workspace):
            pool = platform.pools.of(platform.engine, workspace.container)
            yield Place(SftpFiles(pool, home_folder(user)), Kind.WORKSPACE)
        else:
            with rescue.opened(platform, user, proof) as files:
                yield Place(files, Kind.RESCUE)
    except AllowanceReached as error:
        if platform.brake.on:  # the home is kept from growing for the sake of all others
            raise NoSpace from error
        raise


def _runs(platform: Platform, workspace: Workspace) -> bool:
    """Return whether it serves files: one that has just ended by itself does not."""
    container, state = workspace.container, workspace.state
    end_reading()
    if state is not State.RUNNING:
        return False
    if platform.pools.live(container):
        return True
    return platform.engine.inspect(container).phase is Phase.RUNNING
