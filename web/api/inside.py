"""A running workspace, for all that programs inside it do for a page."""

from contextlib import ExitStack

from flask import Response, after_this_request

from models import State, Workspace
from orchestrator import access
from orchestrator.access import Right
from orchestrator.errors import WorkspaceStopped
from web.identity import caller, platform

ONE = "/workspaces/<name>"


def running(name: str) -> Workspace:
    """Return the caller's workspace. Raises: NotFound; WorkspaceStopped."""
    row = access.workspace_for(caller().user, name, Right.ATTACH)
    if row.state is not State.RUNNING:
        raise WorkspaceStopped
    return row


def at_work(name: str) -> Workspace:
    """Return the caller's workspace, for a program that is run in it until the answer has gone.

    Raises: NotFound; WorkspaceStopped; TooManyRequests.
    """
    row = running(name)
    turn = ExitStack()
    turn.enter_context(platform().errands.one(row.user_id))

    @after_this_request
    def give_back(response: Response) -> Response:
        response.call_on_close(turn.close)
        return response

    return row


def home_of(row: Workspace) -> str:
    """Return the path of its user's home inside it."""
    return f"/home/{row.user.username}"
