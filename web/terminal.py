"""The IDE's page, and the terminal: the WebSocket that is spliced to the workspace's ttyd."""

from flask import Blueprint, Response, make_response, render_template, request
from flask_login import login_required

from models import Kind, State, Workspace, utcnow
from orchestrator import access, sessions, workspaces
from orchestrator.access import Right
from orchestrator.connections import Connection
from orchestrator.errors import EngineError, NotFound, WorkspaceStopped
from orchestrator.names import parse_session, parse_workspace
from orchestrator.policy import TERMINAL_PORT
from orchestrator.websocket import InputMeter
from web import present
from web.api.operation import operation
from web.identity import actor, bearer, caller, connect, platform
from web.opening import origins
from web.policy import content_policy
from web.upgrade import require_same_origin, splice_websocket

pages = Blueprint("terminal", __name__)
SUBPROTOCOL = "tty"


@pages.get("/w/<name>/")
@login_required  # type: ignore[untyped-decorator]
def show(name: str) -> Response:
    """Show the IDE, which wakes a stopped workspace and shows how that goes."""
    user = caller().user
    parse_workspace(name)
    if name == workspaces.DEFAULT_NAME:
        row = workspaces.default_of(platform(), user, utcnow(), actor())
    else:
        row = access.workspace_for(user, name, Right.ATTACH)
    boot = {
        "workspace": present.workspace(platform(), utcnow(), row).model_dump(mode="json"),
        "sessions": _session_names(row),
        "user": present.me(platform(), user).model_dump(mode="json"),
        "home": f"/home/{user.username}",
    }
    page = make_response(render_template("ide.html", boot=boot, nav="workspaces"))
    page.headers["Content-Security-Policy"] = content_policy(frame_src=f"'self' {origins()}")
    return page


def _session_names(row: Workspace) -> list[str]:
    """Return what there are tabs for; a page whose workspace does not answer begins without."""
    try:
        return [session.name for session in sessions.listed(platform(), row)]
    except (WorkspaceStopped, EngineError):
        return []


@operation(
    "GET", "/workspaces/<name>/terminal", tag="terminal", status=101, websocket=True,
    query=(("session", "The tmux session to attach to, made when absent; default main."),),
)  # fmt: skip
def attach_terminal(name: str) -> Response:
    """Open a terminal: a WebSocket with subprotocol tty that speaks ttyd's protocol.

    It does not wake a stopped workspace: POST /session or .../start does.
    """
    require_same_origin(request, bearer=bearer() is not None)
    who, parts = caller(), platform()
    session = parse_session(request.args.get("session", "main"))
    row = access.workspace_for(who.user, name, Right.ATTACH)
    if row.state is not State.RUNNING:
        raise WorkspaceStopped
    if parts.splicer is None:
        raise NotFound("This server does not serve WebSockets", hint="Start it with app.py.")
    stream = parts.engine.dial(row.container, TERMINAL_PORT)
    connection: Connection | None = None
    try:
        connection = connect(row, Kind.TERMINAL)
        live = connection
        live.carrier = splice_websocket(
            request.environ,
            stream,
            path=f"/ws?arg={session}",
            protocols=(SUBPROTOCOL,),
            splicer=parts.splicer,
            meter=InputMeter(live.on_input),
            on_close=lambda _reason: parts.connections.ended(live),
        )
    except BaseException:
        stream.close()
        if connection is not None:
            parts.connections.ended(connection)
        raise
    # The login may have ended between its check and the row: then the row is gone by now.
    parts.connections.hang_up_revoked()
    parts.feed.publish(who.user.id)
    return Response(status=101)
