"""The built front end: compressed where it was built so, and kept by browsers once it is named.

``?v=`` and the hash in a chunk's name change with what the file says, so such an address never
means anything else.
"""

import re

from flask import Flask, Response, make_response, request
from werkzeug.exceptions import NotFound

_CHUNK = re.compile(r".*-[A-Z0-9]{8}\.js", re.ASCII)
"""What esbuild names the pieces that scripts share; frontend/build.mjs asks for it."""


def install(app: Flask) -> None:
    """Let ``app`` serve its static files so."""

    def show(filename: str) -> Response:
        response = _found(app, filename)
        response.vary.add("Accept-Encoding")
        if "v" in request.args or _CHUNK.fullmatch(filename):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    app.view_functions["static"] = show


def _found(app: Flask, filename: str) -> Response:
    if request.accept_encodings["gzip"]:
        try:  # werkzeug tells the type of what is in it, and Content-Encoding beside it
            return make_response(app.send_static_file(f"{filename}.gz"))
        except NotFound:
            pass
    return make_response(app.send_static_file(filename))
