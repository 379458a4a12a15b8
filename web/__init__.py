"""The web: pages and API over the orchestrator's use cases."""

import hashlib
import json
import os
import secrets
from contextlib import suppress
from datetime import timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from flask_migrate import Migrate
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map, PathConverter

from models import configure_sqlite, db
from orchestrator.doctor import unprotected
from orchestrator.platform import Platform
from web import (
    account,
    admin,
    apps,
    commons,
    deletion,
    doctor,
    echo,
    git,
    home,
    identity,
    limits,
    opening,
    pages,
    problems,
    repository,
    static,
    terminal,
)
from web.api import api
from web.policy import content_policy

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "migrations"
SECRET_KEY = "secret.key"  # noqa: S105  # a name
"""In the data directory."""
BODY_BYTES_MAX = 256 << 10
# Parameters hold the hashes of passwords and secrets: no error may carry them into the log.
_POOL = {"pool_size": 20, "max_overflow": 200, "pool_pre_ping": True, "hide_parameters": True}

HEADERS = {
    "Content-Security-Policy": content_policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def create_app(platform: Platform) -> Flask:
    """Return the WSGI application that serves ``platform``."""
    settings = platform.settings
    app = Flask(
        "rootblood", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static")
    )
    app.extensions["rootblood"] = platform
    platform.jobs.context = app.app_context
    app.config.update(
        SECRET_KEY=secret_key(settings.data_dir / SECRET_KEY),
        SQLALCHEMY_DATABASE_URI=settings.database,
        SQLALCHEMY_ENGINE_OPTIONS=_POOL,
        MAX_CONTENT_LENGTH=BODY_BYTES_MAX,
        MAX_FORM_MEMORY_SIZE=BODY_BYTES_MAX,
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=settings.login_seconds),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters["int"] = RowNumber
    app.url_map.converters["anything"] = Anything
    db.init_app(app)
    with app.app_context():
        configure_sqlite(db.engine)
    Migrate(app, db, directory=str(MIGRATIONS))
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
    identity.install(app)
    opening.install(app)
    limits.install(app, enabled=settings.rate_limits)
    problems.install(app)
    for blueprint in (
        pages.pages,
        home.pages,
        account.pages,
        terminal.pages,
        opening.pages,
        apps.pages,
        admin.pages,
        deletion.pages,
        doctor.pages,
        commons.pages,
        repository.pages,
        git.git,
        api,
    ):
        app.register_blueprint(blueprint)
    echo.install(app)
    static.install(app)
    _install_templates(app)

    @app.after_request
    def harden(response: Response) -> Response:
        for name, value in HEADERS.items():
            # Browsers heed it from trustworthy origins only, and complain elsewhere.
            if name != "Cross-Origin-Opener-Policy" or not identity.exposed_origin():
                response.headers.setdefault(name, value)
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


class RowNumber(IntegerConverter):
    """Numbers in paths are those of rows; what no row can have is not found."""

    def __init__(self, map: Map) -> None:
        super().__init__(map, max=2**31 - 1)


class Anything(PathConverter):
    """The rest of a path, whatever is in it: names in repositories may have newlines."""

    regex = r"[^/](?s:.*)"


def secret_key(path: Path) -> bytes:
    """Return the installation's secret key, made and kept on first use.

    Two first starts at once agree: the file appears whole or not at all.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        # Not named after the process: in a container the next one has the same number.
        fresh = path.with_suffix(f".{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
        return path.read_bytes()


@cache
def _digest(path: Path, changed_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _asset(name: str) -> str:
    path = ROOT / "static" / "dist" / name
    try:
        return f"/static/dist/{name}?v={_digest(path, path.stat().st_mtime_ns)}"
    except FileNotFoundError:
        return f"/static/dist/{name}"


def _version() -> str:
    try:
        return version("rootblood")
    except PackageNotFoundError:
        line = next(
            line for line in (ROOT / "pyproject.toml").read_text().splitlines()
            if line.startswith("version")
        )  # fmt: skip
        return str(json.loads(line.partition("=")[2]))


def _of_homes(platform: Platform) -> list[dict[str, Any]]:
    if not unprotected(platform):
        return []
    why = Markup('Others with access to its disk could read yours, and one home can fill it: see '
                 '<a class="link" href="/doctor">what this server rests on</a>.')  # fmt: skip
    return [{"title": "Homes are neither encrypted nor capped on this server", "text": why}]


def _install_templates(app: Flask) -> None:
    number = _version()

    @app.context_processor
    def everywhere() -> dict[str, Any]:
        warnings = []
        if identity.exposed_origin():
            warnings.append(
                {
                    "title": "This connection is not encrypted",
                    "text": "Passwords and everything you type can be read on the way. "
                    "Put a TLS proxy in front: see 'How to serve over HTTPS' in the docs.",
                }
            )
        if request.endpoint == "pages.home" and identity.find_caller() is not None:
            warnings += _of_homes(identity.platform())
        # A page asks for the same icons a hundred times.
        return {"asset": cache(_asset), "version": number, "warnings": warnings}
