"""git's smart HTTP under ``/git/<owner>/<name>.git``: an API token is the password.

A workspace comes through its own door instead (``orchestrator/commons/doors.py``). A browser's
cookie counts for nothing here, so that no page elsewhere can push. Errors are plain text: git shows
them to whoever typed the command.
"""

from collections.abc import Iterator

from flask import Blueprint, Response, request, stream_with_context
from structlog.contextvars import bind_contextvars

from models import utcnow
from orchestrator import accounts, tokens
from orchestrator.commons import pushing
from orchestrator.commons.names import RepoName, parse_full_name
from orchestrator.commons.pushing import Visitor
from orchestrator.commons.transport import Inflated, Readable, Service, parse_protocol
from orchestrator.errors import (
    BadInput,
    Forbidden,
    NotFound,
    RootBloodError,
    SignInRequired,
    TooManyRequests,
)
from web.identity import Caller, address, bearer, find_caller, platform
from web.license import licensed
from web.problems import status_of

git = Blueprint("git", __name__, url_prefix="/git")
_NEVER_CACHED = {
    "Cache-Control": "no-cache, max-age=0, must-revalidate",
    "Expires": "Fri, 01 Jan 1980 00:00:00 GMT",
    "Pragma": "no-cache",
}


@git.get("/<owner>/<name>/info/refs")
def refs(owner: str, name: str) -> Response:
    """Answer which refs there are: the first request of every fetch and push."""
    who = visitor(caller())
    try:
        service = Service(request.args.get("service", ""))
    except ValueError:
        raise Forbidden(
            "Only git's smart protocol is served here", hint="Use a git of 2012 or later."
        ) from None
    if request.method == "HEAD":
        raise NotFound
    answer = pushing.advertise(platform(), who, repository(owner, name), service, protocol())
    return streamed(answer, f"application/x-{service}-advertisement")


@git.post("/<owner>/<name>/git-upload-pack")
def fetch(owner: str, name: str) -> Response:
    """Send what a client wants and has not."""
    let_in = caller()
    check_type(Service.FETCH)
    full = repository(owner, name)
    answer = pushing.fetch(platform(), visitor(let_in), full, protocol(), body())
    return streamed(licensed(answer, let_in), f"application/x-{Service.FETCH}-result")


@git.post("/<owner>/<name>/git-receive-pack")
def push(owner: str, name: str) -> Response:
    """Take what a client brings."""
    let_in = caller()
    check_type(Service.PUSH)
    full = repository(owner, name)
    answer = pushing.push(platform(), visitor(let_in), full, protocol(), body())
    return streamed(licensed(answer, let_in), f"application/x-{Service.PUSH}-result")


# They carry their own credentials: there are no ambient ones to abuse.
fetch.takes_credentials = push.takes_credentials = True  # type: ignore[attr-defined]


@git.errorhandler(RootBloodError)
def refuse(error: RootBloodError) -> Response:
    """Say what is wrong in the text that git shows."""
    answer = Response(f"{error}\n", status=status_of(error), mimetype="text/plain")
    if isinstance(error, SignInRequired):
        answer.headers["WWW-Authenticate"] = 'Basic realm="RootBlood", charset="UTF-8"'
    if isinstance(error, TooManyRequests):
        answer.headers["Retry-After"] = "10"
    return answer


def caller() -> Caller:
    """Return who asks, by the workspace's door or by a token. Raises: SignInRequired."""
    # Without a Bearer credential that would be a browser's cookie.
    found = _by_basic() or (find_caller() if bearer() is not None else None)
    if found is None:
        raise SignInRequired(
            "You have to say who you are",
            hint="The password is an API token: make one on the page 'Account'.",
        )
    bind_contextvars(user=found.user.username)
    return found


def _by_basic() -> Caller | None:
    given = request.authorization
    if given is None or given.type != "basic" or not given.password:
        return None
    now = utcnow()
    if (found := tokens.find(given.password, now)) is None:
        return None
    row, user = found
    accounts.touch(row, user, now)
    return Caller(user, token=row)


def visitor(caller: Caller) -> Visitor:
    """Return the caller as the commons knows people."""
    return Visitor(caller.user.id, caller.user.username, address())


def repository(owner: str, name: str) -> RepoName:
    """Return the parsed name. Raises: NotFound where there can be none of that name."""
    try:
        return parse_full_name(owner, name)
    except BadInput as error:
        raise NotFound(hint=error.hint) from None


def protocol() -> str:
    """Return the version of the protocol that the client asks for."""
    return parse_protocol(request.headers.get("Git-Protocol"))


def check_type(service: Service) -> None:
    """Refuse what is no git client: forms cannot send this type. Raises: BadInput."""
    if request.content_type != f"application/x-{service}-request":
        raise BadInput("That is not a request of git's", field="Content-Type")


def body() -> Readable:
    """Return the request's body, as large as it may be: the commons has its own limits."""
    stream: Readable = request.environ["wsgi.input"]  # which ends where the body does: see app.py
    coding = request.headers.get("Content-Encoding", "identity")
    if coding in ("gzip", "x-gzip"):
        return Inflated(stream)
    if coding != "identity":
        raise BadInput("That coding is unknown", field="Content-Encoding")
    return stream


def streamed(answer: Iterator[bytes], mimetype: str) -> Response:
    """Return a response that is sent as it comes; a client that hangs up ends what makes it."""
    response = Response(stream_with_context(answer), mimetype=mimetype, headers=_NEVER_CACHED)
    response.headers["X-Accel-Buffering"] = "no"
    return response
