"""Publish files that are not git."""

from typing import Any

from flask import Response, jsonify, request
from werkzeug.wsgi import get_input_stream

from models import utcnow
from orchestrator.commons import share
from web.api.operation import operation
from web.identity import caller, platform


@operation("PUT", "/share/<path:path>", tag="commons", status=201)
def publish_file(path: str) -> Response:
    """Publish a file to everybody on this server.

    They find it at /global/<you>/share/<path>. The request's body is the file, of any size that
    your allowance has room for. A file of that name is replaced.
    """
    user = caller().user
    body: Any = get_input_stream(request.environ)
    size = share.publish(platform(), user, utcnow(), share.parse_path(path), body)
    answer = jsonify(path=f"/global/{user.username}/share/{path}", size_bytes=size)
    answer.status_code = 201
    return answer


@operation("DELETE", "/share/<path:path>", tag="commons")
def withdraw_file(path: str) -> None:
    """Delete one of the files you publish."""
    share.remove(platform(), caller().user, share.parse_path(path))
