"""A WebSocket that echoes: a page can tell a proxy that blocks it from a workspace that is down."""

from flask import Flask, request
from flask_sock import Sock
from simple_websocket import Server

from orchestrator.errors import BadInput
from web.identity import bearer, caller
from web.upgrade import require_same_origin

MESSAGES_MAX = 10
MESSAGE_BYTES_MAX = 1024
PATIENCE_SECONDS = 90.0
"""Without a ping of ours: the doctor's page finds out when a proxy cuts off who says nothing."""


def install(app: Flask) -> None:
    """Register ``/api/v1/echo``."""
    app.config["SOCK_SERVER_OPTIONS"] = {"max_message_size": MESSAGE_BYTES_MAX}
    sock = Sock()

    @app.before_request
    def check() -> None:
        if request.path == "/api/v1/echo":
            # First of all: to the doctor a stranger's 401 shows that the upgrade got this far.
            if request.headers.get("Upgrade", "").lower() != "websocket":
                raise BadInput("This address speaks WebSocket only", field="Upgrade")
            require_same_origin(request, bearer=bearer() is not None)
            caller()

    @sock.route("/api/v1/echo")  # type: ignore[untyped-decorator]
    def echo(socket: Server) -> None:
        for _ in range(MESSAGES_MAX):
            message = socket.receive(timeout=PATIENCE_SECONDS)
            if message is None:
                return
            socket.send(message)

    sock.init_app(app)
