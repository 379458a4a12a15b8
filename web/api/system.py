"""The catalogue, live events, health, and the API's own description."""

from flask import Response, current_app, jsonify
from sqlalchemy import text

from models import db, end_reading
from web import live, present
from web.api import openapi, schema
from web.api.operation import api, operation
from web.identity import caller, platform


@operation("GET", "/templates", tag="catalogue", answer=schema.Templates)
def list_templates() -> schema.Templates:
    """List what workspaces can be made from."""
    return schema.Templates(templates=present.templates(platform()))


@operation("GET", "/events", tag="live", media="text/event-stream")
def follow_events() -> Response:
    """Follow your workspaces live, as server-sent events.

    Their names are state, archive (the progress of a download) and signed-out.
    """
    return live.response(current_app._get_current_object(), caller())  # type: ignore[attr-defined]


@operation("GET", "//healthz", tag="health", answer=schema.Health, public=True)
def health() -> schema.Health:
    """Say that the process answers."""
    return schema.Health(status="ok")


@operation("GET", "//readyz", tag="health", answer=schema.Health, public=True)
def ready() -> schema.Health:
    """Say that the database and the engine answer, so that workspaces can be opened."""
    db.session.execute(text("SELECT 1"))
    end_reading()
    platform().engine.inspect("rb-none")  # absent is fine, no answer raises
    return schema.Health(status="ok")


@api.get("/api/openapi.json")
def openapi_document() -> Response:
    """Serve the OpenAPI 3.1 document."""
    return jsonify(openapi.document())
