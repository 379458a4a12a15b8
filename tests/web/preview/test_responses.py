"""What a browser gets of an app's answer: nothing that reaches beyond the app's own origin."""

import pytest

from orchestrator.previews import Label
from web.heads import parse_response
from web.preview.responses import for_browser
from web.preview.sites import Site

OWN = b"https://5173--main--ada.apps.test"
SITE = Site(Label(5173, "main", "ada"), "https", "5173--main--ada.apps.test")
ENDS = b"Content-Length: 0\r\n"
PRIVATE = b"Cache-Control: private"
STATUS = b"HTTP/1.1 200 OK"


def said(*lines: bytes, framed_by: bytes | None = None, site: Site = SITE) -> list[bytes]:
    head = parse_response(b"\r\n".join([STATUS, *lines, b"", b""]))
    shown = for_browser(head, site, ENDS, framed_by=framed_by)
    parse_response(shown)  # nothing that we send on has two meanings
    first, *rest, length, end, after = shown.split(b"\r\n")
    assert (first, length, end, after) == (STATUS, ENDS.strip(), b"", b"")
    return rest


def test_an_apps_own_fields_pass_as_they_are() -> None:
    lines = [b"content-type: text/html", b"ETag:  \"x\"", b"Service-Worker-Allowed: /",
             b"X-Accel-Buffering: no", b"Content-Security-Policy: frame-ancestors 'none'",
             b"Set-Cookie: a=1", b"Set-Cookie: b=2; Path=/"]  # fmt: skip
    assert said(*lines) == lines


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: keep-alive", b"Keep-Alive: timeout=5", b"Trailer: X", b"Upgrade: h2",
        b"Proxy-Authenticate: Basic", b"Content-Length: 7", b"Transfer-Encoding: chunked",
        b"Clear-Site-Data: \"cookies\"", b"Strict-Transport-Security: max-age=1", b"NEL: {}",
        b"Alt-Svc: h2=\"evil.test:443\"", b"Report-To: {}", b"Public-Key-Pins: x",
        b"X-Accel-Redirect: /secret", b"X-Sendfile: /etc/passwd", b"X-LiteSpeed-Location: /x",
        b"Set-Cookie2: a=b", b"Set-Cookie: __Host-rootblood-pass=stolen; Path=/",
        b"set-cookie: RootBlood=stolen",
        b"CDN-Cache-Control: max-age=9", b"Surrogate-Control: max-age=9",
        b"Cloudflare-CDN-Cache-Control: public", b"Edge-Control: max-age=9",
    ],
)  # fmt: skip
def test_what_reaches_beyond_the_origin_is_dropped(line: bytes) -> None:
    assert said(line, b"X: kept") == [b"X: kept"]


def test_fields_that_the_connection_names_are_its_own() -> None:
    assert said(b"Connection: close, X-Hop", b"X-Hop: 1") == []


def test_cookies_keep_to_the_origin() -> None:
    line = b"Set-Cookie: sid=1; Domain=apps.test; Path=/"
    assert said(line) == [b"Set-Cookie: sid=1; Path=/"]


@pytest.mark.parametrize("name", [b"Location", b"Content-Location"])
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (b"http://localhost:5173/next?q#f", OWN + b"/next?q#f"),
        (b"http://127.0.0.1:5173", OWN),
        (b"https://[::1]:5173/x", OWN + b"/x"),
        (b"http://0.0.0.0:5173?q", OWN + b"?q"),
        (b"/next", b"/next"),
        (b"http://localhost:51730/x", b"http://localhost:51730/x"),
        (b"http://localhost:5173.evil.test/", b"http://localhost:5173.evil.test/"),
        (b"http://localhost:5173@evil.test/", b"http://localhost:5173@evil.test/"),
        (b"http://localhost/", b"http://localhost/"),
        (b"https://elsewhere.test/", b"https://elsewhere.test/"),
    ],
)
def test_the_app_sends_on_to_itself_by_the_previews_name(
    name: bytes, given: bytes, shown: bytes
) -> None:
    assert said(name + b": " + given) == [name + b": " + shown]


def test_a_refresh_is_a_location_too() -> None:
    assert said(b"Refresh: 0; url=http://localhost:5173/x") == [b"Refresh: 0; url=" + OWN + b"/x"]
    assert said(b"Refresh: 5") == [b"Refresh: 5"]


def test_port_80_may_go_unsaid() -> None:
    site = Site(Label(80, "main", "ada"), "http", "80--main--ada.apps.test")
    assert site.published(b"http://localhost/x") == b"http://80--main--ada.apps.test/x"
    assert site.published(b"https://localhost/x") == b"https://localhost/x"


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ([b"X-Frame-Options: DENY"], []),
        ([b"Content-Security-Policy: frame-ancestors 'none'"], []),
        ([b"content-security-policy: default-src 'self'; Frame-Ancestors *; img-src *"],
         [b"content-security-policy: default-src 'self'; img-src *"]),
        ([b"Content-Security-Policy: frame-ancestors *, script-src 'none'; frame-ancestors x"],
         [b"Content-Security-Policy: script-src 'none'"]),
        ([b"Content-Security-Policy: ; ;"], []),
        ([b"Content-Security-Policy-Report-Only: frame-ancestors 'none'"],
         [b"Content-Security-Policy-Report-Only: frame-ancestors 'none'"]),
    ],
)  # fmt: skip
def test_the_panel_may_frame_what_is_not_public_and_nobody_else(
    lines: list[bytes], left: list[bytes]
) -> None:
    ours = b"Content-Security-Policy: frame-ancestors 'self' https://panel.test"
    assert said(*lines, framed_by=b"https://panel.test") == [*left, PRIVATE, ours]


def test_nobody_frames_where_the_panel_is_unknown() -> None:
    assert said(framed_by=b"") == [PRIVATE, b"Content-Security-Policy: frame-ancestors 'self'"]


@pytest.mark.parametrize("given", [b"public, max-age=9", b"s-maxage=9"])
def test_what_is_not_public_is_kept_by_no_cache_that_people_share(given: bytes) -> None:
    line = b"Cache-Control: " + given
    assert said(line) == [line]
    assert said(line, framed_by=b"")[:2] == [line, PRIVATE]


@pytest.mark.parametrize("framed_by", [None, b"https://panel.test"])
def test_on_a_shared_host_no_answer_outlives_its_app(framed_by: bytes | None) -> None:
    """The next app that gets this port must not be answered for by the one before."""
    site = Site(SITE.label, "https", "apps.test:9000", shares_host=True)
    lines = (b"Cache-Control: max-age=31536000, immutable", b"Expires: never", b"Pragma: x")
    shown = said(*lines, b"X: kept", framed_by=framed_by, site=site)
    assert shown[:2] == [b"X: kept", b"Cache-Control: no-store"]
