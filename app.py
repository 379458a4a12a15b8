"""Compose the server and serve it; the only file that knows gevent.

The hijack contract, for views that answer a WebSocket: ``environ["rootblood.hijack"]`` is a
callable ``hijack() -> (socket, buffered)``. It gives away the client's connected socket, and what
the client sent after its request head and was read already. From then on the view owns the
socket, whatever it returns is thrown away, and nothing else reads from or writes to the client.
"""

from gevent import monkey

monkey.patch_all()  # first: what was imported before it would keep the blocking functions

import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from io import BufferedReader, BytesIO
from string import punctuation
from typing import Any
from urllib.parse import quote

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import Input, WSGIHandler, WSGIServer
from gevent.threadpool import ThreadPool

from init_db import migrate
from orchestrator import accounts, children, dumps, escrow, logs, offload
from orchestrator.background import Background
from orchestrator.commons.doors import Door, Doors
from orchestrator.engines.run_dirs import RunDirs
from orchestrator.errors import RootBloodError
from orchestrator.platform import compose, run_root
from orchestrator.settings import Settings
from orchestrator.splice import Splicer
from web import create_app
from web.heads import Malformed, RequestHead, parse_request
from web.incoming import Incoming
from web.preview.gateway import Gateway, open_gateway

STOP_SECONDS = 0.5
BACKLOG = 1024
DOOR_CONNECTIONS = 32
"""Of one workspace to the commons; more wait."""


Fields = type(WSGIHandler.headers)


class HijackHandler(WSGIHandler):
    """One client connection: pywsgi's handler, bounded, and able to give its socket away.

    Requests to previews are the gateway's and never reach pywsgi; one connection of a reverse
    proxy may carry both kinds in turn.
    """

    _hijacked = False

    def __init__(self, sock: socket.socket, address: Any, server: Any) -> None:
        self._incoming = Incoming(sock)
        self._gateway: Gateway | None = getattr(server, "gateway", None)
        self._head: RequestHead | None = None
        super().__init__(sock, address, server, rfile=self._incoming)  # type: ignore[call-arg]

    def handle(self) -> None:
        """Serve requests until the connection ends; a vanished client is no error."""
        with suppress(OSError):
            super().handle()

    def get_environ(self) -> dict[str, Any]:
        """Return the WSGI environment with the hijack of the module's contract in it."""
        environ = super().get_environ()
        environ["rootblood.hijack"] = self.hijack
        return environ

    def hijack(self) -> tuple[socket.socket, bytes]:
        """Give the client's socket away, with the bytes that were read beyond the request."""
        client = self._let_go()
        client.settimeout(0)
        self.wsgi_input = Input(BufferedReader(BytesIO()), 0)  # pywsgi drains every body
        return client, self._incoming.rest()

    def process_result(self) -> None:
        """Send the view's response, unless the view took the socket."""
        if not self._hijacked:
            super().process_result()

    def handle_one_request(self) -> Any:
        """Serve one request; None ends the connection, or pywsgi's part in it."""
        try:
            raw = self._incoming.head()
            if not raw:
                return None
            self._head = head = parse_request(raw)
        except Malformed as error:
            return self._handle_client_error(error)
        if self._gateway is not None:
            kept = self._gateway.serve(self._incoming, head, self.client_address[0])
            if self._incoming.closed:
                self._let_go()
            if kept is not None:
                return True if kept else None
        result = super().handle_one_request()
        if self._hijacked:
            self.environ = None  # it holds this handler
        return result

    def read_requestline(self) -> str:
        """Return the request's first line."""
        head = self._head
        assert head is not None
        # pywsgi splits at every space of Latin-1, such as the second byte of an "à".
        raw = head.target
        target = raw.decode() if raw.isascii() else quote(raw, punctuation)
        return f"{head.method.decode()} {target} HTTP/1.{head.minor}\r\n"

    def MessageClass(self, *_: Any) -> Any:
        """Return the fields of the request's head."""
        assert self._head is not None
        fields = Fields()
        for name, line in self._head.lines:
            value = line[len(name) + 1 :].strip(b" \t")
            fields[line[: len(name)].decode()] = value.decode("latin-1")
        return fields

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes] | None:
        """Answer what is no request; what a client sends is not worth a log line."""
        if isinstance(ex, OSError):
            return None
        return "400", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    def handle_error(self, t: Any, v: Any, tb: Any) -> None:
        """Log a crash of the application; a client that stopped reading is none."""
        if isinstance(v, TimeoutError):
            self.close_connection = True
        else:
            super().handle_error(t, v, tb)

    def _let_go(self) -> socket.socket:
        """Forget the socket: it has another owner from here on."""
        client = self.socket
        self._incoming.close()
        self._hijacked = self.close_connection = True
        self.socket = None  # type: ignore[assignment]  # which pywsgi looks for
        return client


def listen(host: str, port: int) -> socket.socket:
    """Return the listening socket. Raises: RootBloodError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise RootBloodError(
            f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}.",
            hint="Stop what uses that address, or set ROOTBLOOD_LISTEN to another one.",
        ) from error
    # pywsgi sends head and body apart; every connection inherits this.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class Server(WSGIServer):
    """The listening side, which may serve previews beside the application."""

    gateway: Gateway | None = None


COMMONS = ("/git/", "/api/v1/share/")


def serve_door(application: Any, listener: socket.socket, door: Door) -> WSGIServer:
    """Begin to serve the commons, and nothing else, to a workspace; ``close`` ends it."""

    def commons(environ: dict[str, Any], start: Any) -> Any:
        own = environ["PATH_INFO"].startswith(COMMONS)
        return (application if own else nothing)(environ, start)

    server = WSGIServer(
        listener,
        commons,
        log=None,
        spawn=Pool(DOOR_CONNECTIONS),
        handler_class=HijackHandler,
        environ={"SERVER_NAME": "localhost", "SERVER_PORT": "80", "rootblood.door": door},
    )
    server.start()
    return server


def serve(
    application: Any,
    listener: socket.socket,
    *,
    stop: Callable[[], object],
    gateway: Gateway | None = None,
    more: Sequence[socket.socket] = (),
) -> None:
    """Serve until SIGTERM or SIGINT, then call ``stop`` and give requests ``STOP_SECONDS``.

    ``more`` are sockets on which previews alone are served.
    """
    carried = Pool()
    servers = [
        Server(
            one,
            application if one is listener else nothing,
            log=None,
            spawn=carried,
            handler_class=HijackHandler,
            environ={"SERVER_NAME": one.getsockname()[0]},  # else a name server is asked
        )
        for one in (listener, *more)
    ]
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    if gateway is not None:
        gevent.spawn(gateway.keep_house)
    for server in servers:
        server.gateway = gateway
        server.start()
    stopping.wait()
    for server in servers:
        server.close()
    stop()
    for server in servers:
        server.stop(timeout=STOP_SECONDS)


def nothing(_environ: dict[str, Any], start: Any) -> list[bytes]:
    """Be the application where there is none."""
    start("404 Not Found", [("Content-Length", "0")])
    return []


def address(host: str, port: int) -> str:
    """Return where a browser on this machine finds the server."""
    here = host in ("127.0.0.1", "::1", "0.0.0.0", "::")
    name = "localhost" if here else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def raise_file_limit() -> None:
    """Allow as many open files as the system does: each terminal takes two."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def use_threads() -> ThreadPool:
    """Let ``offload`` run in threads of their own; return their pool, to be killed at the end."""
    pool = ThreadPool(max(2, os.cpu_count() or 2))
    offload.use(pool.apply)
    return pool


def main() -> int:
    """Run the server; return the exit code."""
    dumps.forbid()
    logs.configure()
    raise_file_limit()
    pool = use_threads()
    children.use(gevent.get_hub().loop)
    splicer = Splicer(gevent.get_hub().loop)
    try:
        settings = Settings.from_environment()
        escrow.check(settings)
        listener = listen(*settings.address)
        # A trusted proxy has the ports of previews itself, and sends them all here.
        ports = settings.apps_port_range if settings.apps_host else ()
        more = [] if settings.trusted_proxies else [listen(settings.address[0], p) for p in ports]
        platform = compose(settings, splicer)
        application = create_app(platform)
        migrate(application)
        doors = Doors(RunDirs(run_root(settings)), partial(serve_door, application))
        gateway = open_gateway(application, platform, gevent.spawn)
        background = Background(platform, application.app_context, doors)
        background.start()
    except RootBloodError as error:
        print(f"RootBlood did not start: {error}", file=sys.stderr)
        return 1
    with application.app_context():
        first = not accounts.anyone()
    print(f"RootBlood serves {address(*settings.address)}", flush=True)
    if first:
        print("Open it and register: the first account becomes the administrator.", flush=True)

    def stop() -> None:
        background.stop()
        splicer.close("server-stopping")

    gc.collect()
    gc.freeze()  # what is loaded now stays: no later collection need walk over it
    serve(application, listener, stop=stop, gateway=gateway, more=more)
    pool.kill()
    gc.freeze()  # nor take it apart at the end, which would last a second
    return 0


if __name__ == "__main__":
    sys.exit(main())
