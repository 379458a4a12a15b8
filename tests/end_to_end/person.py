"""People who use the server: by API token, or by a browser's cookie."""

import html
import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode

from docker import APIClient

from tests.end_to_end.server import Server
from tests.end_to_end.terminal import Terminal

PASSWORD = "correct horse battery"
Fields = dict[str, str]


@dataclass(frozen=True)
class Answer:
    """A response: its JSON when it is that, else its text."""

    status: int
    body: Any

    @property
    def slug(self) -> str:
        return str(self.body["slug"])


class Caller:
    """Somebody with proof of who they are; ``header`` carries it."""

    def __init__(self, server: Server, header: Fields) -> None:
        self.server = server
        self.header = header
        self._terminals: list[Terminal] = []

    @contextmanager
    def asking(
        self, method: str, path: str, body: bytes = b"", header: Fields | None = None
    ) -> Iterator[HTTPResponse]:
        """Send one request and yield the response while it comes in."""
        with closing(HTTPConnection("127.0.0.1", self.server.port, timeout=120)) as connection:
            connection.request(method, path, body or None, self.header | (header or {}))
            with connection.getresponse() as response:
                yield response

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """Call the API."""
        data = json.dumps(body).encode() if body is not None else b""
        with self.asking(method, path, data, {"Content-Type": "application/json"}) as response:
            text = response.read().decode()
            is_json = "json" in response.headers.get("Content-Type", "")
            return Answer(response.status, json.loads(text) if is_json else text)

    def ok(self, method: str, path: str, body: object = None) -> Any:
        """Call the API and expect success."""
        answer = self.call(method, path, body)
        assert answer.status < 300, answer
        return answer.body

    def terminal(self, name: str = "main", session: str = "main", **options: int) -> Terminal:
        """Open a terminal; it is closed with :meth:`leave`. ``options``: see :class:`Terminal`."""
        url = f"ws://{self.server.host}/api/v1/workspaces/{name}/terminal?session={session}"
        made = Terminal(url, self.header, **options)
        self._terminals.append(made)
        return made

    def leave(self) -> None:
        """Close every terminal."""
        while self._terminals:
            self._terminals.pop().close()

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Close every terminal at the end."""
        try:
            yield
        finally:
            self.leave()

    def at(self, server: Server) -> "Caller":
        """Return the same person at another server."""
        return Caller(server, self.header)


class Visit(Caller):
    """A browser that is signed in."""

    def __init__(self, server: Server, username: str, password: str = PASSWORD) -> None:
        super().__init__(server, {"Origin": server.url})
        self.username = username
        if password:
            self.submit("/login", username=username, password=password)

    @classmethod
    def of(cls, visit: "Visit", server: Server) -> "Visit":
        """Return the same browser at another server: cookies know no ports."""
        other = cls(server, visit.username, password="")
        other.header["Cookie"] = visit.header["Cookie"]
        return other

    def submit(self, path: str, **fields: str) -> int:
        """Send a form of the page at ``path``, or of the account's page; return the status."""
        token = self._csrf("/login" if path == "/login" else "/account")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({"csrf_token": token} | fields).encode()
        with self.asking("POST", path, body, form) as response:
            response.read()
            self._keep_cookie(response)
            assert response.status == 303, f"{path} answered {response.status}"
            return response.status

    def offer(self, template: str, *, apps: str) -> None:
        """Add a template that names these apps; only an administrator's browser may."""
        self.submit(
            "/admin/templates", name=template, title=template.capitalize(), description="",
            image="chaospine:1.0.0", cpus="1", memory_mib="512", pids="256", ports="",
            read_only_root="on", enabled="on", apps=apps,
        )  # fmt: skip

    def _csrf(self, path: str) -> str:
        with self.asking("GET", path) as response:
            page = response.read().decode()
            self._keep_cookie(response)
        found = re.search(r'name="csrf-token" content="([^"]+)"', page)
        assert found, f"{path} has no CSRF token"
        return html.unescape(found[1])

    def _keep_cookie(self, response: HTTPResponse) -> None:
        for cookie in response.headers.get_all("Set-Cookie", []):
            self.header["Cookie"] = cookie.split(";")[0]


class Person(Caller):
    """An account, used by its API token."""

    def __init__(self, server: Server, username: str = "") -> None:
        super().__init__(server, {})
        self._visits: list[Visit] = []
        self.username = username or f"u{secrets.token_hex(4)}"
        new = {"username": self.username, "password": PASSWORD}
        self.ok("POST", "/api/v1/users", new)
        secret = self.ok("POST", "/api/v1/tokens", new | {"name": "test"})["token"]
        self.header["Authorization"] = f"Bearer {secret}"
        query = f"SELECT id, userhash FROM users WHERE username = '{self.username}'"
        ((self._id, self.userhash),) = server.rows(query)

    def visit(self) -> Visit:
        """Sign in with a browser."""
        self._visits.append(Visit(self.server, self.username))
        return self._visits[-1]

    def leave(self) -> None:
        """Close every terminal, the browsers' too."""
        super().leave()
        for visit in self._visits:
            visit.leave()

    def open(self) -> None:
        """Make sure that ``main`` runs."""
        answer = self.ok("POST", "/session")
        assert answer == {"workspace": "main", "state": "running", "url": "/w/main/"}

    def start(self, name: str) -> None:
        """Create a workspace and start it."""
        self.ok("POST", "/api/v1/workspaces", {"name": name})
        self.ok("POST", f"/api/v1/workspaces/{name}/start")

    def workspace(self, name: str = "main") -> Any:
        return self.ok("GET", f"/api/v1/workspaces/{name}")

    def state(self, name: str = "main") -> str:
        return str(self.workspace(name)["state"])

    def rows(self) -> list[int]:
        """Return the ids of the rows of the person's live connections."""
        query = f"SELECT id FROM active_sessions WHERE user_id = {self._id}"
        return [row for (row,) in self.server.rows(query)]

    def container(self, name: str = "main") -> str:
        return f"rb-{self.userhash}-{name}"

    @property
    def home(self) -> str:
        """The name of the volume."""
        return f"home_{self.userhash}"


def execute(client: APIClient, container: str, *command: str) -> str:
    """Run a command inside a container, as its user; return its output."""
    made = client.exec_create(container, list(command))
    output: bytes = client.exec_start(made["Id"])
    return output.decode(errors="replace")


@contextmanager
def creations(client: APIClient, container: str) -> Iterator[Callable[[], int]]:
    """Yield a counter of how often a container of that name has been made since."""
    since = _engine_seconds(client)

    def count() -> int:
        filters = {"event": "create", "container": container}
        made = client.events(
            since=since, until=_engine_seconds(client) + 1, filters=filters, decode=True
        )
        return len(list(made))

    yield count


def _engine_seconds(client: APIClient) -> int:
    moment = client.info()["SystemTime"][:19]  # nanoseconds follow
    return int(datetime.fromisoformat(f"{moment}+00:00").timestamp())


def history(client: APIClient, container: str, session: str = "main") -> list[str]:
    """Return all lines that tmux keeps of a session."""
    shown = execute(
        client, container, "tmux", "capture-pane", "-p", "-S", "-", "-t", f"={session}:"
    )
    return [line.rstrip() for line in shown.splitlines()]


def events(caller: Caller) -> Iterator[tuple[str, Any]]:
    """Follow the server's events: yield the name and the data of each."""
    with suppress(OSError), caller.asking("GET", "/api/v1/events") as response:
        name = ""
        for raw in response:
            key, _, value = raw.decode().rstrip("\n").partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                yield name, json.loads(value)
