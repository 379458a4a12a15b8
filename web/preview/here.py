"""Say on a preview's host that it reaches this server, and as what: where the doctor looks.

Every host below the apps domain answers, also where no workspace has that name, and everybody is
told the same: what their own request looked like when it came in. The gateway hands over requests
for :data:`PATHS`; the page that asks is ``frontend/src/doctor``.
"""

import base64
import hashlib
import json
import struct

from orchestrator.errors import BadInput
from orchestrator.previews import RESERVED
from orchestrator.websocket import VERSION, accept_key, check_key
from web.heads import RequestHead

HERE = f"{RESERVED}here"
"""What arrived, as JSON; over a WebSocket as one message."""
PROBE = f"{RESERVED}probe"
"""A page that tells the page around it whether a cookie of this origin came back."""
PATHS = frozenset({HERE.encode(), PROBE.encode()})

_COOKIE = "rootblood-probe"
_AGAIN = b"again"
# Static, so that the policy can name it by its hash.
_SCRIPT = "parent.postMessage({...document.body.dataset}, '*')"
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_POLICY = f"default-src 'none'; script-src 'sha256-{_HASH}'"
_TEXT, _CLOSE = 0x81, 0x88  # with FIN: RFC 6455, 5.2


def answer(head: RequestHead, *, scheme: str, authority: str, mark: str) -> bytes | None:
    """Return the whole answer, None where there is none; a WebSocket's ends the connection.

    ``scheme`` and ``authority`` are the origin that the request is taken to have, ``mark`` is the
    installation's: see :mod:`orchestrator.doctor.mark`.
    """
    path, _, query = head.target.partition(b"?")
    if head.method != b"GET":
        return None
    if path == PROBE.encode():
        return _probe(head, query, scheme, authority, mark)
    seen = json.dumps({"mark": mark, "scheme": scheme, "host": authority}).encode()
    if head.upgrades:
        return _greeting(head, seen)
    # Anybody's page may read it: it says nothing that who asks has not sent.
    return _response("200 OK", "application/json", seen, ("Access-Control-Allow-Origin", "*"))


def is_trusted(scheme: str, authority: str) -> bool:
    """Return whether browsers take ``Secure`` cookies from the origin."""
    name = authority.rpartition(":")[0] if ":" in authority else authority
    return scheme == "https" or name == "localhost" or name.endswith(".localhost")


def _greeting(head: RequestHead, seen: bytes) -> bytes | None:
    key = head.fields.get(b"sec-websocket-key", b"").decode("latin-1")
    try:
        check_key(key)
    except BadInput:
        return None
    if head.fields.get(b"sec-websocket-version") != VERSION.encode():
        return None
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
    )
    upgraded = "\r\n".join([*lines, "", ""]).encode()
    return upgraded + _frame(_TEXT, seen) + _frame(_CLOSE, struct.pack("!H", 1000))


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size)
    return bytes([first]) + length + payload


def _probe(head: RequestHead, query: bytes, scheme: str, authority: str, mark: str) -> bytes:
    trusted = is_trusted(scheme, authority)
    name = f"__Host-{_COOKIE}" if trusted else _COOKIE
    if query != _AGAIN:
        # As a pass is set in a frame: see web/preview/entry.py.
        attributes = "; Secure; SameSite=None; Partitioned" if trusted else "; SameSite=Lax"
        cookie = f"{name}=1; Path=/; HttpOnly; Max-Age=60{attributes}"
        onward = ("Location", f"{PROBE}?{_AGAIN.decode()}")
        return _response("303 See Other", "text/plain", b"", onward, ("Set-Cookie", cookie))
    pairs = head.fields.get(b"cookie", b"").split(b";")
    came = any(pair.strip().startswith(f"{name}=".encode()) for pair in pairs)
    page = (
        f"<!doctype html><title>Probe</title>"
        f'<body data-mark="{mark}" data-cookie="{"yes" if came else "no"}">'
        f"<script>{_SCRIPT}</script>"
    )
    return _response(
        "200 OK", "text/html; charset=utf-8", page.encode(), ("Content-Security-Policy", _POLICY)
    )


def _response(status: str, media: str, body: bytes, *more: tuple[str, str]) -> bytes:
    fields = (
        ("Content-Type", media),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        *more,
    )
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode() + body
