"""Go the way of a browser to the panel and to a preview, without signing in.

Nothing is believed that the answer does not show: the WebSocket of the panel refuses a stranger
with 401 only after it has looked at ``Upgrade``, ``Host`` and ``Origin``, and a preview's host says
who it is and what it saw (``web/preview/here.py``).
"""

import base64
import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from orchestrator.doctor.finding import Finding, Verdict
from orchestrator.doctor.previews import nobodys
from orchestrator.errors import BadInput
from orchestrator.previews import HERE
from orchestrator.settings import Settings
from orchestrator.websocket import VERSION

PATIENCE_SECONDS = 8.0
SOON_DAYS = 14
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """An origin, and where to connect to for it: ``at`` instead of what its name resolves to."""

    scheme: str
    host: str
    port: int
    at: tuple[str, int] | None = None

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Return the origin that a panel's address names. Raises: BadInput."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError):
            parts, port = urlsplit(""), 0
        if not parts.hostname or parts.path not in ("", "/") or "@" in parts.netloc:
            raise BadInput(
                f"{url!r} is not the address of a panel", field="url",
                hint="Write it as https://panel.example.org.",
            )  # fmt: skip
        return cls(parts.scheme, parts.hostname, port)

    @property
    def authority(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to. Browsers find ``localhost`` and what is below it by themselves."""
        local = self.host == "localhost" or self.host.endswith(".localhost")
        return self.at or ("127.0.0.1" if local else self.host, self.port)

    def asked(self, path: str, **headers: str) -> tuple[HTTPResponse, bytes]:
        """Ask once; return the response and the beginning of its body.

        A certificate is looked at by :func:`_certificate` alone. Raises: OSError, HTTPException.
        """
        with closing(self._connection()) as connection:
            fields = {"Host": self.authority, "Origin": self.origin}
            fields |= {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers=fields)
            response = connection.getresponse()
            if response.status == 101:
                return response, response.fp.read1(4096)  # the head's reader has it
            return response, response.read(65536)

    def _connection(self) -> HTTPConnection:
        host, port = self.address
        if self.scheme == "http":
            return HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPSConnection(host, port, timeout=PATIENCE_SECONDS, context=context)
        plain = socket.create_connection((host, port), timeout=PATIENCE_SECONDS)
        connection.sock = context.wrap_socket(plain, server_hostname=self.host)
        return connection


def examine(panel: Origin, settings: Settings, mark: str) -> list[Finding]:
    """Return what is to say of the way to the panel, and to a preview that nobody has."""
    found = list(_to_panel(panel))
    if found and found[-1].name == "reached":
        return found
    return [*found, *_to_previews(preview_of(panel, settings), mark)]


def preview_of(panel: Origin, settings: Settings) -> Origin:
    """Return the origin of a preview that nobody has, with a name as long as they get."""
    host, port = nobodys(settings)
    return Origin(panel.scheme, host, int(port or panel.port), panel.at)


def _to_panel(panel: Origin) -> Iterator[Finding]:
    yield from _certificate(panel, "tls")
    try:
        response, body = panel.asked("/healthz")
    except (OSError, HTTPException) as error:
        yield Finding(
            "reached", Verdict.FAIL, f"Nothing answers at {panel.origin}: {_why(error)}.",
            "Does the name lead to this machine, and does the proxy run?",
        )  # fmt: skip
        return
    if response.status != 200 or _parsed(body).get("status") != "ok":
        yield Finding(
            "reached", Verdict.FAIL,
            f"Something answers at {panel.origin}, but not this server: status {response.status}.",
            "Look where the proxy sends requests for this host.",
        )  # fmt: skip
        return
    yield Finding("panel", Verdict.OK, f"The panel answers at {panel.origin}.")
    yield _upgrade(panel)


def _upgrade(panel: Origin) -> Finding:
    """Open the echo as a stranger: what refuses it shows how far the request came."""
    try:
        status = panel.asked("/api/v1/echo", **_handshake())[0].status
    except (OSError, HTTPException) as error:
        return Finding("websocket", Verdict.FAIL, f"A WebSocket broke off: {_why(error)}.")
    if status == 401:
        return Finding("websocket", Verdict.OK, "WebSockets reach the panel, as from its own page.")
    if status == 403:
        return Finding(
            "websocket", Verdict.FAIL,
            f"The server does not see that it is {panel.origin}: WebSockets are refused.",
            "Let the proxy pass on Host with its port, and X-Forwarded-Proto; "
            "ROOTBLOOD_TRUSTED_PROXIES is the number of proxies in front.",
        )  # fmt: skip
    return Finding(
        "websocket", Verdict.FAIL, f"WebSockets do not get through: status {status}.",
        "Let 'Upgrade: websocket' pass: in nginx, proxy_http_version 1.1 and proxy_set_header for "
        "Upgrade and Connection.",
    )  # fmt: skip


def _to_previews(preview: Origin, mark: str) -> Iterator[Finding]:
    shown = preview.host if preview.host.count("--") < 2 else f"*.{preview.host.split('.', 1)[1]}"
    yield from _certificate(preview, "preview-tls")
    try:
        response, body = preview.asked(HERE)
    except (OSError, HTTPException) as error:
        yield Finding(
            "previews", Verdict.FAIL, f"Nothing answers at {shown}: {_why(error)}.",
            "Make a wildcard DNS record that leads here, or set ROOTBLOOD_APPS_HOST.",
        )  # fmt: skip
        return
    seen = _parsed(body)
    if response.status != 200 or seen.get("mark") != mark:
        yield Finding(
            "previews", Verdict.FAIL, f"Something answers at {shown}, but not this server.",
            "Let the proxy send every host below the apps domain to this server, with its Host.",
        )  # fmt: skip
        return
    origin = f"{seen.get('scheme')}://{seen.get('host')}"
    if origin != preview.origin:
        yield Finding(
            "previews", Verdict.FAIL, f"A preview at {preview.origin} is taken for {origin}.",
            "Let the proxy pass Host and X-Forwarded-Proto on for previews, as for the panel.",
        )  # fmt: skip
        return
    yield Finding("previews", Verdict.OK, f"Previews reach this server at {shown}.")
    yield _preview_upgrade(preview)


def _preview_upgrade(preview: Origin) -> Finding:
    try:
        response, first = preview.asked(HERE, **_handshake())
    except (OSError, HTTPException) as error:
        return Finding("preview-websocket", Verdict.FAIL, f"A WebSocket broke off: {_why(error)}.")
    if response.status == 101 and first:
        return Finding("preview-websocket", Verdict.OK, "WebSockets get through to previews.")
    return Finding(
        "preview-websocket", Verdict.FAIL, "WebSockets do not get through to previews.",
        "Let 'Upgrade: websocket' pass for the hosts of previews as for the panel.",
    )  # fmt: skip


def _certificate(of: Origin, name: str) -> Iterator[Finding]:
    """Look at a certificate as a browser does, with the authorities of this machine."""
    if of.scheme == "http":
        return
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection(of.address, timeout=PATIENCE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=of.host) as wrapped,
        ):
            ends = ssl.cert_time_to_seconds(str((wrapped.getpeercert() or {}).get("notAfter")))
    except ssl.SSLCertVerificationError as error:
        yield Finding(
            name, Verdict.FAIL, f"Browsers refuse the certificate: {error.verify_message}.",
            "It must cover this name (a wildcard reaches one level down), be in date, and come "
            "with the certificates between it and an authority.",
        )  # fmt: skip
        return
    except OSError:
        return  # said of the request that follows
    days = int((ends - datetime.now(UTC).timestamp()) // 86400)
    verdict = Verdict.WARN if days < SOON_DAYS else Verdict.OK
    yield Finding(name, verdict, f"The certificate is good for {days} days.", "Renew it.")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _handshake() -> dict[str, str]:
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Version": VERSION,
        "Sec_WebSocket_Key": base64.b64encode(secrets.token_bytes(16)).decode(),
    }


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
