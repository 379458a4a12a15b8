"""An answer's head as the browser gets to see it."""

import re
from collections.abc import Callable

from web.heads import ResponseHead
from web.preview.requests import HOP_BY_HOP
from web.preview.sites import Site
from web.preview.stripping import admitted

_DROPPED = HOP_BY_HOP | frozenset(
    b"content-length set-cookie2 "
    # Beyond the origin: cookies of the whole registrable domain; every port of the host, and the
    # hosts below it; another server in our place, where no gate stands; where failures of this
    # host and of those below it are reported to.
    b"clear-site-data strict-transport-security public-key-pins public-key-pins-report-only "
    b"alt-svc nel report-to "
    # Orders to the reverse proxy in front of us, such as to send a file of its own.
    b"x-sendfile x-lighttpd-send-file x-litespeed-location x-reproxy-url "
    b"x-accel-redirect x-accel-expires x-accel-limit-rate x-accel-charset "
    # And to keep what the gate has not let everybody see.
    b"surrogate-control cdn-cache-control cloudflare-cdn-cache-control "
    b"vercel-cdn-cache-control netlify-cdn-cache-control edge-control".split()
)
_KEPT = frozenset(b"cache-control expires pragma".split())
_FRAMING = (b"x-frame-options", b"content-security-policy")


def for_browser(
    head: ResponseHead, site: Site, ends: bytes, *, framed_by: bytes | None = None
) -> bytes:
    """Return the head for the browser.

    ``ends`` are the fields, each with its line's end, that say how the body ends and the
    connection goes on. ``framed_by`` is None where the app itself says who may frame it, else the
    one origin beside its own that may; b"" is none.
    """
    parts = [b"HTTP/1.1 %d%b" % (head.status, head.reason)]
    for name, line in head.lines:
        if name in _DROPPED or name in head.options or (site.shares_host and name in _KEPT):
            continue
        rule = _RULES.get(name)
        if rule is not None:
            value = rule(line[len(name) + 1 :].strip(b" \t"), site)
            if value is None:
                continue
            line = b"%b: %b" % (line[: len(name)], value)  # noqa: PLW2901  # the line as sent on
        elif framed_by is not None and name in _FRAMING:
            line = _unframed(name, line)  # noqa: PLW2901
            if not line:
                continue
        parts.append(line)
    if site.shares_host:
        parts.append(b"Cache-Control: no-store")
    elif framed_by is not None:
        parts.append(b"Cache-Control: private")
    if framed_by is not None:
        sources = b"'self' %b" % framed_by if framed_by else b"'self'"
        parts.append(b"Content-Security-Policy: frame-ancestors %b" % sources)
    parts.append(ends)
    return b"\r\n".join(parts) + b"\r\n"


def _unframed(name: bytes, line: bytes) -> bytes:
    """Return the line without what it says of frames; b"" where nothing is left."""
    if name == b"x-frame-options":
        return b""
    policies = [
        b";".join(
            directive
            for directive in policy.split(b";")
            if directive.split(maxsplit=1)[:1] and not _is_ancestors(directive)
        )
        for policy in line[len(name) + 1 :].split(b",")
    ]
    kept = b",".join(policy for policy in policies if policy)
    return b"%b: %b" % (line[: len(name)], kept.strip(b" \t")) if kept else b""


def _is_ancestors(directive: bytes) -> bool:
    return directive.split(maxsplit=1)[0].lower() == b"frame-ancestors"


def _set_cookie(value: bytes, _: Site) -> bytes | None:
    return admitted(value)


def _own_url(value: bytes, site: Site) -> bytes | None:
    return site.published(value)


_REFRESH = re.compile(rb"(?i)([0-9.]+[;,][ \t]*url=[ \t]*['\"]?)(.*)")


def _refresh(value: bytes, site: Site) -> bytes | None:
    found = _REFRESH.fullmatch(value)
    return found[1] + site.published(found[2]) if found else value


_RULES: dict[bytes, Callable[[bytes, Site], bytes | None]] = {
    b"set-cookie": _set_cookie,
    b"location": _own_url,
    b"content-location": _own_url,
    b"refresh": _refresh,
}
