"""A browser that comes to a preview of Bob's, request by request, without a server around it."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from orchestrator.previews import Decision, Label, Verdict
from tests.visitor import Visitor
from web.preview.entry import Reply

LABEL = Label(5173, "web", "bob")
HOST = f"{LABEL}.localhost:8000"
PAGE = {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document", b"sec-fetch-site": b"none"}
FRAME = PAGE | {b"sec-fetch-dest": b"iframe", b"sec-fetch-site": b"cross-site"}
SOCKET = {b"upgrade": b"websocket", b"connection": b"Upgrade"}
OWN = {b"origin": f"http://{HOST}".encode()}
EVIL = {b"origin": b"http://80--x--mallory.localhost:8000"}
Ask = Callable[..., Decision | Reply]


def location(reply: Decision | Reply) -> tuple[str, dict[str, str]]:
    """Return where a redirect leads, and with what."""
    assert isinstance(reply, Reply)
    assert reply.status == 303, reply
    headers = dict(reply.headers)
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    parts = urlsplit(headers["Location"])
    query = {name: text for name, (text,) in parse_qs(parts.query).items()}
    return f"{parts.scheme}://{parts.netloc}{parts.path}", query


def kept(reply: Decision | Reply) -> bytes:
    """Return the cookie that a redirect sets, as a browser sends it."""
    assert isinstance(reply, Reply)
    (cookie,) = [text for name, text in reply.headers if name == "Set-Cookie"]
    return cookie.partition(";")[0].encode()


def panels(visitor: Visitor, query: dict[str, str]) -> str:
    """Ask the panel to open a preview; return the target that it leads to there."""
    answer = visitor.get("/apps/open", query_string=query, base_url="http://localhost:8000")
    parts = urlsplit(answer.location)
    return f"{parts.path}?{parts.query}"


def enter(ask: Ask, visitor: Visitor, to: str = "/", page: dict = PAGE) -> tuple[Reply, bytes]:
    """Go all the way; return the last answer and the pass's cookie."""
    begun = ask(to, page)
    if page is FRAME:  # which begins at the panel's own page
        assert status(begun) == 401
        begun = ask(panels(visitor, {"host": str(LABEL), "to": to}), page)
    panel, query = location(begun)
    assert panel == "http://localhost:8000/apps/open"
    entered = ask(panels(visitor, query), page | {b"cookie": kept(begun)})
    return entered, kept(entered)


def is_open(found: Decision | Reply) -> bool:
    return isinstance(found, Decision) and found.verdict is Verdict.OPEN


def status(found: Decision | Reply) -> int:
    assert isinstance(found, Reply)
    return found.status
