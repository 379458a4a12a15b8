"""Workspaces over the API."""

from models import Workspace, utcnow
from orchestrator import access, catalogue, sessions, starting, workspaces
from orchestrator.access import Right
from orchestrator.policy import allowance_of, default_limits
from orchestrator.spec import Limits
from web import present
from web.api import schema
from web.api.operation import operation
from web.identity import actor, caller, platform


def _mine(name: str, right: Right) -> Workspace:
    return access.workspace_for(caller().user, name, right)


def _shown(row: Workspace) -> schema.Workspace:
    return present.workspace(platform(), utcnow(), row)


def _limits(change: schema.LimitsChange | None, present_ones: Limits) -> Limits | None:
    """Fill what the client left out with what is in force."""
    if change is None:
        return None
    return Limits(
        cpus=present_ones.cpus if change.cpus is None else change.cpus,
        memory_bytes=(
            present_ones.memory_bytes if change.memory_bytes is None else change.memory_bytes
        ),
        pids=present_ones.pids if change.pids is None else change.pids,
    )


@operation("GET", "/workspaces", tag="workspaces", answer=schema.Workspaces)
def list_workspaces() -> schema.Workspaces:
    """List your workspaces."""
    rows = workspaces.of_user(caller().user)
    return schema.Workspaces(workspaces=present.workspaces(platform(), utcnow(), rows))


@operation("POST", "/workspaces", tag="workspaces", body=schema.NewWorkspace,
           answer=schema.Workspace, status=201)  # fmt: skip
def create_workspace(body: schema.NewWorkspace) -> schema.Workspace:
    """Create a workspace; it is stopped until it is started or opened."""
    user = caller().user
    template = catalogue.template_named(body.template)
    defaults = default_limits(template, allowance_of(platform().settings, user))
    row = workspaces.create(
        platform(),
        user,
        utcnow(),
        body.name,
        template=body.template,
        limits=_limits(body.limits, defaults),
        actor=actor(),
    )
    return _shown(row)


@operation("GET", "/workspaces/<name>", tag="workspaces", answer=schema.Workspace)
def get_workspace(name: str) -> schema.Workspace:
    """Return a workspace, what it is doing, and when and why it will stop."""
    return _shown(_mine(name, Right.VIEW))


@operation("PATCH", "/workspaces/<name>", tag="workspaces", body=schema.WorkspaceChange,
           answer=schema.Workspace)  # fmt: skip
def change_workspace(name: str, body: schema.WorkspaceChange) -> schema.Workspace:
    """Rename a stopped workspace, or set limits, which hold from the next start."""
    row = _mine(name, Right.MANAGE)
    limits = _limits(body.limits, Limits(row.cpus, row.memory_bytes, row.pids))
    return _shown(
        workspaces.change(platform(), row, utcnow(), name=body.name, limits=limits, actor=actor())
    )


@operation("DELETE", "/workspaces/<name>", tag="workspaces", status=204)
def delete_workspace(name: str) -> None:
    """Delete a workspace. Your home, with all your files, is kept."""
    workspaces.remove(platform(), _mine(name, Right.MANAGE), actor())


@operation("POST", "/workspaces/<name>/start", tag="workspaces", answer=schema.Workspace)
def start_workspace(name: str) -> schema.Workspace:
    """Start a workspace and answer once its terminal does."""
    return _shown(starting.ensure_running(platform(), _mine(name, Right.OPERATE), actor()))


@operation("POST", "/workspaces/<name>/stop", tag="workspaces", answer=schema.Workspace)
def stop_workspace(name: str) -> schema.Workspace:
    """Stop a workspace; programs are asked to end, and have ten seconds."""
    return _shown(workspaces.stop(platform(), _mine(name, Right.OPERATE), actor()))


@operation("POST", "/workspaces/<name>/restart", tag="workspaces", answer=schema.Workspace)
def restart_workspace(name: str) -> schema.Workspace:
    """Stop and start a workspace; new limits come into force."""
    return _shown(starting.restart(platform(), _mine(name, Right.OPERATE), actor()))


@operation("POST", "/workspaces/<name>/snooze", tag="workspaces", body=schema.Snooze,
           answer=schema.Workspace)  # fmt: skip
def snooze_workspace(name: str, body: schema.Snooze) -> schema.Workspace:
    """Keep a workspace from being stopped as idle for some minutes."""
    row = _mine(name, Right.OPERATE)
    return _shown(workspaces.snooze(platform(), row, utcnow(), body.minutes))


@operation("GET", "/workspaces/<name>/sessions", tag="terminal", answer=schema.Sessions)
def list_sessions(name: str) -> schema.Sessions:
    """List the tmux sessions that run in a workspace; a stopped one has none."""
    found = sessions.listed(platform(), _mine(name, Right.ATTACH))
    return schema.Sessions(
        sessions=[
            schema.Session(
                name=s.name, attached=s.attached, created_at=s.created_at, command=s.command
            )
            for s in found
        ]
    )


@operation("DELETE", "/workspaces/<name>/sessions/<session>", tag="terminal", status=204)
def end_session(name: str, session: str) -> None:
    """End a tmux session with the programs in it. Absent is success."""
    sessions.end(platform(), _mine(name, Right.ATTACH), session)


@operation("POST", "//session", tag="workspaces", answer=schema.Opened)
def open_session() -> schema.Opened:
    """Make sure that your default workspace runs, and say where it is.

    It is made on first use. However many ask at once, one container runs.
    """
    user, who = caller().user, actor()
    row = workspaces.default_of(platform(), user, utcnow(), who)
    row = starting.ensure_running(platform(), row, who)
    return schema.Opened(workspace=row.name, state=row.state, url=f"/w/{row.name}/")
