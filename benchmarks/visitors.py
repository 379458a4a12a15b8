"""Who asks a preview, and in which words: a program with a token, and a browser with a pass.

What a browser says is what Chromium says of a page's module, asked for by another module. The pass
is got as a browser gets it: over the panel, by a ticket.
"""

import re
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlencode, urlsplit

from benchmarks.server import PASSWORD, User

VARIANTS = 4096
"""Requests in turn; well above what a server could remember of those before: ``heads.REMEMBERED``.
"""
_CHROMIUM = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
)
_HINTS = (
    'sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"',
    "sec-ch-ua-mobile: ?0",
    'sec-ch-ua-platform: "Linux"',
)
_STEPS_MOST = 8


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may open a preview. ``proof`` is the field that shows it."""

    host: str
    proof: str
    is_browser: bool = False

    def requests(self) -> list[bytes]:
        """Return requests to be made in turn; no two are the same."""
        return [self._asking(f"/src/part.js?v={number}") for number in range(VARIANTS)]

    def distinct_requests(self) -> list[bytes]:
        """Return a browser's requests of which not even the fields are ever the same."""
        return [
            self._asking(f"/src/part.js?v={number}", importer=f"/src/page.js?v={number}")
            for number in range(VARIANTS)
        ]

    def request(self, path: str, *fields: str) -> bytes:
        """Return one request's head, without what a browser says of itself."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.host}", self.proof, *fields]
        return "\r\n".join([*lines, "", ""]).encode()

    def handshake(self, path: str = "/ws", *fields: str) -> bytes:
        """Return the request for a WebSocket."""
        said = (
            "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *fields,
        )  # fmt: skip
        own = ("Pragma: no-cache", "Cache-Control: no-cache", f"Origin: http://{self.host}")
        return self.request(path, *said, *((*own, *_CHROMIUM) if self.is_browser else ()))

    def _asking(self, path: str, *, importer: str = "/src/page.js") -> bytes:
        if not self.is_browser:
            return self.request(path, "Accept: */*")
        return self.request(
            path, "Connection: keep-alive", *_HINTS, "Accept: */*", "Sec-Fetch-Site: same-origin",
            "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: script",
            f"Referer: http://{self.host}{importer}", *_CHROMIUM,
        )  # fmt: skip


def by_token(user: User, host: str) -> Visitor:
    """Return a program of a user's."""
    return Visitor(host, f"Authorization: Bearer {user.token}")


def by_pass(user: User, host: str) -> Visitor:
    """Return a user's browser once it has the preview in front. Raises: RuntimeError."""
    browser = _Browser(user.server.port)
    panel = f"http://localhost:{user.server.port}"
    found = re.search(r'name="csrf-token" content="([^"]+)"', browser.get(f"{panel}/login"))
    if not found:
        raise RuntimeError("the sign-in page has no token")
    browser.post(
        f"{panel}/login",
        {"csrf_token": found[1], "username": user.name, "password": PASSWORD},
    )
    browser.get(f"http://{host}/")
    cookies = "; ".join((browser.cookies(host), "theme=dark"))  # one is the app's own
    return Visitor(host, f"Cookie: {cookies}", is_browser=True)


class _Browser:
    """Follows redirects and keeps cookies, each for its host. All names are of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._jars: dict[str, dict[str, str]] = {}

    def cookies(self, host: str) -> str:
        """Return what a request to a host carries."""
        return "; ".join(f"{name}={value}" for name, value in self._jars.get(host, {}).items())

    def get(self, url: str) -> str:
        """Open a page; return its text. Raises: RuntimeError."""
        for _ in range(_STEPS_MOST):
            status, text, location = self._send("GET", url)
            if status == 200:
                return text
            if status != 303:
                break
            url = location
        raise RuntimeError(f"{url} answered {status}: {text[:500]}")

    def post(self, url: str, form: dict[str, str]) -> None:
        """Send a form that answers with a redirect, which is not followed. Raises: RuntimeError."""
        status, text, _ = self._send("POST", url, urlencode(form))
        if status != 303:
            raise RuntimeError(f"{url} answered {status}: {text[:500]}")

    def _send(self, method: str, url: str, body: str | None = None) -> tuple[int, str, str]:
        parts = urlsplit(url)
        fields = dict(line.split(": ", 1) for line in (*_HINTS, *_CHROMIUM)) | {
            "Host": parts.netloc, "Cookie": self.cookies(parts.netloc), "Accept": "text/html",
            "Accept-Encoding": "identity", "Sec-Fetch-Site": "none",
            "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1",
        }  # fmt: skip
        if body is not None:
            fields |= {
                "Origin": f"http://{parts.netloc}",
                "Sec-Fetch-Site": "same-origin",
                "Content-Type": "application/x-www-form-urlencoded",
            }
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request(method, target, body, fields)
            response = connection.getresponse()
            self._keep(parts.netloc, response)
            text = response.read().decode(errors="replace")
            return response.status, text, response.headers.get("Location", "")
        finally:
            connection.close()

    def _keep(self, host: str, response: HTTPResponse) -> None:
        for line in response.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self._jars.setdefault(host, {})[name] = value
