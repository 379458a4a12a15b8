"""Who is let in to a preview, and how they come by a pass."""

from collections.abc import Callable

import pytest
from flask import Flask

from models import Audience
from orchestrator.previews.domain import AppsDomain
from tests.visitor import Visitor
from tests.web.preview.entering import (
    FRAME,
    HOST,
    LABEL,
    OWN,
    PAGE,
    SOCKET,
    Ask,
    enter,
    is_open,
    kept,
    location,
    panels,
    status,
)
from web import opening
from web.preview.entry import Reply


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
        back = ask(panels(bob, query), PAGE | {b"cookie": nonce})
        assert location(back)[0] == f"http://{HOST}{path}"


def turned_away(ask: Ask, step: str, headers: dict) -> bool:
    """Return whether a step leads to a refusal, whose address has no ticket to be read."""
    where, query = location(ask(step, headers))
    return not query and status(ask(where.removeprefix(f"http://{HOST}"), headers)) == 403


def test_a_ticket_is_no_use_to_another_browser(ask: Ask, bob: Visitor) -> None:
    begun = ask("/", PAGE)
    nonce, (_, query) = kept(begun), location(begun)
    for other in ({b"cookie": b"__Host-rootblood-nonce=" + b"x" * 43}, {}):
        step = panels(bob, query)
        assert turned_away(ask, step, PAGE | other)
        assert turned_away(ask, step, PAGE | {b"cookie": nonce}), "and it is used up"


def test_nobody_is_let_in_as_somebody_else_by_a_link(ask: Ask, bob: Visitor) -> None:
    """A ticket that an attacker got for a nonce of theirs does not fit the victim's browser."""
    theirs = ask("/", PAGE)
    _, query = location(theirs)
    step = panels(bob, query)
    victim = kept(ask("/", PAGE))
    assert victim != kept(theirs)
    assert turned_away(ask, step, PAGE | {b"cookie": victim})


def test_coming_back_to_a_used_way_in_leads_on(ask: Ask, bob: Visitor) -> None:
    _, cookie = enter(ask, bob)
    for step in ("begin", "enter"):
        back = ask(f"/.rootblood/{step}?to=/x&ticket=used", PAGE | {b"cookie": cookie})
        assert location(back)[0] == f"http://{HOST}/x"


def test_what_begins_in_a_frame_brings_the_panels_proof_back(ask: Ask, bob: Visitor) -> None:
    step = panels(bob, {"host": str(LABEL)})
    for page, is_shown in ((FRAME, True), (PAGE, False)):
        assert ("panel" in location(ask(step, page))[1]) is is_shown


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


def test_what_a_port_held_before_is_cleared_where_ports_are_given_on(
    app: Flask, ask: Ask, bob: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app that had the port has left pages in the browser that would run as this one's."""
    assert "Clear-Site-Data" not in dict(enter(ask, bob)[0].headers)
    monkeypatch.setattr(AppsDomain, "shares_host", True)

    def come(*cookies: bytes) -> tuple[str, bytes]:
        begun = ask("/", PAGE)
        _, query = location(begun)
        shown = b"; ".join((kept(begun), *cookies))
        entered = ask(panels(bob, query), PAGE | {b"cookie": shown})
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
