"""What an app is asked: as localhost, and without anything of the panel's or of other proxies'."""

import base64

import pytest

from orchestrator.previews import Label
from web.heads import parse_request
from web.preview.requests import carries_our_token, for_app
from web.preview.sites import Site

TOKEN = b"rb_" + b"Ab3-_" * 8 + b"xyz"
SITE = Site(Label(5173, "main", "ada"), "https", "5173--main--ada.apps.test")


def sent(*lines: bytes, first: bytes = b"GET /a?b HTTP/1.1", upgrade: bool = False) -> list[bytes]:
    head = parse_request(b"\r\n".join([first, b"Host: x", *lines, b"", b""]))
    said = for_app(head, SITE, "192.0.2.7", upgrade=upgrade)
    assert said.endswith(b"\r\n\r\n")
    parse_request(said)  # nothing that we send on has two meanings
    return said[:-4].split(b"\r\n")


OURS = [
    b"X-Forwarded-For: 192.0.2.7",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: 5173--main--ada.apps.test",
]


def test_a_plain_request_is_asked_of_localhost() -> None:
    assert sent(b"Accept: */*", b"accept-encoding: br") == [
        b"GET /a?b HTTP/1.1", b"Host: localhost:5173", b"Accept: */*", b"accept-encoding: br", *OURS
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: keep-alive", b"Keep-Alive: timeout=5", b"Proxy-Connection: close",
        b"TE: trailers", b"Trailer: X", b"Upgrade: h2c", b"Proxy-Authorization: Basic eA==",
        b"X-Forwarded-For: 10.0.0.1", b"X-FORWARDED-ANYTHING: x", b"Forwarded: for=10.0.0.1",
        b"X_Forwarded_For: 10.0.0.1", b"X-Forwarded_Host: evil", b"X-Real-IP: 10.0.0.1",
        b"X_Real_IP: 1", b"X.Forwarded.For: 10.0.0.1", b"Transfer.Encoding: chunked",
        b"X~Real~IP: 1", b"Via: 1.1 x", b"Proxy: http://evil", b"Transfer_Encoding: chunked",
        b"Content_Length: 7", b"Host_:",
        b"Cookie: __Host-rootblood-pass=x", b"Authorization: Bearer " + TOKEN,
        b"authorization:   bearer\t" + TOKEN,
    ],
)  # fmt: skip
def test_what_is_not_for_the_app_is_dropped(line: bytes) -> None:
    expected = [b"GET /a?b HTTP/1.1", b"Host: localhost:5173", *OURS]
    if line == b"Host_:":  # another name, and nobody's
        expected.insert(2, line)
    assert sent(line) == expected


def test_fields_that_the_connection_names_are_its_own() -> None:
    said = sent(b"Connection: close, X-Hop", b"X-Hop: 1", b"X-Stays: 2")
    assert b"X-Hop: 1" not in said
    assert b"X-Stays: 2" in said


def test_an_app_keeps_its_own_cookies_and_sign_in() -> None:
    basic = b"Authorization: Basic " + base64.b64encode(b"ada:password")
    said = sent(b"Cookie: rootblood=s; sid=1", b"Cookie: __Host-rootblood-pass=x; a=b", basic)
    assert b"Cookie: sid=1" in said
    assert b"Cookie: a=b" in said
    assert basic in said


@pytest.mark.parametrize(
    ("value", "is_ours"),
    [
        (b"Bearer " + TOKEN, True),
        (b"Basic " + base64.b64encode(b"ada:" + TOKEN), True),
        (b"Basic " + base64.urlsafe_b64encode(b"ada:" + TOKEN + b"\xff\xfe"), True),
        (b"basic  " + base64.b64encode(TOKEN + b":").rstrip(b"="), True),
        (b"Digest username=" + TOKEN, True),
        (b"Basic x, Bearer " + TOKEN, True),
        (b"Bearer eyJhbGciOi.rb_short", False),
        (b"Basic %%%", False),
        (b"Basic " + base64.b64encode(b"ada:rb_"), False),
    ],
)
def test_our_tokens_are_recognised_in_every_dress(value: bytes, is_ours: bool) -> None:
    assert carries_our_token(value) is is_ours


def test_the_preview_calls_itself_as_the_app_does() -> None:
    own, local = b"https://5173--main--ada.apps.test", b"http://localhost:5173"
    said = sent(b"Origin: " + own, b"Referer: " + own + b"/page?q")
    assert b"Origin: " + local in said
    assert b"Referer: " + local + b"/page?q" in said
    for foreign in (own + b".evil.test", own + b":444", b"https://panel.test", b"null"):
        assert b"Origin: " + foreign in sent(b"Origin: " + foreign)


def test_bodies_are_framed_by_us() -> None:
    post = b"POST / HTTP/1.1"
    assert sent(b"content-length: 007", first=post)[-1] == b"Content-Length: 7"
    assert sent(b"transfer-encoding: CHUNKED", first=post)[-1] == b"Transfer-Encoding: chunked"


def test_a_websocket_is_asked_for_anew() -> None:
    asked = (b"Connection: keep-alive, Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: k")
    said = sent(*asked, upgrade=True)
    assert said[-2:] == [b"Connection: Upgrade", b"Upgrade: websocket"]
    assert b"Sec-WebSocket-Key: k" in said


def test_what_is_remembered_belongs_to_one_viewer_and_one_preview() -> None:
    head = parse_request(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\n\r\n")
    other = Site(Label(8000, "main", "ada"), "http", "8000--main--ada.localhost")
    assert b"localhost:5173" in for_app(head, SITE, "192.0.2.7")
    assert b"192.0.2.8" in for_app(head, SITE, "192.0.2.8")
    assert b"Host: localhost:8000" in for_app(head, other, "192.0.2.7")
