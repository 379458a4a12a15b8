"""Who is let in to a preview, request by request, without a server around it."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from models import Audience, User, db, utcnow
from orchestrator import starting, workspaces
from orchestrator.previews import Decision, Label, Verdict, shares
from orchestrator.previews.domain import AppsDomain
from orchestrator.workspaces import Actor
from tests.app_fixtures import PROOF
from tests.visitor import Visitor
from web import opening
from web.preview.cookies import Jar
from web.preview.entry import Knock, Reply, knock

LABEL = Label(5173, "web", "bob")
HOST = f"{LABEL}.localhost:8000"
PAGE = {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document", b"sec-fetch-site": b"none"}
FRAME = PAGE | {b"sec-fetch-dest": b"iframe", b"sec-fetch-site": b"cross-site"}
SOCKET = {b"upgrade": b"websocket", b"connection": b"Upgrade"}
OWN = {b"origin": f"http://{HOST}".encode()}
EVIL = {b"origin": b"http://80--x--mallory.localhost:8000"}
JAR = Jar(secure=True, framed=False)
Ask = Callable[..., Decision | Reply]


@pytest.fixture
def up(app: Flask, bobs: str) -> None:
    """Bob's workspace runs."""
    with app.app_context():
        bob = db.session.query(User).filter_by(username="bob").one()
        (row,) = workspaces.of_user(bob)
        starting.ensure_running(app.extensions["rootblood"], row, Actor("bob", "", PROOF))


@pytest.fixture
def share(app: Flask, bobs: str) -> Callable[[Audience], None]:
    def change(audience: Audience) -> None:
        with app.app_context():
            bob = db.session.query(User).filter_by(username="bob").one()
            (row,) = workspaces.of_user(bob)
            parts = app.extensions["rootblood"]
            shares.change(parts, row, 5173, audience, None, utcnow(), Actor("bob"))

    return change


@pytest.fixture
def ask(app: Flask, up: None) -> Ask:
    """Return ``ask(target, headers)``: what a browser without a pass is answered."""

    def request(
        target: str = "/", headers: dict | None = None, *, method: str = "GET",
        host: str = HOST, scheme: str = "http",
    ) -> Decision | Reply:  # fmt: skip
        given = Knock(
            LABEL, method, target, scheme, host, "192.0.2.7", headers or {},
            upgrades=(headers or {}).get(b"upgrade") == b"websocket",
        )  # fmt: skip
        return knock(opening.gate_of(app), given)

    return request


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


def enter(ask: Ask, visitor: Visitor, to: str = "/", page: dict = PAGE) -> tuple[Reply, bytes]:
    """Go all the way; return the last answer and the pass's cookie."""
    begun = ask(to, page)
    if page is FRAME:  # which begins at the panel's own page
        assert status(begun) == 401
        query = {"host": str(LABEL), "to": to}
        answer = visitor.get("/apps/open", query_string=query, base_url="http://localhost:8000")
        parts = urlsplit(answer.location)
        begun = ask(f"{parts.path}?{parts.query}", page)
    panel, query = location(begun)
    assert panel == "http://localhost:8000/apps/open"
    answer = visitor.get("/apps/open", query_string=query, base_url="http://localhost:8000")
    parts = urlsplit(answer.location)
    entered = ask(f"{parts.path}?{parts.query}", page | {b"cookie": kept(begun)})
    return entered, kept(entered)


def is_open(found: Decision | Reply) -> bool:
    return isinstance(found, Decision) and found.verdict is Verdict.OPEN


def status(found: Decision | Reply) -> int:
    assert isinstance(found, Reply)
    return found.status


def test_a_page_goes_to_the_panel_and_comes_back_with_a_pass(ask: Ask, bob: Visitor) -> None:
    entered, cookie = enter(ask, bob, "/shop?q=1")
    assert location(entered) == (f"http://{HOST}/shop", {"q": "1"})
    found = ask("/shop?q=1", PAGE | {b"cookie": cookie})
    assert is_open(found)
    assert found.panel == "http://localhost:8000"


def test_who_may_not_comes_back_without(ask: Ask, carl: Visitor, share: Callable) -> None:
    _, query = location(ask("/", PAGE))
    answer = carl.get("/apps/open", query_string=query, base_url="http://localhost:8000")
    assert answer.status_code == 404
    share(Audience.USERS)
    _, cookie = enter(ask, carl)
    assert is_open(ask("/", PAGE | {b"cookie": cookie}))


def test_tabs_that_come_at_once_all_arrive(ask: Ask, bob: Visitor) -> None:
    first = ask("/a", PAGE)
    nonce = kept(first)
    second = ask("/b", PAGE | {b"cookie": nonce})
    assert kept(second) == nonce
    for begun, path in ((first, "/a"), (second, "/b")):
        _, query = location(begun)
        answer = bob.get("/apps/open", query_string=query, base_url="http://localhost:8000")
        parts = urlsplit(answer.location)
        back = ask(f"{parts.path}?{parts.query}", PAGE | {b"cookie": nonce})
        assert location(back)[0] == f"http://{HOST}{path}"


def test_a_ticket_is_no_use_to_another_browser(ask: Ask, bob: Visitor) -> None:
    _, query = location(ask("/", PAGE))
    answer = bob.get("/apps/open", query_string=query, base_url="http://localhost:8000")
    parts = urlsplit(answer.location)
    step = f"{parts.path}?{parts.query}"
    assert status(ask(step, PAGE | {b"cookie": b"__Host-rootblood-nonce=" + b"x" * 43})) == 403
    assert status(ask(step, PAGE)) == 403


def test_nobody_is_let_in_as_somebody_else_by_a_link(ask: Ask, bob: Visitor) -> None:
    """A ticket that an attacker got for a nonce of theirs does not fit the victim's browser."""
    theirs = ask("/", PAGE)
    _, query = location(theirs)
    answer = bob.get("/apps/open", query_string=query, base_url="http://localhost:8000")
    victim = kept(ask("/", PAGE))
    assert victim != kept(theirs)
    parts = urlsplit(answer.location)
    assert status(ask(f"{parts.path}?{parts.query}", PAGE | {b"cookie": victim})) == 403


def test_coming_back_to_a_used_way_in_leads_on(ask: Ask, bob: Visitor) -> None:
    _, cookie = enter(ask, bob)
    for step in ("begin", "enter"):
        back = ask(f"/.rootblood/{step}?to=/x&ticket=used", PAGE | {b"cookie": cookie})
        assert location(back)[0] == f"http://{HOST}/x"


def test_in_a_frame_cookies_are_partitioned(ask: Ask, bob: Visitor) -> None:
    reply, _ = enter(ask, bob, page=FRAME)
    (cookie,) = [text for name, text in reply.headers if name == "Set-Cookie"]
    assert cookie.endswith("; HttpOnly; Secure; SameSite=None; Partitioned")


@pytest.mark.parametrize(
    ("headers", "method"),
    [
        ({}, "GET"),
        ({b"accept": b"*/*"}, "GET"),
        (PAGE, "HEAD"),
        (PAGE, "POST"),
        (PAGE | {b"sec-fetch-dest": b"object"}, "GET"),
        ({b"sec-fetch-mode": b"cors", b"accept": b"text/html"}, "GET"),
        (PAGE | SOCKET | OWN, "GET"),
        (PAGE | {b"authorization": b"Bearer rb_wrong"}, "GET"),
    ],
)
def test_what_opens_no_page_is_told_to_sign_in(ask: Ask, headers: dict, method: str) -> None:
    assert status(ask("/", headers, method=method)) == 401


def test_an_older_browser_is_led_too(ask: Ask) -> None:
    assert status(ask("/", {b"accept": b"text/html,*/*"})) == 303


@pytest.mark.parametrize(
    "to", ["//evil.example/", "https://evil", "/\\evil", "x", "/a b", "/.rootblood/enter", "/é"]
)
def test_begin_leads_to_paths_of_the_preview_alone(ask: Ask, bob: Visitor, to: str) -> None:
    _, query = location(ask(f"/.rootblood/begin?to={to}", PAGE))
    assert query["to"] == "/"
    _, cookie = enter(ask, bob)
    back = ask(f"/.rootblood/begin?to={to}", PAGE | {b"cookie": cookie})
    assert location(back)[0] == f"http://{HOST}/"


def test_a_panel_elsewhere_is_believed_with_its_proof_alone(app: Flask, ask: Ask) -> None:
    proof = opening.gate_of(app).prove_panel(LABEL, "http://127.0.0.1:8000")
    where, _ = location(ask(f"/.rootblood/begin?panel={proof}", PAGE))
    assert where == "http://127.0.0.1:8000/apps/open"
    forged = proof.replace("127.0.0.1", "evil.example")
    where, _ = location(ask(f"/.rootblood/begin?panel={forged}", PAGE))
    assert where == "http://localhost:8000/apps/open"


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
@pytest.mark.parametrize("path", ["begin", "enter", "", "other", "../begin", "begin/"])
def test_our_paths_never_reach_the_app(
    ask: Ask, bob: Visitor, share: Callable, method: str, path: str
) -> None:
    share(Audience.PUBLIC)
    assert status(ask(f"/.rootblood/{path}", PAGE, method=method)) == 404


class TestForeignPages:
    @pytest.fixture
    def cookie(self, ask: Ask, bob: Visitor) -> dict[bytes, bytes]:
        return {b"cookie": enter(ask, bob)[1]}

    @pytest.mark.parametrize("site", [b"cross-site", b"same-site"])
    @pytest.mark.parametrize("mode", [b"cors", b"no-cors", b"websocket", b"same-origin"])
    def test_another_pages_requests_are_refused(
        self, ask: Ask, cookie: dict, site: bytes, mode: bytes
    ) -> None:
        headers = cookie | {b"sec-fetch-site": site, b"sec-fetch-mode": mode}
        assert status(ask("/", headers)) == 403

    @pytest.mark.parametrize("site", [b"cross-site", b"same-site"])
    def test_another_page_may_lead_here_but_send_nothing(
        self, ask: Ask, cookie: dict, site: bytes
    ) -> None:
        headers = cookie | PAGE | {b"sec-fetch-site": site}
        assert is_open(ask("/", headers))
        assert status(ask("/", headers | {b"sec-fetch-dest": b"iframe"})) == 401
        assert status(ask("/", headers | {b"sec-fetch-dest": b"embed"})) == 403
        assert status(ask("/", headers, method="POST")) == 403

    @pytest.mark.parametrize("dest", [b"iframe", b"frame"])
    def test_a_neighbours_frame_does_not_use_the_pass_of_a_tab(
        self, ask: Ask, cookie: dict, dest: bytes
    ) -> None:
        """Lax cookies are sent to frames of the same site, and all previews are one."""
        for site in (b"same-site", b"cross-site"):
            headers = PAGE | {b"sec-fetch-dest": dest, b"sec-fetch-site": site}
            assert status(ask("/", cookie | headers)) == 401
            assert status(ask("/.rootblood/begin?to=/", cookie | headers)) == 401
        own = PAGE | {b"sec-fetch-dest": dest, b"sec-fetch-site": b"same-origin"}
        assert is_open(ask("/", cookie | own))

    def test_a_frame_of_the_panel_has_a_pass_of_its_own(self, ask: Ask, bob: Visitor) -> None:
        framed = {b"cookie": enter(ask, bob, page=FRAME)[1]}
        assert is_open(ask("/", framed | FRAME))
        for page in (PAGE, PAGE | {b"sec-fetch-site": b"same-site"}):
            assert status(ask("/", framed | page)) == 303
        part = {b"sec-fetch-site": b"same-origin", b"sec-fetch-mode": b"cors"}
        assert is_open(ask("/a.js", framed | part | {b"sec-fetch-dest": b"script"}))
        assert is_open(ask("/ws", framed | SOCKET | OWN))

    def test_its_own_pages_and_the_address_bar_may(self, ask: Ask, cookie: dict) -> None:
        for site in (b"same-origin", b"none"):
            assert is_open(ask("/", cookie | {b"sec-fetch-site": site}, method="POST"))

    def test_an_older_browser_is_known_by_the_origin(self, ask: Ask, cookie: dict) -> None:
        assert is_open(ask("/", cookie | OWN, method="POST"))
        assert is_open(ask("/", cookie))
        assert status(ask("/", cookie | EVIL, method="POST")) == 403
        assert status(ask("/", cookie | {b"origin": b"null"})) == 403

    def test_a_public_preview_is_everybodys(self, ask: Ask, share: Callable) -> None:
        share(Audience.PUBLIC)
        headers = EVIL | {b"sec-fetch-site": b"cross-site", b"sec-fetch-mode": b"cors"}
        assert is_open(ask("/", headers, method="POST"))

    @pytest.mark.parametrize("audience", Audience)
    @pytest.mark.parametrize(
        "origin",
        [{}, EVIL, {b"origin": b"null"}, {b"origin": f"https://{HOST}".encode()},
         {b"origin": f"http://{LABEL}.localhost".encode()}, {b"origin": b"http://localhost:8000"},
         {b"origin": f"http://{HOST}.evil.example".encode()},
         {b"origin": f"http://{HOST}/".encode()}],
    )  # fmt: skip
    def test_websockets_are_of_its_own_pages(
        self, ask: Ask, cookie: dict, share: Callable, audience: Audience, origin: dict
    ) -> None:
        share(audience)
        assert status(ask("/", cookie | SOCKET | origin)) == 403
        assert is_open(ask("/", cookie | SOCKET | OWN))

    def test_another_protocol_is_offered_by_programs_without_an_origin(
        self, ask: Ask, cookie: dict, share: Callable
    ) -> None:
        offer = {b"upgrade": b"h2c", b"connection": b"Upgrade, HTTP2-Settings"}
        assert is_open(ask("/", cookie | offer))
        share(Audience.PUBLIC)
        assert is_open(ask("/", offer))

    def test_a_token_needs_no_origin(self, app: Flask, ask: Ask, bob: Visitor, bearer) -> None:
        authorization = bearer("bob")["Authorization"].encode()
        for headers in (SOCKET, SOCKET | EVIL, {b"sec-fetch-site": b"cross-site"}):
            assert is_open(ask("/", headers | {b"authorization": authorization}))
        assert is_open(ask("/", {b"authorization": authorization.replace(b"Bearer", b"bearer ")}))

    def test_an_authorization_of_the_app_is_no_token(
        self, ask: Ask, bob: Visitor, cookie: dict
    ) -> None:
        for text in (b"Basic YTpi", b"Bearer eyJhbGciOi", b"Bearer", b"rb_x", b"token rb_x"):
            assert is_open(ask("/", cookie | {b"authorization": text}))


def test_what_a_port_held_before_is_cleared_where_ports_are_given_on(
    app: Flask, ask: Ask, bob: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app that had the port has left pages in the browser that would run as this one's."""
    assert "Clear-Site-Data" not in dict(enter(ask, bob)[0].headers)
    monkeypatch.setattr(AppsDomain, "shares_host", True)

    def come(*cookies: bytes) -> tuple[str, bytes]:
        begun = ask("/", PAGE)
        _, query = location(begun)
        answer = bob.get("/apps/open", query_string=query, base_url="http://localhost:8000")
        parts = urlsplit(answer.location)
        shown = b"; ".join((kept(begun), *cookies))
        entered = ask(f"{parts.path}?{parts.query}", PAGE | {b"cookie": shown})
        assert isinstance(entered, Reply)
        marks = [text for name, text in entered.headers if "rootblood-kept" in text]
        (mark,) = marks or [""]
        return dict(entered.headers).get("Clear-Site-Data", ""), mark.partition(";")[0].encode()

    cleared, mark = come()
    assert cleared == '"cache", "storage"'
    assert come(mark) == ("", b"")
    forged = mark.partition(b"=")[0] + b"=" + b"x" * 43
    assert come(forged)[0] == cleared


def test_a_token_that_can_be_none_is_not_remembered(app: Flask, ask: Ask) -> None:
    assert status(ask("/", {b"authorization": b"Bearer rb_" + b"x" * 30_000})) == 401
    assert all(len(str(key)) < 1000 for key in opening.gate_of(app)._memory)


def test_a_page_that_a_person_opens_counts_as_input_and_one_that_reloads_itself_does_not(
    app: Flask, ask: Ask, bob: Visitor
) -> None:
    noted: list[int] = []
    connections = app.extensions["rootblood"].connections
    connections.note_input = lambda workspace_id, _now: noted.append(workspace_id)
    _, cookie = enter(ask, bob)
    assert len(noted) == 1, "to come in is a person's doing"
    again = PAGE | {b"cookie": cookie}
    assert is_open(ask("/", again))
    assert is_open(ask("/", again | {b"sec-fetch-user": b"?0"}))
    assert is_open(ask("/", again | {b"sec-fetch-user": b"?1", b"sec-fetch-mode": b"cors"}))
    assert len(noted) == 1
    assert is_open(ask("/", again | {b"sec-fetch-user": b"?1"}))
    assert len(noted) == 2


def test_another_persons_token_finds_nothing(ask: Ask, carl: Visitor, bearer) -> None:
    headers = {b"authorization": bearer("carl")["Authorization"].encode()}
    assert status(ask("/", headers)) == 404


@pytest.mark.parametrize(
    ("scheme", "host", "prefix"),
    [
        ("http", HOST, True),
        ("https", f"{LABEL}.apps.example.org", True),
        ("http", f"{LABEL}.apps.lan:8000", False),
        ("http", f"{LABEL}.localhost.evil:80", False),
    ],
)
def test_cookies_are_as_tight_as_the_connection(
    ask: Ask, scheme: str, host: str, prefix: bool
) -> None:
    reply = ask("/", PAGE, scheme=scheme, host=host)
    assert kept(reply).startswith(b"__Host-") is prefix
