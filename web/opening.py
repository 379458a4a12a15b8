"""The panel's part in opening previews: it knows who is signed in, the preview's origin does not.

The other part is ``web/preview/entry.py``. A browser comes here twice: without a *state* from a
link of ours, and is sent to the preview's origin to get one; with it, to be given a ticket.
"""

import re
from urllib.parse import urlencode

from flask import Blueprint, Flask, current_app, redirect, request
from flask_login import login_required
from werkzeug.wrappers import Response as BaseResponse

from models import utcnow
from orchestrator.errors import BadInput, Forbidden
from orchestrator.previews import Label, shares, tickets
from orchestrator.previews.gate import Gate
from web.forms import local_path
from web.identity import caller
from web.policy import content_policy
from web.preview.entry import BEGIN, ENTER

pages = Blueprint("opening", __name__, url_prefix="/apps")
OPEN = "/apps/open"
_GATE = "rootblood.gate"
_STATE = re.compile(r"[0-9a-f]{64}", re.ASCII)


def install(app: Flask) -> None:
    """Give the application the gate of its platform."""
    app.extensions[_GATE] = Gate(
        app.extensions["rootblood"], app.app_context, app.config["SECRET_KEY"]
    )


def gate_of(app: Flask) -> Gate:
    """Return the application's gate."""
    found: Gate = app.extensions[_GATE]
    return found


def origin_of(label: Label) -> str:
    """Return the preview's origin for who asks now."""
    return gate_of(current_app).domain.origin(label, request.scheme, request.host)


def origins() -> str:
    """Return the origins of all previews, as a content security policy names them."""
    return gate_of(current_app).domain.origins(request.scheme, request.host)


def path_to(label: Label) -> str:
    """Return the path of the panel that leads to a preview."""
    return f"{OPEN}?{urlencode({'host': str(label)})}"


@pages.get("/open")
@login_required  # type: ignore[untyped-decorator]
def open_preview() -> BaseResponse:
    """Lead a browser that is signed in to a preview that its person may open."""
    if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
        raise Forbidden("This address is for opening pages")
    user, login_id = caller().user, caller().login_id
    if login_id is None:
        raise Forbidden(
            "Previews are opened here by browsers that are signed in",
            hint="Send the token to the preview itself, as 'Authorization: Bearer'.",
        )
    label = Label.parse(request.args.get("host", ""))
    preview = shares.require(label, user, utcnow())
    panel = f"{request.scheme}://{request.host}".lower()
    gate = gate_of(current_app)
    if not gate.leads_from(request.scheme, request.host):
        known = "ROOTBLOOD_PANEL_URL has to say where that is: ask the administrator."
        raise Forbidden(
            "Previews are opened from the panel's own address",
            hint=f"Open it at {gate.panel_url}." if gate.panel_url else known,
        )
    has_state, proof = "state" in request.args, request.args.get("panel", "")
    # Who comes back with a state has been at the preview's origin, and shows what it was given.
    if _is_for_anothers_frame() and not (has_state and gate.is_proven(preview.label, proof)):
        raise Forbidden("Previews are shown in the panel's own frames alone")
    onward = {"to": local_path(request.args.get("to", "/"))}
    if not has_state:
        step, onward["panel"] = BEGIN, gate.prove_panel(preview.label, panel)
    elif not _STATE.fullmatch(request.args["state"]):
        raise BadInput("That is not a state", field="state")
    else:
        step = ENTER
        onward["ticket"] = tickets.issue(
            user, login_id, preview.label, request.args["state"], panel, utcnow()
        )
    response = redirect(f"{origin_of(preview.label)}{step}?{urlencode(onward)}", code=303)
    response.headers["Referrer-Policy"] = "no-referrer"
    # The panel's own pages frame previews, which begin here.
    response.headers["Content-Security-Policy"] = content_policy(frame_ancestors="'self'")
    return response


def _is_for_anothers_frame() -> bool:
    """Return whether an origin that is not the panel's has led the browser here, within a page.

    Previews may be of one site with the panel, and then frames of an app have the panel's cookie.
    """
    dest, site = (request.headers.get(f"Sec-Fetch-{name}", "") for name in ("Dest", "Site"))
    return dest not in ("", "document") and site != "same-origin"  # "object" is a frame, too
