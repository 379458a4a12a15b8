"""Requests that another origin's page makes at a preview, with its visitor's pass."""

from collections.abc import Callable

import pytest
from flask import Flask

from models import Audience
from tests.visitor import Visitor
from tests.web.preview.entering import (
    EVIL,
    FRAME,
    HOST,
    LABEL,
    OWN,
    PAGE,
    SOCKET,
    Ask,
    enter,
    is_open,
    status,
)


@pytest.fixture
def cookie(ask: Ask, bob: Visitor) -> dict[bytes, bytes]:
    return {b"cookie": enter(ask, bob)[1]}


@pytest.mark.parametrize("site", [b"cross-site", b"same-site"])
@pytest.mark.parametrize("mode", [b"cors", b"no-cors", b"websocket", b"same-origin"])
def test_another_pages_requests_are_refused(
    ask: Ask, cookie: dict, site: bytes, mode: bytes
) -> None:
    headers = cookie | {b"sec-fetch-site": site, b"sec-fetch-mode": mode}
    assert status(ask("/", headers)) == 403


@pytest.mark.parametrize("site", [b"cross-site", b"same-site"])
def test_another_page_may_lead_here_but_send_nothing(ask: Ask, cookie: dict, site: bytes) -> None:
    headers = cookie | PAGE | {b"sec-fetch-site": site}
    assert is_open(ask("/", headers))
    assert status(ask("/", headers | {b"sec-fetch-dest": b"iframe"})) == 401
    assert status(ask("/", headers | {b"sec-fetch-dest": b"embed"})) == 403
    assert status(ask("/", headers, method="POST")) == 403


@pytest.mark.parametrize("dest", [b"iframe", b"frame"])
def test_a_neighbours_frame_does_not_use_the_pass_of_a_tab(
    ask: Ask, cookie: dict, dest: bytes
) -> None:
    """Lax cookies are sent to frames of the same site, and all previews are one."""
    for site in (b"same-site", b"cross-site"):
        headers = PAGE | {b"sec-fetch-dest": dest, b"sec-fetch-site": site}
        assert status(ask("/", cookie | headers)) == 401
        assert status(ask("/.rootblood/begin?to=/", cookie | headers)) == 401
    own = PAGE | {b"sec-fetch-dest": dest, b"sec-fetch-site": b"same-origin"}
    assert is_open(ask("/", cookie | own))


def test_a_frame_of_the_panel_has_a_pass_of_its_own(ask: Ask, bob: Visitor) -> None:
    framed = {b"cookie": enter(ask, bob, page=FRAME)[1]}
    assert is_open(ask("/", framed | FRAME))
    for page in (PAGE, PAGE | {b"sec-fetch-site": b"same-site"}):
        assert status(ask("/", framed | page)) == 303
    part = {b"sec-fetch-site": b"same-origin", b"sec-fetch-mode": b"cors"}
    assert is_open(ask("/a.js", framed | part | {b"sec-fetch-dest": b"script"}))
    assert is_open(ask("/ws", framed | SOCKET | OWN))


def test_its_own_pages_and_the_address_bar_may(ask: Ask, cookie: dict) -> None:
    for site in (b"same-origin", b"none"):
        assert is_open(ask("/", cookie | {b"sec-fetch-site": site}, method="POST"))


def test_an_older_browser_is_known_by_the_origin(ask: Ask, cookie: dict) -> None:
    assert is_open(ask("/", cookie | OWN, method="POST"))
    assert is_open(ask("/", cookie))
    assert status(ask("/", cookie | EVIL, method="POST")) == 403
    assert status(ask("/", cookie | {b"origin": b"null"})) == 403


def test_a_public_preview_is_everybodys(ask: Ask, share: Callable) -> None:
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
    ask: Ask, cookie: dict, share: Callable, audience: Audience, origin: dict
) -> None:
    share(audience)
    assert status(ask("/", cookie | SOCKET | origin)) == 403
    assert is_open(ask("/", cookie | SOCKET | OWN))


def test_another_protocol_is_offered_by_programs_without_an_origin(
    ask: Ask, cookie: dict, share: Callable
) -> None:
    offer = {b"upgrade": b"h2c", b"connection": b"Upgrade, HTTP2-Settings"}
    assert is_open(ask("/", cookie | offer))
    share(Audience.PUBLIC)
    assert is_open(ask("/", offer))


def test_a_token_needs_no_origin(app: Flask, ask: Ask, bob: Visitor, bearer) -> None:
    authorization = bearer("bob")["Authorization"].encode()
    for headers in (SOCKET, SOCKET | EVIL, {b"sec-fetch-site": b"cross-site"}):
        assert is_open(ask("/", headers | {b"authorization": authorization}))
    assert is_open(ask("/", {b"authorization": authorization.replace(b"Bearer", b"bearer ")}))


def test_an_authorization_of_the_app_is_no_token(ask: Ask, bob: Visitor, cookie: dict) -> None:
    for text in (b"Basic YTpi", b"Bearer eyJhbGciOi", b"Bearer", b"rb_x", b"token rb_x"):
        assert is_open(ask("/", cookie | {b"authorization": text}))
