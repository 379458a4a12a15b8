"""Hand a client's WebSocket over to a server in a workspace.

The order is what matters: everything that can fail happens before the client's socket is taken,
so until then the view can still answer with an ordinary HTTP problem.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from flask import Request

from orchestrator.errors import BadInput, DialFailed, Forbidden
from orchestrator.splice import Meter, OnClose, Splice, Splicer
from orchestrator.stream import Stream
from orchestrator.websocket import (
    VERSION,
    check_key,
    client_head,
    read_response_head,
    upgrade_request,
)

HIJACK = "rootblood.hijack"
"""Key in the WSGI environment of ``hijack() -> (socket, bytes)``; the contract is in app.py."""

HANDSHAKE_SECONDS = 5.0
_DEFAULT_PORTS = {"http": 80, "https": 443}


def splice_websocket(
    environ: Mapping[str, Any],
    stream: Stream,
    *,
    path: str,
    protocols: Sequence[str],
    splicer: Splicer,
    meter: Meter,
    on_close: OnClose,
) -> Splice:
    """Upgrade ``stream`` with the client's own key, answer the client and join the two.

    Owns ``stream`` from the call on and closes it on failure. ``path`` and ``protocols`` are what
    the server in the workspace gets to see; of the latter only those that the client offers. After
    a return the response of the view is thrown away. ``meter`` and ``on_close``: see
    :meth:`Splicer.join`. Raises: BadInput, DialFailed.
    """
    try:
        key, chosen = offer(environ, protocols)
        answer = _handshake(stream, path, key, chosen)
        if not isinstance(stream, socket.socket):
            raise TypeError(f"only sockets can be spliced, not {type(stream).__name__}")
        client, from_client = environ[HIJACK]()
    except BaseException:
        stream.close()
        raise
    return splicer.join(
        client, stream, meter=meter, on_close=on_close,
        from_client=from_client, from_upstream=answer,
    )  # fmt: skip


def require_same_origin(request: Request, *, bearer: bool) -> None:
    """Refuse a WebSocket that another site's page opened with this browser's cookies.

    Scheme, host and port of ``Origin`` must be the request's own (RFC 6454, 4 and 5); a missing or
    ``null`` one is refused too. ``bearer`` says that the request proved itself by an API token,
    which no browser adds by itself. Raises: Forbidden.
    """
    if bearer:
        return
    origin = _origin(request.headers.get("Origin", ""))
    if origin is None or origin != _origin(f"{request.scheme}://{request.host}"):
        raise Forbidden(
            "This connection was not opened by a page of this server",
            hint="Reload the page. Behind a reverse proxy, let it pass on the Host header.",
        )


def offer(environ: Mapping[str, Any], protocols: Sequence[str]) -> tuple[str, list[str]]:
    """Return the client's key and those of ``protocols`` that it offers (RFC 6455, 4.2.1).

    Raises: BadInput.
    """
    if environ.get("HTTP_UPGRADE", "").lower() != "websocket" or HIJACK not in environ:
        raise BadInput("This address speaks WebSocket only", field="Upgrade")
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != VERSION:
        raise BadInput(f"Only WebSocket version {VERSION} is spoken here", field="Upgrade")
    offered = environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "").replace(" ", "").split(",")
    chosen = [protocol for protocol in protocols if protocol in offered]
    if protocols and not chosen:
        raise BadInput(
            "The WebSocket's subprotocol is missing", field="Sec-WebSocket-Protocol",
            hint=f"Ask for the subprotocol {' or '.join(protocols)}.",
        )  # fmt: skip
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    check_key(key)
    return key, chosen


def _handshake(stream: Stream, path: str, key: str, protocols: Sequence[str]) -> bytes:
    """Upgrade the workspace's side; return all that the client gets, the 101 first."""
    request = upgrade_request(path, key, protocols, "localhost")
    try:
        stream.settimeout(HANDSHAKE_SECONDS)
        stream.sendall(request)
    except OSError as error:
        raise DialFailed(f"The connection into the workspace broke: {error}") from error
    response = read_response_head(stream, HANDSHAKE_SECONDS)
    return client_head(response, key, protocols) + response.rest


def _origin(text: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port; None for what is no origin of a web page."""
    try:
        parts = urlsplit(text)
        port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    except (ValueError, KeyError):
        return None
    if not parts.hostname or text.lower() != f"{parts.scheme}://{parts.netloc}".lower():
        return None
    if "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port
