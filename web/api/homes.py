"""Take a home away."""

from flask import Response, request

from models import utcnow
from orchestrator import homes
from orchestrator.names import parse_session
from web.api.operation import operation
from web.identity import caller, platform


@operation(
    "GET",
    "/home/archive",
    tag="home",
    media="application/gzip",
    query=(("id", "Any short name, to recognise this download in the events."),),
)
def download_home() -> Response:
    """Download your home as a tar.gz, whether a workspace runs or not.

    What could not be read is listed in UNREADABLE.txt inside the archive.
    """
    transfer = parse_session(request.args.get("id", "download"))
    user = caller().user
    archive = homes.open_archive(platform(), user, transfer)
    name = f"{user.username}-home-{utcnow():%Y%m%d-%H%M}.tar.gz"
    response = Response(archive, mimetype="application/gzip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(archive.close)
    return response
