"""git's transport over HTTP without the product: one repository, no accounts, a thread a client."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.request import Request as Sent
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import get_input_stream

from orchestrator.commons import transport
from orchestrator.commons.checks import Rules, Update, refusals
from orchestrator.commons.store import Store
from orchestrator.commons.transport import Inflated, Service, Terms

RULES = Rules(
    default_branch="main", protected=True, archived=False,
    file_bytes_max=8 << 20, push_bytes_max=16 << 20, left_bytes=1 << 30,
)  # fmt: skip


@dataclass
class Endpoint:
    """Serves the repository at ``path``; ``moved`` is what pushes have moved."""

    store: Store
    path: Path
    rules: Rules = RULES
    port: int = 0
    moved: list[Update] = field(default_factory=list)
    before_verdict: Callable[[Sequence[Update]], object] = lambda _: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/repository.git"

    def post(self, service: str, body: bytes) -> bytes:
        """Send what git's client might not, and return the answer."""
        kind = {"Content-Type": f"application/x-{service}-request"}
        with urlopen(Sent(f"{self.url}/{service}", body, kind), timeout=60) as answer:
            return bytes(answer.read())

    def __call__(self, environ: Any, start: Any) -> Any:
        request = Request(environ)
        git = self.store.git
        protocol = transport.parse_protocol(request.headers.get("Git-Protocol"))
        stream: Any = _Body(get_input_stream(environ))
        body = Inflated(stream) if request.headers.get("Content-Encoding") == "gzip" else stream
        if request.path.endswith("/info/refs"):
            service = Service(request.args["service"])
            answer = transport.advertise(git, self.path, service, protocol)
            mimetype = f"application/x-{service}-advertisement"
        elif request.path.endswith(Service.FETCH):
            answer = transport.fetch(git, self.path, protocol, body)
            mimetype = f"application/x-{Service.FETCH}-result"
        else:
            answer = transport.push(git, self.path, protocol, body, self._terms())
            mimetype = f"application/x-{Service.PUSH}-result"
        return Response(answer, mimetype=mimetype)(environ, start)

    def _terms(self) -> Terms:
        def judge(quarantine: Path, updates: Sequence[Update]) -> Sequence[str]:
            self.before_verdict(updates)
            return refusals(self.store.git, self.path, quarantine, updates, self.rules)

        return Terms(self.store.hooks, self.rules.push_bytes_max, judge, self.moved.extend)


@dataclass(frozen=True)
class _Body:
    """A body that ends as a socket's does when the client is gone."""

    stream: Any

    def read(self, size: int) -> bytes:
        try:
            return bytes(self.stream.read(size))
        except ClientDisconnected as error:
            raise EOFError from error


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[Endpoint]:
    """Serve until the end of the block."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.set_app(endpoint)
        endpoint.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()
