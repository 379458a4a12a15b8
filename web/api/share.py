"""Publish files that are not git, and see what others publish."""

from typing import Any

from flask import Response, jsonify, request
from werkzeug.wsgi import get_input_stream

from models import utcnow
from orchestrator.commons import presence, share, shelf
from web import shared
from web.api import schema_commons as schema
from web.api.operation import operation
from web.identity import caller, platform

_THEIRS = "/people/<username>/share"


@operation("PUT", "/share/<path:path>", tag="commons", status=201, streams=True)
def publish_file(path: str) -> Response:
    """Publish a file to everybody on this server.

    They find it at /global/<you>/share/<path>. The request's body is the file, of any size that
    your allowance has room for. A file of that name is replaced.
    """
    user = caller().user
    body: Any = get_input_stream(request.environ)
    expected = request.content_length or 0
    size = share.publish(platform(), user, utcnow(), share.parse_path(path), body, expected)
    answer = jsonify(path=f"/global/{user.username}/share/{path}", size_bytes=size)
    answer.status_code = 201
    return answer


@operation("DELETE", "/share/<path:path>", tag="commons", status=204)
def withdraw_file(path: str) -> None:
    """Delete one of the files you publish."""
    share.remove(platform(), caller().user, share.parse_path(path))


@operation("GET", _THEIRS, tag="commons", answer=schema.SharedFiles,
           query=(("path", "A folder; the top without."),))  # fmt: skip
def list_shared_files(username: str) -> schema.SharedFiles:
    """List the files that somebody publishes, folders first."""
    owner = presence.owner(username).username
    folder = share.parse_directory(request.args.get("path", ""))
    return schema.SharedFiles(
        path=request.args.get("path", ""),
        files=[
            schema.SharedFile(
                name=one.name,
                path=one.path,
                type="dir" if one.directory else "file",
                size_bytes=one.size_bytes,
                modified_at=one.modified_at,
            )
            for one in shelf.listing(platform(), owner, folder)
        ],
    )


@operation("GET", f"{_THEIRS}/content", tag="commons", media="application/octet-stream",
           query=(("path", "A file."),))  # fmt: skip
def download_shared_file(username: str) -> Response:
    """Download a file that somebody publishes."""
    return shared.sent(username, request.args.get("path", ""))
