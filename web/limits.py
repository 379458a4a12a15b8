"""Slow down guessing: sign-ins and sign-ups, per address and per account."""

from typing import Any

from flask import Flask, Response, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

limiter = Limiter(key_func=get_remote_address, storage_uri="memory://")


def _account() -> str:
    body: Any = request.get_json(silent=True) if request.is_json else request.form
    name = body.get("username", "") if hasattr(body, "get") else ""
    return f"account:{str(name)[:40].lower()}"


def _failed(response: Response) -> bool:
    return response.status_code in (401, 403, 422)


SIGN_IN = (
    limiter.shared_limit(
        "10 per minute", scope="sign-in-account", key_func=_account, deduct_when=_failed,
        methods=["POST"],
    ),
    limiter.shared_limit(
        "40 per minute", scope="sign-in-address", deduct_when=_failed, methods=["POST"]
    ),
)  # fmt: skip
SIGN_UP = (
    limiter.shared_limit(
        "10 per minute", scope="sign-up-account", key_func=_account, methods=["POST"]
    ),
    limiter.shared_limit(
        "90 per minute; 500 per hour", scope="sign-up-address", methods=["POST"]
    ),
)  # fmt: skip


def install(app: Flask, *, enabled: bool) -> None:
    """Register the limits with the application."""
    app.config["RATELIMIT_ENABLED"] = enabled
    limiter.init_app(app)
