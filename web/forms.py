"""What HTML forms need: numbers out of text, errors by field, and safe places to go on to."""

import math
from typing import Any

from flask import Response, make_response, render_template, request

from orchestrator.errors import BadInput, RootBloodError
from web.problems import status_of

LOCAL_PATH_MAX = 2000


def number(text: str, field: str) -> int:
    """Return ``text`` as a whole number. Raises: BadInput."""
    try:
        return int(text[:20])
    except ValueError:
        raise BadInput("Write a whole number", field=field) from None


def decimal(text: str, field: str) -> float:
    """Return ``text`` as a number. Raises: BadInput."""
    try:
        return float(text[:20])
    except ValueError:
        raise BadInput("Write a number", field=field) from None


def gibibytes(text: str, field: str) -> int:
    """Return ``text``, a number of GiB, in bytes. Raises: BadInput."""
    value = decimal(text, field)
    if not math.isfinite(value):
        raise BadInput("Write a number", field=field)
    return round(value * 2**30)


def field_errors(error: RootBloodError) -> dict[str, str]:
    """Return the error's text under its field, or under ``form``."""
    field = error.field if isinstance(error, BadInput) and error.field else "form"
    return {field: str(error)}


def local_path(target: str) -> str:
    """Return ``target`` when it is a path on this server, else ``/``: never another site."""
    # Browsers take \ for / and leave out what cannot be printed: such a path is not one of ours.
    odd = not target.isprintable() or "\\" in target or len(target) > LOCAL_PATH_MAX
    return "/" if odd or not target.startswith("/") or target.startswith("//") else target


def form_page(template: str, error: RootBloodError | None = None, **context: Any) -> Response:
    """Render a form again with what was wrong, or for the first time; secrets are not repeated."""
    secret = ("password", "current", "new")
    values = {key: text[:100] for key, text in request.form.items() if not key.startswith(secret)}
    errors = field_errors(error) if error else {}
    response = make_response(render_template(template, values=values, errors=errors, **context))
    response.status_code = status_of(error) if error else 200
    return response
