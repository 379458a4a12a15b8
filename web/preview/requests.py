"""A request's head as the app in the workspace gets to see it."""

import base64
import binascii
import re
from collections.abc import Callable
from functools import lru_cache

from web.heads import REMEMBERED, REMEMBERED_BYTES, RequestHead, remembered
from web.preview.sites import Site
from web.preview.stripping import without_ours

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization "
    b"proxy-authentication-info te trailer transfer-encoding upgrade".split()
)
"""Of one connection, not of the message: RFC 9110, 7.6.1, and who was there before it."""

_DROPPED = HOP_BY_HOP | frozenset(
    # What we say ourselves, and what a proxy would say, which no client may say for it. "Proxy"
    # becomes a setting of programs behind CGI (httpoxy).
    b"host content-length forwarded via x-real-ip true-client-ip proxy".split()
)
_FORWARDED = b"x-forwarded-"
_ODD = re.compile(rb"[^a-z0-9-]")

# orchestrator.tokens: "rb_" and 256 bits. Only a part is asked for, a token cut off is one too.
_OUR_TOKEN = re.compile(rb"rb_[A-Za-z0-9_-]{16}")
_BASIC = re.compile(rb"(?i:basic)[ \t]+([A-Za-z0-9+/_=-]+)")


def for_app(head: RequestHead, site: Site, address: str, *, upgrade: bool = False) -> bytes:
    """Return the head for the app: asked as localhost, and without anything that is ours.

    ``address`` is the viewer's, whom the app gets to know as any proxy tells it.
    """
    rewrite = _rewritten if len(head.block) <= REMEMBERED_BYTES else _rewrite
    fields = rewrite(head.block, site, address, upgrade)
    return b"%b %b HTTP/1.1\r\n%b" % (head.method, head.target, fields)


def _rewrite(block: bytes, site: Site, address: str, upgrade: bool) -> bytes:
    """Return the fields for the app, with the empty line."""
    given = remembered(block)
    parts = [b"Host: localhost:%d" % site.label.port]
    for name, line in given.lines:
        if name in _DROPPED or name in given.options or name.startswith(_FORWARDED):
            continue
        rule = _RULES.get(name)
        if rule is not None:
            value = rule(line[len(name) + 1 :].strip(b" \t"), site)
            if not value:
                continue
            parts.append(b"%b: %b" % (line[: len(name)], value))
        elif _ODD.search(name) is None or not _is_alias(name):
            parts.append(line)
    parts.append(
        b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b"
        % (address.encode("latin-1"), site.scheme.encode(), site.authority.encode("latin-1"))
    )
    if given.chunked:
        parts.append(b"Transfer-Encoding: chunked")
    elif given.length is not None:
        parts.append(b"Content-Length: %d" % given.length)
    parts.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" if upgrade else b"\r\n")
    return b"\r\n".join(parts)


_rewritten = lru_cache(REMEMBERED)(_rewrite)


def _is_alias(name: bytes) -> bool:
    """Return whether CGI, WSGI or PHP would take a name for one that we drop or rewrite."""
    plain = _ODD.sub(b"-", name)
    return plain in _DROPPED or plain in _RULES or plain.startswith(_FORWARDED)


def _cookie(value: bytes, _: Site) -> bytes:
    return without_ours(value)


def _authorization(value: bytes, _: Site) -> bytes:
    """Drop a token of ours; an app's own sign-in, such as HTTP's Basic, is its own business."""
    return b"" if carries_our_token(value) else value


def carries_our_token(authorization: bytes) -> bool:
    """Return whether an API token stands in an ``Authorization``, plainly or in base64."""
    if _OUR_TOKEN.search(authorization):
        return True
    for found in _BASIC.finditer(authorization):
        try:
            decoded = base64.b64decode(found[1] + b"==", b"-_" if b"-" in found[1] else None)
        except binascii.Error:
            continue
        if _OUR_TOKEN.search(decoded):
            return True
    return False


def _own_url(value: bytes, site: Site) -> bytes:
    return site.localised(value)


_RULES: dict[bytes, Callable[[bytes, Site], bytes]] = {
    b"cookie": _cookie,
    b"authorization": _authorization,
    b"origin": _own_url,
    b"referer": _own_url,
}
