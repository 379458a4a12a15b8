import json
import struct

import pytest

from orchestrator.doctor import mark
from tests.wire import websocket_request
from web.heads import parse_request
from web.preview.here import HERE, PROBE, answer

AUTHORITY = "1--a--b.apps.example.net"
MARK = mark.of(b"secret")


def ask(path: str, *lines: str, method: str = "GET", scheme: str = "https") -> bytes | None:
    head = "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {AUTHORITY}", *lines, "", ""])
    return answer(parse_request(head.encode()), scheme=scheme, authority=AUTHORITY, mark=MARK)


def parts(answered: bytes | None) -> tuple[int, dict[str, str], str]:
    assert answered is not None
    head, _, body = answered.decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def test_anybodys_page_reads_what_its_request_looked_like() -> None:
    status, fields, body = parts(ask(HERE, "Cookie: __Host-rootblood=secret"))
    assert status == 200
    assert json.loads(body) == {"mark": MARK, "scheme": "https", "host": AUTHORITY}
    assert fields["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in fields
    assert fields["Cache-Control"] == "no-store"
    assert int(fields["Content-Length"]) == len(body)


def test_a_websocket_is_told_the_same_in_one_message() -> None:
    request = websocket_request(HERE, AUTHORITY)
    said = answer(parse_request(request), scheme="http", authority=AUTHORITY, mark=MARK)
    assert said is not None
    head, _, frames = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert frames[0] == 0x81, "one whole message of text"
    size = frames[1]
    text, rest = frames[2 : 2 + size], frames[2 + size :]
    assert json.loads(text)["host"] == AUTHORITY
    assert rest == b"\x88\x02" + struct.pack("!H", 1000)


def test_a_long_name_fits_in_a_frame() -> None:
    authority = f"{'9' * 63}.{'x' * 180}:8443"
    request = websocket_request(HERE, "a.b")
    said = answer(parse_request(request), scheme="https", authority=authority, mark=MARK)
    assert said is not None
    frames = said.partition(b"\r\n\r\n")[2]
    assert frames[1] == 126
    (size,) = struct.unpack("!H", frames[2:4])
    assert json.loads(frames[4 : 4 + size])["host"] == authority


@pytest.mark.parametrize("key", ["", "short", "\u00e9" * 24, "a" * 24])
def test_a_handshake_that_is_none_is_not_answered(key: str) -> None:
    fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    assert ask(HERE, *fields, f"Sec-WebSocket-Key: {key}") is None


def test_a_probe_sets_a_cookie_and_sees_whether_it_comes_back() -> None:
    status, fields, _ = parts(ask(PROBE))
    assert (status, fields["Location"]) == (303, f"{PROBE}?again")
    cookie = fields["Set-Cookie"]
    assert cookie == (
        "__Host-rootblood-probe-framed=1; Path=/; Max-Age=60; HttpOnly; Secure; "
        "SameSite=None; Partitioned"
    )
    pair = cookie.partition(";")[0]
    for sent, came in ((f"Cookie: a=b; {pair}", "yes"), ("Cookie: a=b", "no"), ("X: y", "no")):
        status, fields, body = parts(ask(f"{PROBE}?again", sent))
        assert status == 200
        assert f'data-cookie="{came}"' in body
        assert "'unsafe" not in fields["Content-Security-Policy"]


def test_without_tls_the_probes_cookie_is_a_plain_one() -> None:
    cookie = parts(ask(PROBE, scheme="http"))[1]["Set-Cookie"]
    assert cookie.startswith("rootblood-probe=1")
    assert "Secure" not in cookie


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "HEAD"])
def test_other_methods_are_not_answered(method: str) -> None:
    assert ask(HERE, method=method) is None
