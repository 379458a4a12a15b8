"""Turn errors into answers: the only place that knows HTTP status codes.

The API answers with problem documents (RFC 9457) that carry our ``slug`` and ``hint``; pages get
the same facts as HTML.
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, g, jsonify, make_response, redirect, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing.exceptions import WebsocketMismatch
from werkzeug.wrappers import Response as BaseResponse

from models import db
from orchestrator import errors
from orchestrator.commons.git import TooLarge
from orchestrator.logs import log
from orchestrator.outages import outage_of
from web.identity import find_caller

LOG = log(__name__)

STATUS: dict[type[errors.RootBloodError], int] = {
    errors.BadInput: 422,
    errors.SignInRequired: 401,
    errors.WrongCredentials: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Changed: 412,
    errors.TooManyRequests: 429,
    errors.DatabaseUnreachable: 503,
    errors.EngineUnreachable: 503,
    errors.ImageMissing: 503,
    errors.NoSpace: 507,
    errors.DialFailed: 504,
    errors.EngineError: 502,
    TooLarge: 422,
    errors.RootBloodError: 500,
}
_OURS = {404: errors.NotFound, 429: errors.TooManyRequests}


def status_of(error: errors.RootBloodError) -> int:
    """Return the status of the nearest class in the error's family."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def document(error: errors.RootBloodError) -> dict[str, Any]:
    """Return the problem document of an error."""
    problem: dict[str, Any] = {
        "type": f"urn:rootblood:{error.slug}",
        "title": error.title,
        "status": status_of(error),
        "detail": error.message,
        "slug": error.slug,
        "hint": error.hint,
    }
    if isinstance(error, errors.BadInput) and error.field:
        problem["field"] = error.field
    if isinstance(error, errors.EngineError) and error.log:
        problem["log"] = error.log
    return problem


def wants_json() -> bool:
    """Return whether the caller is a program rather than a person looking at pages."""
    return request.path.startswith(("/api/", "/session", "/healthz", "/readyz"))


def is_page() -> bool:
    """Return whether a person asked for a page, rather than sent a form."""
    return request.method in ("GET", "HEAD") and not wants_json()


def answer(problem: dict[str, Any]) -> Response:
    """Return the problem as JSON or as a page."""
    if wants_json():
        response = jsonify(problem)
        response.mimetype = "application/problem+json"
    else:
        try:
            find_caller()
        except DBAPIError:
            g.caller = None  # the database cannot tell: the page does without a name on it
        response = make_response(render_template("error.html", problem=problem))
    response.status_code = problem["status"]
    if problem["status"] == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem["status"] in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        response.headers["Retry-After"] = "10"
    return response


def _http_problem(error: HTTPException) -> dict[str, Any]:
    """Return what Flask and its extensions refused by themselves, in our words if we have some."""
    status = error.code or 500
    if isinstance(error, WebsocketMismatch):
        return document(errors.BadInput("This address speaks WebSocket only", field="Upgrade"))
    if status in _OURS:
        return document(_OURS[status]())
    slug, hint = HTTPStatus(status).name.lower().replace("_", "-"), ""
    if isinstance(error, RequestEntityTooLarge):
        # Nothing that this server takes is that large: the value is bad, whatever it is.
        status, slug, hint = 422, "too-long", "Send at most 256 KiB."
    if isinstance(error, CSRFError):
        slug = "bad-csrf-token"
        hint = (
            "Reload the page and try again. Where that never helps, a reverse proxy may not pass "
            "on the Host header: whoever runs this server finds out by script/doctor."
        )
    return {
        "type": f"urn:rootblood:{slug}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.description or HTTPStatus(status).description,
        "slug": slug,
        "hint": hint,
    }


def install(app: Flask) -> None:
    """Register the handlers."""

    @app.errorhandler(errors.RootBloodError)
    def on_known(error: errors.RootBloodError) -> BaseResponse:
        db.session.rollback()
        if isinstance(error, errors.SignInRequired) and is_page():
            here = request.full_path.rstrip("?")
            return redirect(f"/login?{urlencode({'next': here})}", code=303)
        if status_of(error) >= 500:
            LOG.warning("request.failed", slug=error.slug, detail=error.message)
        response = answer(document(error))
        if isinstance(error, errors.Changed) and error.etag:
            response.set_etag(error.etag)
        return response

    @app.errorhandler(HTTPException)
    def on_http(error: HTTPException) -> Response:
        if error.code is not None and error.code < 400:
            return make_response(error.get_response())
        return answer(_http_problem(error))

    @app.errorhandler(DBAPIError)
    def on_database(error: DBAPIError) -> BaseResponse:
        outage = outage_of(error)
        return on_known(outage) if outage is not None else on_bug(error)

    @app.errorhandler(Exception)
    def on_bug(error: Exception) -> Response:
        db.session.rollback()
        LOG.error("request.crashed", exc_info=error)
        return answer(document(errors.RootBloodError(hint="It has been logged. Try again.")))
