"""The page that starts an app of a workspace, shows how that goes, and leads to it."""

from flask import Blueprint, render_template, request
from flask_login import login_required

from orchestrator import access, apps
from orchestrator.access import Right
from web.identity import caller

pages = Blueprint("apps", __name__)


@pages.get("/w/<name>/apps/<app_id>")
@login_required  # type: ignore[untyped-decorator]
def show(name: str, app_id: str) -> str:
    """Show the page, whose script starts the app; at once, unless another site led here."""
    row = access.workspace_for(caller().user, name, Right.ATTACH)
    app = apps.named(row.template, app_id)
    asks = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    boot = {"workspace": row.name, "id": app.id, "title": app.title, "asks": asks}
    return render_template(
        "app.html", boot=boot, app=app, workspace=row.name, asks=asks, nav="workspaces"
    )
