"""Every route, by who may use it: a new one belongs here, or test_every_route fails."""

from dataclasses import dataclass

PUBLIC = {
    "GET /": 200,
    "GET /login": 200,
    "GET /register": 200,
    "GET /recover": 200,
    "GET /docs/api": 200,
    "GET /api/openapi.json": 200,
    "GET /healthz": 200,
    "GET /readyz": 200,
    "GET /static/<path:filename>": 404,  # nothing is built in a test
    "POST /api/v1/users": 422,
    "POST /api/v1/tokens": 422,
    # Forms: with their CSRF token.
    "POST /login": 401,
    "POST /register": 422,
    "POST /recover": 422,
    "POST /logout": 303,
}
"""What a stranger may use, and the answer to an empty request."""

PRIVATE = {
    "GET /account",
    "GET /account/delete",
    "POST /account/delete",
    "POST /account/logins/<int:login_id>/delete",
    "POST /account/logins/delete",
    "POST /account/password",
    "POST /account/recovery",
    "POST /account/tokens",
    "POST /account/tokens/<int:token_id>/delete",
    "GET /home",
    "GET /templates",
    "GET /w/<name>/",
    "GET /doctor",
    "GET /api/v1/doctor",
    "GET /api/v1/events",
    "GET /api/v1/home",
    "POST /api/v1/home/lock",
    "POST /api/v1/home/unlock",
    "GET /api/v1/home/archive",
    "GET /api/v1/home/diff",
    "GET /api/v1/home/jobs/<job_id>",
    "GET /api/v1/home/snapshots",
    "POST /api/v1/home/snapshots",
    "DELETE /api/v1/home/snapshots/<int:snapshot_id>",
    "GET /api/v1/home/snapshots/<int:snapshot_id>/archive",
    "GET /api/v1/home/snapshots/<int:snapshot_id>/content",
    "GET /api/v1/home/snapshots/<int:snapshot_id>/files",
    "POST /api/v1/home/snapshots/<int:snapshot_id>/restore",
    "GET /api/v1/home/versions",
    "GET /api/v1/me",
    "DELETE /api/v1/me",
    "GET /api/v1/templates",
    "GET /api/v1/tokens",
    "DELETE /api/v1/tokens/<int:token_id>",
    "GET /api/v1/workspaces",
    "POST /api/v1/workspaces",
    "GET /api/v1/workspaces/<name>",
    "PATCH /api/v1/workspaces/<name>",
    "DELETE /api/v1/workspaces/<name>",
    "POST /api/v1/workspaces/<name>/restart",
    "GET /api/v1/workspaces/<name>/sessions",
    "DELETE /api/v1/workspaces/<name>/sessions/<session>",
    "POST /api/v1/workspaces/<name>/snooze",
    "POST /api/v1/workspaces/<name>/start",
    "POST /api/v1/workspaces/<name>/stop",
    "POST /session",
}
"""What a person who is signed in may use."""

ADMIN = {
    "GET /admin/events",
    "GET /admin/invites",
    "POST /admin/invites",
    "POST /admin/invites/<int:invite_id>/delete",
    "GET /admin/templates",
    "POST /admin/templates",
    "POST /admin/templates/<name>",
    "POST /admin/templates/<name>/delete",
    "GET /admin/users",
    "POST /admin/users/<username>/<step>",
    "GET /api/v1/users/<username>",
    "PATCH /api/v1/users/<username>",
}

WEBSOCKETS = {
    "GET /api/v1/echo",
    "GET /api/v1/workspaces/<name>/terminal",
}

BRING_CREDENTIALS = {"POST /api/v1/users", "POST /api/v1/tokens"}
"""Unsafe, and without CSRF tokens: they use no cookie."""

_SAMPLES = {
    "<int:login_id>": "1",
    "<int:token_id>": "1",
    "<int:invite_id>": "1",
    "<int:snapshot_id>": "1",
    "<job_id>": "none",
    "<path:filename>": "none.js",
    "<session>": "main",
    "<username>": "bob",
    "<step>": "suspend",
    "<name>": "web",
}


@dataclass(frozen=True)
class Route:
    """One method on one rule, with a path that matches it."""

    method: str
    path: str

    @property
    def unsafe(self) -> bool:
        return self.method != "GET"


def route(line: str) -> Route:
    """Return ``GET /w/<name>/`` as a route, its parameters filled in."""
    method, path = line.split()
    for parameter, value in _SAMPLES.items():
        path = path.replace(parameter, value)
    assert "<" not in path, f"say what to put for the parameter in {path}"
    return Route(method, path)


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "tty",
}
