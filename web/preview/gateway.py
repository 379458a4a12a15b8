"""The way of a request to a preview: whose it is, may they, and on to the app.

Where no app answers, :mod:`answering` does.

It stands beside Flask, not in it: it reads the client's socket itself, so that a request costs no
more than its bytes do, and what streams, streams. One process has one; only the loop's own thread
may use it.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NoReturn

from sqlalchemy.exc import DBAPIError

from models import Audience
from orchestrator.doctor import mark
from orchestrator.errors import (
    BadInput,
    DatabaseUnreachable,
    DialFailed,
    Forbidden,
    NotFound,
    RootBloodError,
    TooManyRequests,
    WorkspaceStopped,
)
from orchestrator.logs import log
from orchestrator.platform import Platform
from orchestrator.previews import RESERVED, Decision, Verdict, activity
from orchestrator.previews.berths import Origins
from orchestrator.websocket import check_key
from web.heads import Malformed, RequestHead
from web.incoming import Incoming
from web.opening import gate_of
from web.preview import here
from web.preview.answering import answer, excuse, refuse, tell, turn_away
from web.preview.clients import Client, client_of
from web.preview.entry import Knock, Reply, knock
from web.preview.exchange import Exchange
from web.preview.refusals import LISTENING
from web.preview.sites import Site
from web.preview.uploads import Spawn
from web.preview.upstreams import CONNECTIONS_EACH, Gone, Pool, Upstream

LOG = log(__name__)
SWEEP_SECONDS = 1.0
PERSON_MOST, STRANGER_MOST = 256, 128
"""Exchanges of one viewer at a time, of those that one workspace can have: CONNECTIONS_EACH."""
OTHERS_MOST = CONNECTIONS_EACH * 3 // 4
"""Connections into a workspace beyond which only its owner gets another one."""
_RESERVED = RESERVED.encode()
_LISTENING = LISTENING.encode()
_UNASKED = (b"CONNECT", b"TRACE")
"""What a proxy in front may take for a tunnel, or for its own."""
_ASKED = (("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)
"""Others are passed on as well; some list has to be given (RFC 9110, 15.5.6)."""


class Gateway:
    """Serves previews on clients' connections.

    ``knock`` says who may come in: :func:`web.preview.entry.knock` with its gate. ``spawn`` runs a
    function beside the caller. ``name`` is what the installation calls itself to the doctor.
    """

    def __init__(
        self,
        platform: Platform,
        domain: Origins,
        knock: Callable[[Knock], Decision | Reply],
        spawn: Spawn,
        *,
        name: str = "",
    ) -> None:
        self.pool = Pool(platform.engine)
        self._platform = platform
        self._splicer = platform.splicer
        self._proxies = platform.settings.trusted_proxies
        self._domain = domain
        self._knock = knock
        self._spawn = spawn
        self._mark = name
        # These are asked at every request, and a browser asks the same again and again.
        self._covers = lru_cache(1024)(domain.covers)
        # Where previews share a host, a port may be another one's by now.
        self._label = domain.label if domain.shares_host else lru_cache(1024)(domain.label)
        self._site = lru_cache(1024)(Site)

    def serve(self, incoming: Incoming, head: RequestHead, peer: str) -> bool | None:
        """Serve a request to a preview; None where it is to the panel, and untouched.

        ``peer`` is the connection's other end. Return whether the connection may carry another
        request; where ``incoming`` is closed then, it has another owner. Raises: OSError.
        """
        client = client_of(head, peer, self._proxies)
        if not self._covers(client.authority):
            return None
        try:
            site = self._find_site(client)
            if head.target.startswith(_RESERVED):
                return self._ours(incoming, head, client, site)
            if site is None:
                return refuse(incoming, head, NotFound("There is no preview of that name"))
            if head.method in _UNASKED:
                error = BadInput("No app is asked that", field="method")
                return refuse(incoming, head, error, status=405, headers=_ASKED)
            if not head.target.startswith(b"/"):
                return refuse(
                    incoming, head, BadInput("Only paths can be asked for here", field="target"),
                )  # fmt: skip
            return self._visit(incoming, head, client, site)
        except OSError:
            raise
        except DBAPIError as error:  # of what happens before an app is asked, and of nothing later
            LOG.warning("preview.undecided", exc_info=error)
            return refuse(incoming, head, DatabaseUnreachable())
        except Exception as error:
            LOG.error("preview.crashed", host=client.authority, exc_info=error)
            return False

    def keep_house(self) -> NoReturn:
        """Hang up, for ever, on apps that nobody asks any more."""
        while True:
            time.sleep(SWEEP_SECONDS)
            try:
                self.pool.sweep(time.monotonic())
            except Exception as error:
                LOG.error("previews.unswept", exc_info=error)

    def _visit(self, incoming: Incoming, head: RequestHead, client: Client, site: Site) -> bool:
        """Ask the gate, and let the request pass where it opens."""
        if self._domain.shares_host and head.fields.get(b"service-worker") == b"script":
            # It would answer for the next app that gets this port.
            return refuse(incoming, head, Forbidden("No service workers on a shared host"))
        found = self._ask(incoming, head, client, site)
        if not isinstance(found, Decision):
            return found
        if found.verdict is Verdict.STOPPED:
            return excuse(incoming, head, found, WorkspaceStopped())
        viewer = found.viewer
        assert viewer is not None
        if viewer.exchanges >= (PERSON_MOST if viewer.known else STRANGER_MOST) or (
            not found.own and self.pool.into(found.container) >= OTHERS_MOST
        ):
            much = TooManyRequests(
                "Too much of this preview is open", hint="Close some of it, then try again."
            )
            return refuse(incoming, head, much, decision=found)
        exchange = Exchange(
            self.pool, self._spawn, incoming, head, site, address=client.address,
            framed_by=None if found.audience is Audience.PUBLIC else found.panel.encode(),
        )  # fmt: skip
        if not viewer.hold(exchange):
            ended = Forbidden("You may not see this preview any more")
            return refuse(incoming, head, ended, decision=found)
        try:
            return self._pass(exchange, incoming, head, found)
        finally:
            if not incoming.closed:
                viewer.release(exchange)

    def _ask(
        self, incoming: Incoming, head: RequestHead, client: Client, site: Site, target: str = ""
    ) -> Decision | bool:
        """Return the gate's decision, or whether the connection goes on after its answer."""
        asked = Knock(
            site.label, head.method.decode(), target or head.target.decode("latin-1"),
            client.scheme, client.authority, client.address, head.fields,
            self._domain.tag(client.authority), head.upgrades,
        )  # fmt: skip
        found = self._knock(asked)
        return found if isinstance(found, Decision) else turn_away(incoming, head, found)

    def _pass(
        self, exchange: Exchange, incoming: Incoming, head: RequestHead, decision: Decision
    ) -> bool:
        """Let an exchange with the app happen; answer in its stead where it cannot."""
        target = decision.container, decision.label.port
        try:
            if head.upgrades:
                self._check_handshake(head)
                return exchange.tunnel(
                    target, lambda up, first: self._join(exchange, incoming, decision, up, first)
                )
            return exchange.run(target)
        except Gone:
            return False
        except Malformed as error:
            problem: RootBloodError = DialFailed(
                f"What the app answered is not valid HTTP: {error}",
                hint="Look at what it printed in its terminal.",
            )
        except RootBloodError as error:
            problem = error
        if exchange.begun or exchange.closed:
            return False
        if head.has_body:  # some of it was read: where the next request begins is not known
            head = replace(head, options=head.options | {b"close"})
        return excuse(incoming, head, decision, problem)

    def _join(
        self,
        exchange: Exchange,
        incoming: Incoming,
        decision: Decision,
        upstream: Upstream,
        first: bytes,
    ) -> None:
        """Join the client's socket with the app's, for as long as both last."""
        viewer = decision.viewer
        assert viewer is not None
        splicer = self._splicer
        assert splicer is not None
        closed = self.pool.let_go(upstream)

        def end(_reason: str) -> None:
            closed()
            viewer.release(exchange)

        incoming.close()
        try:
            exchange.carrier = splicer.join(
                incoming.sock, upstream.sock, on_close=end,
                meter=activity.meter(self._platform.connections, viewer),
                from_client=incoming.rest(), from_upstream=first,
            )  # fmt: skip
        except BaseException:
            viewer.release(exchange)
            incoming.sock.close()
            raise

    def _check_handshake(self, head: RequestHead) -> None:
        """Raise BadInput unless a WebSocket can come of the request (RFC 6455, 4.2.1)."""
        if self._splicer is None:
            raise NotFound("This server does not serve WebSockets", hint="Start it with app.py.")
        check_key(head.fields.get(b"sec-websocket-key", b"").decode("latin-1"))
        if head.method != b"GET" or not head.minor or head.chunked or head.length:
            raise BadInput("A WebSocket begins with a plain GET", field="Upgrade")

    def _ours(
        self, incoming: Incoming, head: RequestHead, client: Client, site: Site | None
    ) -> bool:
        """Answer what no app gets to see: the reserved paths."""
        path = head.target.partition(b"?")[0]
        if path in here.PATHS:
            said = here.answer(
                head, scheme=client.scheme, authority=client.authority, mark=self._mark
            )
            if said is not None and head.upgrades:
                incoming.sock.sendall(said)
                return False
            if said is not None:
                return answer(incoming, head, said)
        if site is None or path in here.PATHS:
            return refuse(incoming, head, NotFound())
        found = self._ask(incoming, head, client, site, "/" if path == _LISTENING else "")
        if not isinstance(found, Decision):
            return found
        listens = path == _LISTENING and self._listens(found)
        return tell(incoming, head, listens)

    def _listens(self, decision: Decision) -> bool:
        if decision.verdict is not Verdict.OPEN:
            return False
        try:
            self.pool.drop(self.pool.dial((decision.container, decision.label.port)))
        except RootBloodError:
            return False
        return True

    def _find_site(self, client: Client) -> Site | None:
        label = self._label(client.authority)
        if label is None:
            return None
        return self._site(label, client.scheme, client.authority, self._domain.shares_host)


def open_gateway(application: Any, platform: Platform, spawn: Spawn) -> Gateway:
    """Return the gateway to the previews of a Flask application's server."""
    gate = gate_of(application)
    name = mark.of(application.secret_key)
    return Gateway(platform, gate.domain, partial(knock, gate), spawn, name=name)
