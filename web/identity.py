"""Who is asking: a browser's cookie or an API token, loaded once a request.

The session cookie is ``__Host-`` prefixed wherever the browser lets it be (HTTPS, and
http://localhost, which browsers trust). A LAN host on plain http gets one without the prefix,
and a warning on every page.
"""

import secrets
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn

from flask import Flask, Request, current_app, g, has_request_context, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_login import AnonymousUserMixin, LoginManager
from flask_wtf.csrf import CSRFProtect
from structlog.contextvars import bind_contextvars, clear_contextvars

from models import Kind, Login, Slot, Token, User, Workspace, utcnow
from orchestrator import accounts, tokens
from orchestrator.connections import Connection
from orchestrator.errors import Forbidden, SignInRequired
from orchestrator.keys import Proof
from orchestrator.platform import Platform
from orchestrator.workspaces import Actor
from web.origins import is_trusted

COOKIE = "rootblood"
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
csrf = CSRFProtect()


class Anonymous(AnonymousUserMixin):  # type: ignore[misc]
    """Nobody, with what templates ask of a user."""

    username = ""
    is_admin = False


@dataclass(frozen=True, slots=True)
class Caller:
    """A user and how they proved it: by ``login``, by ``token``, or else by a workspace's door."""

    user: User
    login: Login | None = None
    token: Token | None = None
    proof: Proof | None = field(default=None, repr=False)
    """What they proved it with; it opens the home's key where the login or token has a copy."""

    @property
    def login_id(self) -> int | None:
        return self.login.id if self.login else None

    @property
    def token_id(self) -> int | None:
        return self.token.id if self.token else None


class CookieSessions(SecureCookieSessionInterface):
    """Signed session cookies whose name and ``Secure`` flag follow the connection."""

    def get_cookie_name(self, app: Flask) -> str:
        return f"__Host-{COOKIE}" if trusted_origin() else COOKIE

    def get_cookie_secure(self, app: Flask) -> bool:
        return trusted_origin()


def trusted_origin() -> bool:
    """Return whether browsers accept ``Secure`` cookies from this origin."""
    return has_request_context() and is_trusted(request.scheme, request.host)


def exposed_origin() -> bool:
    """Return whether cookies and passwords travel in clear over a network."""
    local = ("localhost", "127.0.0.1", "[::1]")
    return not request.is_secure and hostname(request) not in local


def hostname(incoming: Request) -> str:
    """Return the request's host without its port."""
    return incoming.host.rsplit(":", 1)[0] if not incoming.host.endswith("]") else incoming.host


def refuse_rebound_founder() -> None:
    """Keep a web page elsewhere from founding this server through a name that it points here.

    By DNS rebinding a page can reach a server that listens on loopback. It has no cookie there, but
    the first account needs none and becomes the administrator. Raises: Forbidden.
    """
    settings = platform().settings
    loopback = settings.address[0] in ("127.0.0.1", "::1", "localhost")
    local = hostname(request) in ("localhost", "127.0.0.1", "[::1]")
    if loopback and not settings.trusted_proxies and not local and not accounts.anyone():
        raise Forbidden(
            "The first account is made on the server itself",
            hint=f"Open http://localhost:{settings.address[1]}, or set ROOTBLOOD_TRUSTED_PROXIES "
            "when a reverse proxy stands in front.",
        )


def platform() -> Platform:
    """Return the platform that this application serves."""
    found: Platform = current_app.extensions["rootblood"]
    return found


def address() -> str:
    """Return the caller's address, as far as the trusted proxies tell."""
    return request.remote_addr or ""


def caller() -> Caller:
    """Return who is asking. Raises: SignInRequired."""
    found = find_caller()
    if found is None:
        raise SignInRequired
    return found


def actor() -> Actor:
    """Return who is asking as use cases want it. Raises: SignInRequired."""
    who = caller()
    return Actor(who.user.username, address(), who.proof)


def find_caller() -> Caller | None:
    """Return who is asking, or None; looked up once a request."""
    if "caller" not in g:
        g.caller = _load()
        if g.caller is not None:
            bind_contextvars(user=g.caller.user.username)
    found: Caller | None = g.caller
    return found


def connect(workspace: Workspace, kind: Kind) -> Connection:
    """Register a live connection of the caller, which ends with what they proved themselves by.

    Raises: Conflict when that or the workspace has ended meanwhile; SignInRequired.
    """
    who = caller()
    return platform().connections.open(
        utcnow(),
        user_id=who.user.id,
        workspace_id=workspace.id,
        kind=kind,
        address=address(),
        login_id=who.login_id,
        token_id=who.token_id,
    )


def bearer() -> str | None:
    """Return the request's Bearer credential, if it carries one."""
    authorization = request.authorization
    if authorization is not None and authorization.type == "bearer":
        return authorization.token or ""
    return None


def _load() -> Caller | None:
    now = utcnow()
    if (door := request.environ.get("rootblood.door")) is not None:
        visitor = door.visitor(bearer() or "")
        return Caller(visitor) if visitor else None
    if (secret := bearer()) is not None:  # a token never falls back to the cookie
        by_token = tokens.find(secret, now)
        if by_token is None:
            return None
        row, user = by_token
        accounts.touch(row, user, now)
        return Caller(user, token=row, proof=Proof(Slot.TOKEN, row.id, secret))
    cookie = session.get("login")
    if not isinstance(cookie, str):
        return None
    lifetime = timedelta(seconds=platform().settings.login_seconds)
    by_login = accounts.find_login(cookie, now, lifetime)
    if by_login is None:
        return None
    login, user = by_login
    accounts.touch(login, user, now)
    return Caller(user, login=login, proof=Proof(Slot.LOGIN, login.id, cookie))


def agent() -> str:
    """Return what the browser says it is."""
    return request.headers.get("User-Agent", "")


def enter(entrant: accounts.Entrant) -> None:
    """Sign a person in to this browser afresh; a sign-in from before ends."""
    previous = find_caller()
    if previous is not None and previous.login_id is not None:
        accounts.sign_out(previous.login_id)
        platform().connections.hang_up_revoked()
    _, secret = accounts.sign_in(
        entrant.user,
        utcnow(),
        address=address(),
        agent=agent(),
        key=entrant.key,
        proven=entrant.proven,
    )
    remember(secret)


def cut_off(user: User) -> None:
    """Close what ended sign-ins and tokens had open, and let the pages of all others know."""
    platform().connections.hang_up_revoked()
    platform().feed.publish(user.id)


def remember(secret: str) -> None:
    """Begin a fresh browser session for a login; nothing of the old one survives."""
    session.clear()
    session["login"] = secret
    session.permanent = True
    g.pop("caller", None)


def forget() -> None:
    """End the browser session."""
    session.clear()
    g.pop("caller", None)


def _refuse() -> NoReturn:
    raise SignInRequired


def install(app: Flask) -> None:
    """Register sign-in, CSRF and the log's context."""
    app.session_interface = CookieSessions()
    manager = LoginManager(app)
    manager.anonymous_user = Anonymous
    manager.session_protection = None
    manager.unauthorized_handler(_refuse)

    @manager.request_loader  # type: ignore[untyped-decorator]
    def load(_: Request) -> User | None:
        found = find_caller()
        return found.user if found else None

    @app.before_request
    def begin() -> None:
        clear_contextvars()
        bind_contextvars(request=secrets.token_hex(4), path=request.path, address=address())
        view = app.view_functions.get(request.endpoint or "")
        if getattr(view, "streams", False) and request.mimetype not in FORMS:
            # Looking for a form's token would refuse it. None would be the server's limit again.
            request.max_content_length = sys.maxsize

    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf.init_app(app)

    @app.before_request
    def check_csrf() -> None:
        # A token is never sent by a browser on its own, so it needs no CSRF protection.
        view = app.view_functions.get(request.endpoint or "")
        if (
            request.method not in SAFE_METHODS
            and bearer() is None
            and not getattr(view, "takes_credentials", False)
            and not (request.blueprint == "api" and find_caller() is None)  # it says 401 itself
        ):
            csrf.protect()
