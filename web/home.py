"""The page of a home: its lock, what it takes, and its snapshots."""

from flask import Blueprint, render_template
from flask_login import login_required

from models import utcnow
from orchestrator import snapshots
from web import present
from web.identity import caller, platform

pages = Blueprint("home", __name__)


@pages.get("/home")
@login_required  # type: ignore[untyped-decorator]
def show() -> str:
    """Show the home; the page keeps itself up to date by the events."""
    who = caller()
    rows = [present.snapshot(row) for row in snapshots.of_user(who.user)]
    boot = {
        "snapshots": [row.model_dump(mode="json") for row in rows],
        "user": present.me(platform(), who.user).model_dump(mode="json"),
        "home": present.home(platform(), who, utcnow()).model_dump(mode="json"),
    }
    return render_template("home.html", boot=boot, nav="home")
