"""A running workspace, for all that programs inside it do for a page."""

from models import State, Workspace
from orchestrator import access
from orchestrator.access import Right
from orchestrator.errors import WorkspaceStopped
from web.identity import caller

ONE = "/workspaces/<name>"


def running(name: str) -> Workspace:
    """Return the caller's workspace. Raises: NotFound; WorkspaceStopped."""
    row = access.workspace_for(caller().user, name, Right.ATTACH)
    if row.state is not State.RUNNING:
        raise WorkspaceStopped
    return row


def home_of(row: Workspace) -> str:
    """Return the path of its user's home inside it."""
    return f"/home/{row.user.username}"
