"""A WebSocket that echoes: a page can tell a proxy that blocks it from a workspace that is down."""

import threading

from flask import Flask, Response, request

from web.identity import bearer, caller
from web.messages import take
from web.upgrade import require_same_origin

MESSAGES_MAX = 10
MESSAGE_BYTES_MAX = 1024
LIFE_SECONDS = 90.0
"""Without a ping of ours: the doctor's page finds out when a proxy cuts off who says nothing."""


def install(app: Flask) -> None:
    """Register ``/api/v1/echo``."""
    app.add_url_rule("/api/v1/echo", "echo", _echo, websocket=True)


def _echo() -> Response:
    require_same_origin(request, bearer=bearer() is not None)
    caller()
    messages = take(
        request.environ, largest_bytes=MESSAGE_BYTES_MAX, silence_seconds=LIFE_SECONDS
    )  # fmt: skip
    ending = threading.Timer(LIFE_SECONDS, messages.close)
    ending.daemon = True
    ending.start()
    try:
        for _ in range(MESSAGES_MAX):
            text = messages.receive()
            if text is None or not messages.send(text):
                break
    finally:
        ending.cancel()
        messages.close()
    return Response(status=101)
