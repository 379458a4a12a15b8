"""Who is served where: the panel's host and the previews', refusals, and trusted proxies."""

import pytest

from tests.web.preview.previewing import Previews, fields, running, saying, serving
from tests.wire import receive_all, receive_head, websocket_request

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NAVIGATION = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html")


def test_the_panel_is_not_served_on_a_preview_host(previews: Previews) -> None:
    for host in ("x.localhost", "a--b--c.localhost", "8000--main.localhost", "localhost.localhost"):
        with previews.connect() as sock:
            sock.sendall(f"GET /seen HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert b"404 Not Found" in receive_head(sock)[0]


@pytest.mark.parametrize("suffix", ["", ":80", ".", ".:8000"])
def test_a_preview_is_found_however_its_host_is_spelled(previews: Previews, suffix: str) -> None:
    with running(saying(HELLO)) as app, previews.connect() as sock:
        host = f"{app.port}--Main--ADA.LocalHost{suffix}"
        sock.sendall(previews.request(host, "Connection: close"))
        assert receive_all(sock).endswith(b"hello")


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1/x", "http://panel/seen", "*", "127.0.0.1:22", "//x@y", "\\x"]
)
def test_no_other_host_is_asked_for_in_a_target(previews: Previews, target: str) -> None:
    with running(saying(HELLO)) as app:
        status, _, body = previews.ask(app, target=target)
        if target.startswith("/"):
            assert (status, body) == (200, b"hello")  # a path, to the app
        else:
            assert status == 422


@pytest.mark.parametrize("target", ["/.rootblood/", "/.rootblood/x", "/.rootblood/listening/../x"])
def test_reserved_paths_never_reach_the_app(previews: Previews, target: str) -> None:
    with running(saying(HELLO)) as app:
        assert previews.ask(app, target=target)[0] == 404
        assert app.connections == []


def test_the_doctor_is_answered_on_every_host_below_the_domain(previews: Previews) -> None:
    with previews.connect() as sock:
        host = f"anything.localhost:{previews.port}"
        sock.sendall(previews.request(host, "Connection: close", target="/.rootblood/here"))
        assert b'"mark": "mark"' in receive_all(sock)
    with previews.connect() as sock:
        sock.sendall(websocket_request("/.rootblood/here", "anything.localhost"))
        assert b'"mark": "mark"' in receive_all(sock)


def test_what_is_framed_by_whom(previews: Previews) -> None:
    own = b"HTTP/1.1 200 OK\r\nX-Frame-Options: DENY\r\nContent-Length: 0\r\n\r\n"
    with running(saying(own)) as app:
        assert b"X-Frame-Options: DENY" in previews.ask(app, workspace="public")[1]
        for workspace in ("main", "users"):
            head = previews.ask(app, workspace=workspace)[1]
            assert b"X-Frame-Options: DENY" not in head
            policy = b"Content-Security-Policy: frame-ancestors 'self' http://panel.test"
            assert policy in head


def test_trusted_proxies_say_how_the_browser_sees_it() -> None:
    asked: list[bytes] = []

    def talk(connection: object) -> None:
        while True:
            asked.append(receive_head(connection)[0])  # type: ignore[arg-type]
            connection.sendall(HELLO)  # type: ignore[attr-defined]

    told = ("X-Forwarded-For: 10.9.9.9, 192.0.2.7", "X-Forwarded-Proto: https")
    with serving("proxies=1") as behind, running(talk) as app, behind.connect() as sock:
        host = f"X-Forwarded-Host: {app.port}--main--ada.localhost"
        sock.sendall(behind.request("internal:1", *told, host, "Connection: close"))
        assert receive_all(sock).endswith(b"hello")
        seen = fields(asked[0].split(b"\r\n"))
        assert seen["x-forwarded-for"] == "192.0.2.7"
        assert seen["x-forwarded-proto"] == "https"
        assert seen["x-forwarded-host"] == f"{app.port}--main--ada.localhost"
    asked.clear()
    with serving() as direct, running(talk) as app:
        assert direct.ask(app, *told)[0] == 200
        assert b"10.9.9.9" not in asked[0]
        assert b"X-Forwarded-Proto: http\r\n" in asked[0] + b"\r\n"


def test_a_bug_of_ours_ends_the_connection_and_is_logged() -> None:
    running_server = Previews()
    with running_server.connect() as sock:
        sock.sendall(running_server.request(running_server.host(1, "broken")))
        assert receive_all(sock) == b""
    code, errors = running_server.stop()
    assert code == 0
    assert errors.count("RuntimeError: boom") == 1
