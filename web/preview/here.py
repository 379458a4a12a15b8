"""Say on a preview's host that it reaches this server, and as what: where the doctor looks.

Every host below the apps domain answers, also where no workspace has that name, and everybody is
told the same: what their own request looked like when it came in. The gateway hands over requests
for :data:`PATHS`; the page that asks is ``frontend/src/doctor``.
"""

import json
import struct

from orchestrator.errors import BadInput
from orchestrator.previews import HERE, PROBE
from orchestrator.websocket import VERSION, accept_key, check_key
from web.heads import RequestHead
from web.origins import is_trusted
from web.preview.cookies import PROBE as COOKIE
from web.preview.cookies import Jar
from web.preview.refusals import COMMON, response, script_hash

PATHS = frozenset({HERE.encode(), PROBE.encode()})

_AGAIN = b"again"
# Static, so that the policy can name it by its hash.
_SCRIPT = "parent.postMessage({...document.body.dataset}, '*')"
_POLICY = f"default-src 'none'; script-src {script_hash(_SCRIPT)}"
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
    seen = json.dumps({"mark": mark, "scheme": scheme, "host": authority})
    if head.upgrades:
        return _greeting(head, seen.encode())
    # Anybody's page may read it: it says nothing that who asks has not sent.
    return _answer(head, 200, "application/json", seen, ("Access-Control-Allow-Origin", "*"))


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
    jar = Jar(secure=is_trusted(scheme, authority), framed=True)  # as a pass is set in a frame
    if query != _AGAIN:
        onward = ("Location", f"{PROBE}?{_AGAIN.decode()}")
        return _answer(head, 303, "text/plain", "", onward, ("Set-Cookie", jar.set(COOKIE, "1")))
    start = f"{jar.name(COOKIE, framed=True)}=".encode()
    pairs = head.fields.get(b"cookie", b"").split(b";")
    came = any(pair.strip().startswith(start) for pair in pairs)
    page = (
        f"<!doctype html><title>Probe</title>"
        f'<body data-mark="{mark}" data-cookie="{"yes" if came else "no"}">'
        f"<script>{_SCRIPT}</script>"
    )
    policy = ("Content-Security-Policy", _POLICY)
    return _answer(head, 200, "text/html; charset=utf-8", page, policy)


def _answer(head: RequestHead, status: int, media: str, body: str, *more: tuple[str, str]) -> bytes:
    fields = (("Content-Type", media), *COMMON.items(), *more)
    return response(head, status, body.encode(), fields)
