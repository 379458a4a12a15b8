"""Let a browser into a preview, or turn it away: what happens before a request reaches the app.

Without a pass a page's navigation goes to the panel and back, in steps on the preview's own origin:
*begin* gives the browser a nonce, *enter* takes the ticket that the panel gave for it. With one,
other sites' pages still may not use it: only whole pages can be navigated to from elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from models import Audience
from orchestrator.errors import Forbidden, NotFound, RootBloodError, SignInRequired
from orchestrator.passwords import new_secret
from orchestrator.previews import RESERVED, Decision, Label, Verdict
from orchestrator.previews.gate import Gate
from orchestrator.previews.tickets import state_of
from orchestrator.tokens import PREFIX
from web.origins import is_trusted
from web.preview.clients import navigates
from web.preview.cookies import KEPT, NONCE, PASS, Jar

BEGIN, ENTER = f"{RESERVED}begin", f"{RESERVED}enter"
LATE, COOKIELESS = f"{RESERVED}late", f"{RESERVED}cookieless"
_FRAMES = (b"iframe", b"frame")
_PAGES = (b"document", *_FRAMES)
_TARGET_MOST, _QUERY_MOST, _TICKET_MOST, _TOKEN_MOST = 2000, 8000, 100, 100
_PRIVATE = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))


@dataclass(frozen=True, slots=True)
class Knock:
    """A request to a preview, as far as it matters who may make it."""

    label: Label
    method: str
    target: str
    """The request target, in origin form (``/path?query``), as sent."""
    scheme: str
    """``http`` or ``https``, as the browser sees it: behind a trusted proxy as forwarded."""
    authority: str
    """The ``Host``, with its port, as the browser sees it."""
    address: str
    headers: Mapping[bytes, bytes]
    """By lower-case name; lines of the same name joined, cookies by ``; ``, others by ``, ``."""
    tag: str = ""
    """What the names of our cookies end with: see ``AppsPorts.tag``."""
    upgrades: bool = False
    """Whether it asks for a WebSocket, which is the one protocol that is changed to."""

    @property
    def origin(self) -> str:
        """The preview's."""
        return f"{self.scheme}://{self.authority.lower()}"

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def opens_page(self) -> bool:
        """Whether a browser is to show the answer as a page, of its own or in a frame."""
        if self.method not in ("GET", "HEAD") or self.upgrades:
            return False
        shown = b"sec-fetch-mode" not in self.headers or self._dest in _PAGES
        return shown and navigates(self.headers)

    @property
    def is_in_a_frame(self) -> bool:
        """Whether it is for a frame in a page of another origin."""
        own = self.headers.get(b"sec-fetch-site") == b"same-origin"
        return self._dest in _FRAMES and not own

    @property
    def jar(self) -> Jar:
        framed = self._dest in _FRAMES
        # A page's own frames are as it is; whose frame another one is, its cookies tell.
        both = not self.is_in_a_frame and self._dest != b"document"
        secure = is_trusted(self.scheme, self.authority)
        return Jar(secure=secure, framed=framed, both=both, tag=self.tag)

    @property
    def _dest(self) -> bytes | None:
        return self.headers.get(b"sec-fetch-dest")


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer instead: a redirect where ``problem`` is None, else a page or document."""

    status: int
    headers: tuple[tuple[str, str], ...] = _PRIVATE
    problem: RootBloodError | None = None


def knock(gate: Gate, asked: Knock) -> Decision | Reply:
    """Return the gate's decision, OPEN or STOPPED, or what to answer instead.

    Where it is OPEN: ``decision.viewer.hold(carrier)`` while the exchange goes on, then
    ``release``; ``hold`` is False where the right has just ended. Raises: DBAPIError.
    """
    cookie, token = asked.header(b"cookie"), _token(asked)
    decision = gate.look(asked.label, asked.jar.values(cookie, PASS), token, asked.address)
    if asked.target.startswith(RESERVED):
        return _step(gate, asked, decision)
    if decision.verdict is Verdict.ABSENT:
        return Reply(404, problem=NotFound("There is no such preview, or it is not yours to see"))
    if decision.verdict is Verdict.PASS_NEEDED:
        if asked.opens_page and asked.method == "GET" and token is None:
            return _begin(gate, asked, asked.target)
        return _UNKNOWN
    if token is None and _is_foreign(asked, decision):
        return _FOREIGN
    # A page that reloads itself says so too, and that nobody made it: W3C Fetch Metadata, 2.4.
    if asked.opens_page and asked.headers.get(b"sec-fetch-user") == b"?1":
        gate.visited(decision)
    return decision


_UNKNOWN = Reply(
    401,
    problem=SignInRequired(
        "This preview is not public",
        hint="Open it from the workspace's ports, or send 'Authorization: Bearer <API token>'.",
    ),
)
_FOREIGN = Reply(
    403,
    problem=Forbidden(
        "Another site's page may not ask this preview",
        hint="Share the port publicly if it is meant to.",
    ),
)
_REFUSALS = {
    COOKIELESS: Reply(
        403,
        problem=Forbidden(
            "This browser does not keep the cookies of previews",
            hint="Allow them for this address, or open the preview in a tab of its own.",
        ),
    ),
    LATE: Reply(
        403,
        problem=Forbidden(
            "This way in was used already, or took too long", hint="Open the preview again."
        ),
    ),
}


def _token(asked: Knock) -> str | None:
    """Return the request's API token; another ``Authorization`` is the app's own."""
    scheme, _, secret = asked.header(b"authorization").strip().partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret.startswith(PREFIX):
        return None
    # What is longer is nobody's, and what is looked for is remembered.
    return secret if len(secret) <= _TOKEN_MOST else PREFIX


def _is_foreign(asked: Knock, decision: Decision) -> bool:
    """Return whether another origin's page asks with this browser's pass.

    A WebSocket must be opened by the preview's own page, whoever may see the preview: it says
    ``Origin`` always (RFC 6455, 4.1). ``Sec-Fetch-Site`` counts siblings as other sites.
    """
    origin = asked.headers.get(b"origin")
    own = origin is not None and origin.decode("latin-1").lower() == asked.origin
    if asked.upgrades:
        return not own
    if decision.audience is Audience.PUBLIC:
        return False
    site = asked.headers.get(b"sec-fetch-site")
    if site is None:
        return origin is not None and not own
    return site not in (b"same-origin", b"none") and not asked.opens_page


def _step(gate: Gate, asked: Knock, decision: Decision) -> Reply:
    """Answer one of our own paths."""
    path, _, query = asked.target.partition("?")
    if path not in (BEGIN, ENTER, *_REFUSALS) or asked.method != "GET" or asked.upgrades:
        return Reply(404, problem=NotFound("There is nothing here"))
    given = dict(parse_qsl(query[:_QUERY_MOST]))
    to = _target(given.get("to", "/"))
    if decision.verdict in (Verdict.OPEN, Verdict.STOPPED) and decision.panel:
        return _redirect(asked.origin + to)
    if path in _REFUSALS:
        return _REFUSALS[path]
    if path == BEGIN:
        return _begin(gate, asked, to, given.get("panel", ""))
    return _enter(gate, asked, to, given.get("ticket", ""))


def _begin(gate: Gate, asked: Knock, target: str, proof: str = "") -> Reply:
    """Send the browser to the panel with the hash of a nonce that it keeps here."""
    panel = gate.panel(asked.label, asked.scheme, asked.authority, proof)
    if panel is None or (asked.is_in_a_frame and not gate.is_proven(asked.label, proof)):
        return _UNKNOWN  # frames begin at the panel's page, which alone may show them
    # One for all tabs that are on their way, or the last would be the only to arrive.
    held = asked.jar.values(asked.header(b"cookie"), NONCE)
    nonce = held[0] if held else new_secret()
    query = {"host": str(asked.label), "state": state_of(nonce), "to": _target(target)}
    if asked.is_in_a_frame:
        query["panel"] = proof
    return _redirect(f"{panel}/apps/open?{urlencode(query)}", asked.jar.set(NONCE, nonce))


def _enter(gate: Gate, asked: Knock, target: str, ticket: str) -> Reply:
    """Take the ticket, and give a pass for it.

    Never a page: an app could read the address of one that it framed or opened, ticket and all.
    """
    nonces = asked.jar.values(asked.header(b"cookie"), NONCE)
    secret = gate.enter(asked.label, ticket, nonces) if len(ticket) < _TICKET_MOST else None
    if secret is None:
        return _redirect(asked.origin + (LATE if nonces else COOKIELESS))
    gate.visited(gate.look(asked.label, [secret], None, asked.address))
    entered = _redirect(asked.origin + target, asked.jar.set(PASS, secret))
    return _cleared(gate, asked, entered) if gate.domain.shares_host else entered


def _cleared(gate: Gate, asked: Knock, entered: Reply) -> Reply:
    """Have the browser forget what another app stored that had this port before."""
    mark = gate.mark(asked.label)
    if mark in asked.jar.values(asked.header(b"cookie"), KEPT):
        return entered
    added = ("Clear-Site-Data", '"cache", "storage"'), ("Set-Cookie", asked.jar.set(KEPT, mark))
    return replace(entered, headers=(*entered.headers, *added))


def _target(text: str) -> str:
    """Return ``text`` when it is a path that fits in a redirect, with its query; else ``/``."""
    plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    fits = plain and text.startswith("/") and len(text) <= _TARGET_MOST
    return text if fits and not text.startswith(("//", RESERVED)) else "/"


def _redirect(location: str, *cookies: str) -> Reply:
    kept = tuple(("Set-Cookie", cookie) for cookie in cookies)
    return Reply(303, (("Location", location), *_PRIVATE, *kept))
