"""Ports of a workspace: what listens, and who may open it."""

from collections.abc import Callable
from contextlib import suppress

from flask import Flask, Response, current_app, request

from models import Audience, Kind, utcnow
from orchestrator import access
from orchestrator.access import Right
from orchestrator.errors import Conflict, NotFound
from orchestrator.previews import ports, shares, watching
from orchestrator.previews.ports import Listing, Port
from orchestrator.previews.watching import PortWatch
from web.api.inside import ONE, running
from web.api.operation import operation
from web.api.ports_schema import Port as Shown
from web.api.ports_schema import Ports, PortShare
from web.conversation import Bounds, converse
from web.identity import actor, bearer, caller, platform
from web.opening import gate_of, path_to
from web.upgrade import require_same_origin

WATCHES = Bounds(
    Kind.PORTS, 20, watching.MESSAGE_BYTES, "The ports of this workspace are watched 20 times"
)


def _listed(shown: Callable[[Port], Shown], listing: Listing) -> Ports:
    return Ports(ports=list(map(shown, listing.ports)), known=listing.known)


def _writer() -> Callable[[Port], Shown]:
    """Return what shows ports to who asks now, and still does when the request is over."""
    domain, scheme, host = gate_of(current_app).domain, request.scheme, request.host

    def shown(row: Port) -> Shown:
        path = path_to(row.label)
        url = f"{scheme}://{host}{path}"
        # A preview that shares a host takes an address when it is opened or shared, not before.
        if not domain.shares_host or row.audience is not Audience.PRIVATE:
            with suppress(Conflict, NotFound):  # none is left; or the workspace is just gone
                url = f"{domain.origin(row.label, scheme, host)}/"
        return Shown.of(row, url, path)

    return shown


@operation("GET", f"{ONE}/ports", tag="workspaces", answer=Ports)
def list_ports(name: str) -> Ports:
    """List the ports of a workspace that listen or are shared."""
    row = access.workspace_for(caller().user, name, Right.VIEW)
    return _listed(_writer(), ports.listed(platform(), row, utcnow()))


@operation("PUT", f"{ONE}/ports/<int:port>", tag="workspaces", body=PortShare, answer=Shown)
def share_port(name: str, port: int, body: PortShare) -> Shown:
    """Say who may open what a port serves: only you, who is signed in, or everybody.

    The workspace need not run, nor anything listen. Whoever may no longer is cut off at once.
    """
    row = access.workspace_for(caller().user, name, Right.MANAGE)
    expires = None if body.share is Audience.PRIVATE else body.expires
    shares.change(platform(), row, port, body.share, expires, utcnow(), actor())
    return _writer()(ports.one(platform(), row, port, utcnow()))


@operation("GET", f"{ONE}/ports/watch", tag="workspaces", status=101, websocket=True)
def watch_ports(name: str) -> Response:
    """Be told of a running workspace's ports: a WebSocket whose every message is the whole list.

    The first comes at once, another whenever a port opens or closes, is shared, or is looked at.
    """
    require_same_origin(request, bearer=bearer() is not None)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    shown = _writer()

    def written(listing: Listing) -> str:
        return _listed(shown, listing).model_dump_json()

    return converse(
        lambda: running(name),
        WATCHES,
        lambda parts, row: PortWatch(parts, row, app.app_context, written),
    )
