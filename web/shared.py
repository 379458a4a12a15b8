"""Send shared files: to be kept, never as a page of this server."""

from pathlib import PurePosixPath
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import MethodNotAllowed

from orchestrator.commons import presence, share, shelf
from web import visible
from web.identity import caller, platform
from web.license import licensed


def sent(owner: str, path: str) -> Response:
    """Return a response with a file of somebody's share. Raises: NotFound, BadInput."""
    if request.method == "HEAD":  # as for every stream: see web/api/operation.py
        raise MethodNotAllowed(["GET"])
    user = presence.owner(owner)
    found = shelf.opened(platform(), user.username, share.parse_path(path))
    response = Response(licensed(iter(found), caller()), mimetype="application/octet-stream")
    response.call_on_close(found.file.close)
    response.content_length = found.size_bytes
    name = quote(visible.name(PurePosixPath(path).name), safe="")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Accel-Buffering"] = "no"
    return response
