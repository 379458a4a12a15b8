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
    # git shows its own prompt, and knows nothing of cookies.
    "GET /git/<owner>/<name>/info/refs": 401,
    "POST /git/<owner>/<name>/git-receive-pack": 401,
    "POST /git/<owner>/<name>/git-upload-pack": 401,
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
    "GET /api/v1/doctor/seen",
    "GET /global",
    "GET /global/-/feed",
    "GET /global/-/new",
    "POST /global/-/new",
    "POST /global/-/presence",
    "POST /global/-/share/delete",
    "GET /global/<owner>/",
    "GET /global/<owner>/-/share/",
    "GET /global/<owner>/-/share/<path:path>",
    "GET /global/<owner>/<name>/",
    "GET /global/<owner>/<name>/archive/<anything:rest>",
    "GET /global/<owner>/<name>/blame/<anything:rest>",
    "GET /global/<owner>/<name>/blob/<anything:rest>",
    "GET /global/<owner>/<name>/branches",
    "POST /global/<owner>/<name>/collaborators",
    "POST /global/<owner>/<name>/collaborators/<username>/delete",
    "GET /global/<owner>/<name>/commit/<commit_id>",
    "GET /global/<owner>/<name>/commits/",
    "GET /global/<owner>/<name>/commits/<anything:rest>",
    "GET /global/<owner>/<name>/compare/",
    "GET /global/<owner>/<name>/compare/<anything:spec>",
    "POST /global/<owner>/<name>/delete",
    "POST /global/<owner>/<name>/fork",
    "GET /global/<owner>/<name>/forks",
    "POST /global/<owner>/<name>/open",
    "GET /global/<owner>/<name>/proposals/",
    "POST /global/<owner>/<name>/proposals/",
    "GET /global/<owner>/<name>/proposals/<int:count>",
    "POST /global/<owner>/<name>/proposals/<int:count>/close",
    "POST /global/<owner>/<name>/proposals/<int:count>/comments",
    "POST /global/<owner>/<name>/proposals/<int:count>/comments/<int:comment_id>/delete",
    "GET /global/<owner>/<name>/proposals/<int:count>/commits",
    "POST /global/<owner>/<name>/proposals/<int:count>/edit",
    "GET /global/<owner>/<name>/proposals/<int:count>/files",
    "POST /global/<owner>/<name>/proposals/<int:count>/merge",
    "POST /global/<owner>/<name>/proposals/<int:count>/reopen",
    "GET /global/<owner>/<name>/proposals/new",
    "GET /global/<owner>/<name>/raw/<anything:rest>",
    "GET /global/<owner>/<name>/settings",
    "POST /global/<owner>/<name>/settings/<step>",
    "POST /global/<owner>/<name>/star",
    "GET /global/<owner>/<name>/tags",
    "GET /global/<owner>/<name>/tree/<anything:rest>",
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
    "PUT /api/v1/share/<path:path>",
    "DELETE /api/v1/share/<path:path>",
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
    "GET /api/v1/activity",
    "GET /api/v1/people",
    "GET /api/v1/people/<username>",
    "GET /api/v1/people/<username>/share",
    "GET /api/v1/people/<username>/share/content",
    "PUT /api/v1/presence",
    "GET /api/v1/repos",
    "POST /api/v1/repos",
    "GET /api/v1/repos/export",
    "GET /api/v1/repos/<owner>/<repo>",
    "PATCH /api/v1/repos/<owner>/<repo>",
    "DELETE /api/v1/repos/<owner>/<repo>",
    "POST /api/v1/repos/<owner>/<repo>/fork",
    "PUT /api/v1/repos/<owner>/<repo>/star",
    "DELETE /api/v1/repos/<owner>/<repo>/star",
    "GET /api/v1/repos/<owner>/<repo>/collaborators",
    "PUT /api/v1/repos/<owner>/<repo>/collaborators/<username>",
    "DELETE /api/v1/repos/<owner>/<repo>/collaborators/<username>",
    "GET /api/v1/repos/<owner>/<repo>/branches",
    "GET /api/v1/repos/<owner>/<repo>/tags",
    "GET /api/v1/repos/<owner>/<repo>/facts",
    "GET /api/v1/repos/<owner>/<repo>/tree",
    "GET /api/v1/repos/<owner>/<repo>/raw",
    "GET /api/v1/repos/<owner>/<repo>/archive",
    "GET /api/v1/repos/<owner>/<repo>/commits",
    "GET /api/v1/repos/<owner>/<repo>/commits/<commit>",
    "GET /api/v1/repos/<owner>/<repo>/compare",
    "GET /api/v1/repos/<owner>/<repo>/blame",
    "GET /api/v1/repos/<owner>/<repo>/proposals",
    "POST /api/v1/repos/<owner>/<repo>/proposals",
    "GET /api/v1/repos/<owner>/<repo>/proposals/<int:number>",
    "PATCH /api/v1/repos/<owner>/<repo>/proposals/<int:number>",
    "POST /api/v1/repos/<owner>/<repo>/proposals/<int:number>/merge",
    "GET /api/v1/repos/<owner>/<repo>/proposals/<int:number>/comments",
    "POST /api/v1/repos/<owner>/<repo>/proposals/<int:number>/comments",
    "DELETE /api/v1/repos/<owner>/<repo>/proposals/<int:number>/comments/<int:comment_id>",
    "GET /api/v1/workspaces/<name>/files",
    "GET /api/v1/workspaces/<name>/files/archive",
    "GET /api/v1/workspaces/<name>/files/content",
    "PUT /api/v1/workspaces/<name>/files/content",
    "DELETE /api/v1/workspaces/<name>/files/content",
    "POST /api/v1/workspaces/<name>/files/copy",
    "POST /api/v1/workspaces/<name>/files/mkdir",
    "POST /api/v1/workspaces/<name>/files/move",
    "GET /api/v1/workspaces/<name>/files/names",
    "GET /api/v1/workspaces/<name>/files/search",
    "POST /api/v1/workspaces/<name>/files/replace",
    "GET /api/v1/workspaces/<name>/git",
    "GET /api/v1/workspaces/<name>/git/branches",
    "GET /api/v1/workspaces/<name>/git/diff",
    "GET /api/v1/workspaces/<name>/git/log",
    "GET /api/v1/workspaces/<name>/git/show",
    "POST /api/v1/workspaces/<name>/git/commit",
    "POST /api/v1/workspaces/<name>/git/discard",
    "POST /api/v1/workspaces/<name>/git/init",
    "POST /api/v1/workspaces/<name>/git/stage",
    "POST /api/v1/workspaces/<name>/git/switch",
    "POST /api/v1/workspaces/<name>/git/unstage",
    "GET /api/v1/workspaces/<name>/languages",
    "GET /api/v1/workspaces/<name>/apps",
    "POST /api/v1/workspaces/<name>/apps/<app_id>/start",
    "POST /api/v1/workspaces/<name>/apps/<app_id>/stop",
    "GET /w/<name>/apps/<app_id>",
    "GET /api/v1/workspaces/<name>/ports",
    "PUT /api/v1/workspaces/<name>/ports/<int:port>",
    "GET /apps/open",
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
    "GET /api/v1/workspaces/<name>/files/watch",
    "GET /api/v1/workspaces/<name>/language",
    "GET /api/v1/workspaces/<name>/ports/watch",
    "GET /api/v1/workspaces/<name>/terminal",
}

BRING_CREDENTIALS = {"POST /api/v1/users", "POST /api/v1/tokens"}
"""Unsafe, and without CSRF tokens: they use no cookie."""

SPEAK_GIT = {
    "POST /git/<owner>/<name>/git-receive-pack",
    "POST /git/<owner>/<name>/git-upload-pack",
}
"""As above, and for tokens alone: see tests/web/test_git.py."""

_SAMPLES = {
    "<int:login_id>": "1",
    "<int:token_id>": "1",
    "<int:invite_id>": "1",
    "<int:snapshot_id>": "1",
    "<app_id>": "docs",
    "<job_id>": "none",
    "<path:filename>": "none.js",
    "<path:path>": "table.csv",
    "<session>": "main",
    "<username>": "bob",
    "<step>": "suspend",
    "<repo>": "web",
    "<owner>": "bob",
    "<int:number>": "1",
    "<int:comment_id>": "1",
    "<commit>": "main",
    "<commit_id>": "main",
    "<anything:rest>": "main/README.md",
    "<anything:spec>": "main...side",
    "<int:count>": "1",
    "<int:port>": "5173",
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
