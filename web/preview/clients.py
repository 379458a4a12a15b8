"""Who asks for a preview, and how they see this server."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from web.heads import AUTHORITY_BYTES, RequestHead

ADDRESS_MOST = 64


@dataclass(frozen=True, slots=True)
class Client:
    """A viewer's side of a request."""

    scheme: str
    authority: str
    """Host and port, as the browser says them, in lower case."""
    address: str


def client_of(head: RequestHead, peer: str, proxies: int) -> Client:
    """Return who sent a request that came from ``peer``.

    The ``proxies`` in front that are trusted each add what they saw at the end of a list, so what
    the outermost of them saw is that many from the end. What is said before it anybody may say.
    """
    fields = head.fields
    authority, scheme = fields.get(b"host", b""), b"http"
    if proxies:
        authority = _told(fields.get(b"x-forwarded-host"), proxies) or authority
        scheme = _told(fields.get(b"x-forwarded-proto"), proxies) or scheme
        peer = _told(fields.get(b"x-forwarded-for"), proxies).decode("latin-1") or peer
    # As long as they can be, since they are remembered; the end is what tells whose a host is.
    return _client(scheme[:6], authority[-AUTHORITY_BYTES:], peer[:ADDRESS_MOST])


@lru_cache(1024)
def _client(scheme: bytes, authority: bytes, address: str) -> Client:
    return Client(
        "https" if scheme.lower() == b"https" else "http",
        authority.decode("latin-1").lower(),
        address,
    )


def navigates(fields: Mapping[bytes, bytes]) -> bool:
    """Return whether a browser is to show the answer, in a window, a frame or a plugin."""
    mode = fields.get(b"sec-fetch-mode")
    if mode is None:  # an older browser, or one that does not trust this origin: no TLS
        return b"text/html" in fields.get(b"accept", b"")
    return mode == b"navigate"


def _told(value: bytes | None, count: int) -> bytes:
    told = [one.strip(b" \t") for one in value.split(b",")] if value else []
    return told[-count] if len(told) >= count else b""
