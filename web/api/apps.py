"""Apps of a workspace: what they are doing, started and stopped."""

from flask import current_app, request

from models import Workspace, utcnow
from orchestrator import access, apps, starting
from orchestrator.access import Right
from orchestrator.apps import control
from orchestrator.apps.control import Seen
from orchestrator.previews import Label
from web.api.apps_schema import App, Apps
from web.api.inside import ONE
from web.api.operation import operation
from web.identity import actor, caller, platform
from web.opening import gate_of, origin_of, path_to


def _shown(row: Workspace, seen: Seen) -> App:
    label = Label(seen.app.port, row.name, row.user.username)
    page = f"/w/{row.name}/apps/{seen.app.id}"
    path = path_to(label)
    # Where previews share a host, an app takes a port of it when it is opened, not before.
    shares_host = gate_of(current_app).domain.shares_host
    url = request.host_url.rstrip("/") + path if shares_host else f"{origin_of(label)}/"
    return App.of(seen, url=url, path=path, page=page)


@operation("GET", f"{ONE}/apps", tag="workspaces", answer=Apps)
def list_apps(name: str) -> Apps:
    """List the apps of a workspace, and what they are doing; those of a stopped one are stopped."""
    row = access.workspace_for(caller().user, name, Right.ATTACH)
    return Apps(apps=[_shown(row, seen) for seen in control.look(platform(), row)])


@operation("POST", f"{ONE}/apps/<app_id>/start", tag="workspaces", answer=App)
def start_app(name: str, app_id: str) -> App:
    """Start an app, and its workspace where that is stopped; it may not answer yet.

    One that runs is left alone. Its state is running once it answers: GET .../apps says so.
    """
    who = actor()
    row = access.workspace_for(caller().user, name, Right.ATTACH)
    app = apps.named(row.template, app_id)
    row = starting.ensure_running(platform(), row, who)
    return _shown(row, control.start(platform(), row, app, who, utcnow()))


@operation("POST", f"{ONE}/apps/<app_id>/stop", tag="workspaces", answer=App)
def stop_app(name: str, app_id: str) -> App:
    """End an app with all that it started; one that does not run is left alone."""
    row = access.workspace_for(caller().user, name, Right.ATTACH)
    app = apps.named(row.template, app_id)
    return _shown(row, control.stop(platform(), row, app, actor(), utcnow()))
