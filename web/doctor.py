"""The page that says how well the server is set up."""

from flask import Blueprint, render_template
from flask_login import login_required

from models import end_reading
from orchestrator import doctor
from web import present
from web.identity import caller, platform

pages = Blueprint("doctor", __name__)


@pages.get("/doctor")
@login_required  # type: ignore[untyped-decorator]
def show() -> str:
    """Show what was found, to administrators with what to do about it."""
    hints = caller().user.is_admin
    end_reading()
    findings = present.findings(doctor.examine(platform()), hints=hints)
    return render_template("doctor.html", findings=findings, nav="doctor")
