"""What is in files of a workspace: read, write, delete. Served as downloads, never as pages."""

from collections.abc import Iterator
from contextlib import ExitStack

from flask import Response, request
from werkzeug.datastructures import ETags

from orchestrator.errors import BadInput
from orchestrator.files import Content, paths
from orchestrator.files.sftp import WINDOW_BYTES
from web.api import files_schema as schema
from web.api.files_place import FILES, PATH, flag, here, shown
from web.api.operation import operation
from web.license import licensed

CONTENT = f"{FILES}/content"


@operation("GET", CONTENT, tag="files", media="application/octet-stream", query=(PATH,), head=True)
def read_file(name: str) -> Response:
    """Download a file, or a part of it by Range.

    Its ETag is a hash of the content up to 8 MiB, beyond that it is made of time and size.
    """
    with ExitStack() as stack:
        files = stack.enter_context(here(name))
        path = files.asked()
        content = files.files.open(path)
        stack.callback(content.close)
        response = _answered(content)
        files.attachment(response, paths.name_of(paths.show(path)))
        response.set_etag(content.etag)
        response.headers["Accept-Ranges"] = "bytes"
        response.last_modified = content.entry.mtime  # type: ignore[assignment]
        if response.status_code in (200, 206) and request.method == "GET":
            start, length = _part(content) or (0, content.size)
            response.response = licensed(content.read(start, length), files.who)
        response.call_on_close(stack.pop_all().close)
        return response


def _answered(content: Content) -> Response:
    """Return the status and the headers that tell of the body: RFC 9110, 13.2.2."""
    response = Response(mimetype="application/octet-stream")
    if request.if_none_match.contains_weak(content.etag):
        response.status_code = 304
        return response
    part = _part(content)
    if part is None:
        response.content_length = content.size
        return response
    start, length = part
    if not length:
        response.status_code = 416
        response.headers["Content-Range"] = f"bytes */{content.size}"
        return response
    response.status_code = 206
    response.headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{content.size}"
    response.content_length = length
    return response


def _part(content: Content) -> tuple[int, int] | None:
    """Return offset and length of what is asked for; None is all, no length is out of reach."""
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    if request.headers.get("If-Range") and request.if_range.etag != content.etag:
        return None
    found = wanted.range_for_length(content.size)
    return (found[0], found[1] - found[0]) if found else (0, 0)


@operation("PUT", CONTENT, tag="files", answer=schema.FileEntry, query=(PATH,), streams=True)
def write_file(name: str) -> Response:
    """Write a file: the body becomes all of its content, or nothing changes.

    With If-Match it must still have that ETag, with 'If-None-Match: *' there must be none; else the
    answer is 412 with the ETag of what is there. A new file answers 201.
    """
    with here(name) as files:
        path = files.asked()
        only_new = request.if_none_match.star_tag
        if request.if_none_match and not only_new:
            raise BadInput("Only '*' is understood here", field="If-None-Match")
        found = files.files.write(path, _body(), if_match=_tags(request.if_match),
                                  only_new=only_new)  # fmt: skip
        files.note_change()
        response = files.json(shown(found.entry), 201 if found.created else 200)
    response.set_etag(found.etag)
    return response


def _tags(given: ETags) -> list[str] | None:
    """Return the ETags of If-Match, None where there is no such header."""
    if "If-Match" not in request.headers:
        return None
    return ["*"] if given.star_tag else list(given.as_set())


def _body() -> Iterator[bytes]:
    while chunk := request.stream.read(WINDOW_BYTES):
        yield chunk


@operation("DELETE", CONTENT, tag="files", status=204,
           query=(PATH, ("recursive", "1: a folder with all that is in it.")))  # fmt: skip
def delete_file(name: str) -> Response:
    """Delete a file, a link or a folder."""
    with here(name) as files:
        files.files.remove(files.asked(), recursive=flag("recursive"))
        files.note_change()
        return files.nothing()
