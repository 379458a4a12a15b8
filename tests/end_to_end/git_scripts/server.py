"""Serve ``<root>/www`` to git's own tests, by the product's handler and transport: no accounts.

What stands before the repository in a path says how it is served, as in git's own apache.conf.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from app import HijackHandler, listen  # isort: skip - it makes everything after it cooperative

from typing import Any

import gevent
from gevent.pywsgi import WSGIServer
from werkzeug.wrappers import Request, Response

from orchestrator import children
from orchestrator.commons import transport
from orchestrator.commons.git import Git
from orchestrator.commons.store import Store
from orchestrator.commons.transport import Inflated, Service, Terms

ROOT = Path(sys.argv[1])
NEVER_CACHED = {"Pragma": "no-cache", "Cache-Control": "no-cache, max-age=0, must-revalidate"}
STORE = Store.at(ROOT / "commons", Git())
TERMS = Terms(STORE.hooks, 1 << 30, lambda *_: [], lambda _: None)


def wants_password(where: list[str], service: str, last: str) -> bool:
    """Return whether apache.conf asks for one there."""
    protected = {
        "auth": True,
        "auth-push": last == Service.PUSH,
        "auth-fetch": last == Service.FETCH,
        "half-auth-complete": service == Service.PUSH,
    }
    return any(protected.get(part) for part in where)


def application(environ: Any, start: Any) -> Any:
    """Answer one request."""
    request = Request(environ)
    answer = respond(request)
    with (ROOT / "access.log").open("a") as log:
        line = f"{request.method} {request.full_path.rstrip('?')} HTTP/1.1"
        log.write(f'- - "{line}" {answer.status_code} 1\n')
    return answer(environ, start)


def respond(request: Request) -> Response:
    parts = request.path.strip("/").split("/")
    place = next((i for i, part in enumerate(parts) if (ROOT / "www" / part).is_dir()), None)
    if place is None:
        return Response(status=404)
    where, repository, rest = parts[:place], ROOT / "www" / parts[place], parts[place + 1 :]
    service = request.args.get("service", rest[-1] if rest else "")
    if service not in list(Service):
        return Response(status="403 Forbidden")
    given = request.authorization
    if wants_password(where, service, rest[-1]) and (
        given is None or (given.username, given.password) != ("user@host", "pass@host")
    ):
        return Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git-auth"'})
    if (repository / ".git").is_dir():
        repository /= ".git"
    asked = "" if "smart_v0" in where else request.headers.get("Git-Protocol")
    protocol, git = transport.parse_protocol(asked), STORE.git
    if rest[:2] == ["info", "refs"]:
        answer = transport.advertise(git, repository, Service(service), protocol)
        return Response(answer, 200, NEVER_CACHED, f"application/x-{service}-advertisement")
    body: Any = request.environ["wsgi.input"]
    if request.headers.get("Content-Encoding") == "gzip":
        body = Inflated(body)
    if service == Service.FETCH:
        answer = transport.fetch(git, repository, protocol, body)
    else:
        answer = transport.push(git, repository, protocol, body, TERMS)
    return Response(answer, 200, NEVER_CACHED, f"application/x-{service}-result")


if __name__ == "__main__":
    children.use(gevent.get_hub().loop)
    listener = listen("127.0.0.1", 0)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    WSGIServer(listener, application, log=None, handler_class=HijackHandler).serve_forever()
