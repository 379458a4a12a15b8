"""The page that says how well the server is set up, seen from within and from the reader's browser.

Here is what the server knows by itself. The rest is asked by the page (``frontend/src/doctor``):
only a browser can tell what stands between it and the server.
"""

from flask import Blueprint, Response, current_app, make_response, render_template, request
from flask_login import login_required

from models import end_reading
from orchestrator import doctor
from orchestrator.doctor import mark
from orchestrator.doctor.previews import nobodys
from orchestrator.settings import Settings
from web import present, proxies
from web.identity import caller, platform
from web.policy import content_policy

pages = Blueprint("doctor", __name__)


@pages.get("/doctor")
@login_required  # type: ignore[untyped-decorator]
def show() -> Response:
    """Show what was found, to administrators with what to do about it."""
    is_admin = caller().user.is_admin
    end_reading()
    settings, panel = platform().settings, f"{request.scheme}://{request.host}"
    found = doctor.examine(platform(), panel=panel)
    boot = {
        "admin": is_admin,
        "mark": mark.of(current_app.config["SECRET_KEY"]),
        "probe": probe(settings),
    }
    snippets = proxies.snippets(settings, request.host) if is_admin else []
    page = make_response(
        render_template(
            "doctor.html", boot=boot, findings=present.findings(found, hints=is_admin),
            snippets=snippets, nav="doctor",
        )
    )  # fmt: skip
    page.headers["Content-Security-Policy"] = _policy(settings)
    return page


def probe(settings: Settings) -> dict[str, str]:
    """Return where a preview would be that nobody has, with a name as long as they get.

    An empty ``port`` is the one that the browser sees the panel at.
    """
    host, port = nobodys(settings)
    return {"host": host, "port": port}


def _policy(settings: Settings) -> str:
    """Let the page ask any preview's origin: what a proxy made of scheme and port is in doubt."""
    host = settings.apps_host or f"*.{settings.apps_domain.partition(':')[0]}"
    pages_of, sockets_of = (
        f"{plain}://{host}:* {plain}s://{host}:*" for plain in ("http", "ws")
    )  # fmt: skip
    return content_policy(
        connect_src=f"'self' {pages_of} {sockets_of}", frame_src=pages_of
    )  # fmt: skip
