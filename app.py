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
import re
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import BufferedReader, BytesIO
from typing import Any

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

HEAD_BYTES = 32768
HEAD_SECONDS = 20.0
"""For a whole request head, so that nobody holds connections by sending it drop by drop."""
# RFC 9112, 5: no space before the colon, no folded line, no bare CR, no NUL. The parser below
# would take such a line for the end of the head, or a bare CR for that of a line, and see another
# request than a proxy in front does.
FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r?\n")
IDLE_SECONDS = 75.0
"""Between requests, between pieces of a body, and for a client that does not read."""
STOP_SECONDS = 0.5
BACKLOG = 1024
DOOR_CONNECTIONS = 32
"""Of one workspace to the commons; more wait."""


class HijackHandler(WSGIHandler):
    """One client connection: pywsgi's handler, bounded, and able to give its socket away."""

    _hijacked = False
    _kept_alive = False
    _clock: gevent.Timeout | None = None

    def handle(self) -> None:
        """Serve requests until the connection ends; a vanished client is no error."""
        self.socket.settimeout(IDLE_SECONDS)
        with suppress(OSError):
            super().handle()

    def get_environ(self) -> dict[str, Any]:
        """Return the WSGI environment with the hijack of the module's contract in it."""
        environ = super().get_environ()
        environ["rootblood.hijack"] = self.hijack
        return environ

    def hijack(self) -> tuple[socket.socket, bytes]:
        """Give the client's socket away, with the bytes that were read beyond the request."""
        client = self.socket
        client.settimeout(0)
        try:
            buffered = self.rfile.peek()  # the buffer, or what has just come: never waits
        except OSError:
            buffered = b""
        self.rfile.close()  # or the socket could not be closed before this is collected
        self._hijacked = self.close_connection = True
        self.socket = None  # type: ignore[assignment]  # which pywsgi looks for
        self.wsgi_input = Input(BufferedReader(BytesIO()), 0)  # pywsgi drains every body
        return client, buffered

    def process_result(self) -> None:
        """Send the view's response, unless the view took the socket."""
        if not self._hijacked:
            super().process_result()

    def handle_one_request(self) -> Any:
        """Serve one request; None ends the connection, or pywsgi's part in it."""
        try:
            result = super().handle_one_request()
        finally:
            self._stop_clock()
        self._kept_alive = True
        if self._hijacked:
            self.environ = None  # it holds this handler
        return result

    def read_requestline(self) -> str:
        """Wait for a request, then give its head ``HEAD_SECONDS``."""
        if self._kept_alive:
            self.rfile.peek(1)
        self._clock = gevent.Timeout.start_new(HEAD_SECONDS, TimeoutError)
        return super().read_requestline()

    def read_request(self, raw_requestline: str) -> Any:
        """Parse the head. Raises: ValueError."""
        try:
            return super().read_request(raw_requestline)
        finally:
            self._stop_clock()

    def MessageClass(self, rfile: Any, *_: Any) -> Any:
        """Parse the header fields, refusing a huge head and an ambiguous body length."""
        head, line = bytearray(), b""
        while line not in (b"\r\n", b"\n"):
            line = rfile.readline(HEAD_BYTES)
            head += line
            if not line or len(head) > HEAD_BYTES:
                raise ValueError("the request head is cut off or too large")
            if line not in (b"\r\n", b"\n") and not FIELD.fullmatch(line):
                raise ValueError("a header field is malformed")
        fields = super().MessageClass(BytesIO(head))
        lengths = fields.get_all("Content-Length", [])
        codings = fields.get_all("Transfer-Encoding", [])
        # RFC 9112, 6.3: a proxy in front could see another end of this request than we do.
        if len(lengths) + len(codings) > 1 or not all(length.isdigit() for length in lengths):
            raise ValueError("the length of the body is ambiguous")
        if len(fields.get_all("Host", [])) != 1 and self.request_version != "HTTP/1.0":
            raise ValueError("one Host is needed")  # RFC 9112, 3.2
        if any(coding.lower() != "chunked" for coding in codings):
            raise ValueError("the body's transfer coding is unknown")
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

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.close()


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


COMMONS = ("/git/", "/api/v1/share/")


def serve_door(application: Any, listener: socket.socket, door: Door) -> WSGIServer:
    """Begin to serve the commons, and nothing else, to a workspace; ``close`` ends it."""

    def commons(environ: dict[str, Any], start: Any) -> Any:
        if not environ["PATH_INFO"].startswith(COMMONS):
            start("404 Not Found", [("Content-Length", "0")])
            return []
        return application(environ, start)

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


def serve(application: Any, listener: socket.socket, *, stop: Callable[[], object]) -> None:
    """Serve until SIGTERM or SIGINT, then call ``stop`` and give requests ``STOP_SECONDS``."""
    server = WSGIServer(
        listener,
        application,
        log=None,
        spawn=Pool(),
        handler_class=HijackHandler,
        environ={"SERVER_NAME": listener.getsockname()[0]},  # else a name server is asked
    )
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    server.start()
    stopping.wait()
    server.close()
    stop()
    server.stop(timeout=STOP_SECONDS)


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
        platform = compose(settings, splicer)
        application = create_app(platform)
        migrate(application)
        doors = Doors(RunDirs(run_root(settings)), partial(serve_door, application))
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
    serve(application, listener, stop=stop)
    pool.kill()
    gc.freeze()  # nor take it apart at the end, which would last a second
    return 0


if __name__ == "__main__":
    sys.exit(main())
