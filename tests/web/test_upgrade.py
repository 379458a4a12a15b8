import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from orchestrator.errors import Forbidden
from orchestrator.websocket import accept_key
from tests.serving import Serving, accept_upgrade, answer, ended, serving
from tests.wire import (
    DEADLINE_SECONDS,
    client_frame,
    receive,
    receive_head,
    reset,
    unix_server,
    wait_for,
    websocket_request,
)
from web.upgrade import require_same_origin


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def impatient() -> Iterator[Serving]:
    """A server that soon gives up on a workspace."""
    with serving("web.upgrade.HANDSHAKE_SECONDS=0.2") as server:
        yield server


def test_bytes_pass_after_the_upgrade_and_early_ones_go_first(
    server: Serving, tmp_path: Path
) -> None:
    def shell(connection: socket.socket) -> None:
        accept_upgrade(connection)
        connection.sendall(b"prompt$ ")
        for size in (len(early), len(late)):
            connection.sendall(receive(connection, size))
        assert receive(connection, 1) == b""

    early, late = client_frame(b'{"AuthToken":""}', opcode=1), client_frame(b"0ls\n")
    with unix_server(str(tmp_path / "u.sock"), shell):
        before = server.get("/seen")
        sock, head, rest = server.upgrade(tmp_path / "u.sock", early=early)
        with sock:
            assert head.startswith(b"HTTP/1.1 101 ")
            rest += receive(sock, 8 + len(early) - len(rest))
            assert rest == b"prompt$ " + early
            sock.sendall(late)
            assert receive(sock, len(late)) == late
            assert server.get("/seen")["open"] == 1
        wait_for(lambda: server.get("/seen")["closed"] == [*before["closed"], "client-ended"])
        assert server.get("/seen")["inputs"] == before["inputs"] + 1


def test_early_bytes_in_a_packet_of_their_own_are_not_read_as_a_request(
    server: Serving, tmp_path: Path
) -> None:
    frames = client_frame(b"0" + b"x" * 100) * 400

    def shell(connection: socket.socket) -> None:
        accept_upgrade(connection)
        connection.sendall(receive(connection, len(frames)))

    with unix_server(str(tmp_path / "u.sock"), shell):
        sock = server.connect()
        with sock:
            sock.sendall(websocket_request(f"/ws?upstream={tmp_path / 'u.sock'}", server.host))
            sock.sendall(frames)  # before the 101 has come
            head, rest = receive_head(sock)
            assert b" 101 " in head
            assert rest + receive(sock, len(frames) - len(rest)) == frames


def test_workspace_sees_nothing_of_the_caller_but_the_key(server: Serving, tmp_path: Path) -> None:
    heads: list[bytes] = []

    def shell(connection: socket.socket) -> None:
        heads.append(accept_upgrade(connection))

    with unix_server(str(tmp_path / "u.sock"), shell):
        sock, _, _ = server.upgrade(
            tmp_path / "u.sock", Cookie="session=secret", Authorization="Bearer secret",
            X_Forwarded_For="192.0.2.1", Sec_WebSocket_Protocol="other, tty",
        )  # fmt: skip
        with sock:
            assert ended(sock) == b""
    names = [line.split(b":")[0] for line in heads[0].split(b"\r\n")]
    assert names == [
        b"GET /ws?arg=main HTTP/1.1", b"Host", b"Upgrade", b"Connection", b"Sec-WebSocket-Key",
        b"Sec-WebSocket-Version", b"Sec-WebSocket-Protocol",
    ]  # fmt: skip
    assert heads[0].endswith(b"Protocol: tty")


def test_workspace_cannot_set_headers_of_ours(server: Serving, tmp_path: Path) -> None:
    def shell(connection: socket.socket) -> None:
        accept_upgrade(connection, b"Set-Cookie: session=tossed; Path=/", b"X-Any: thing")
        connection.sendall(b"\x81\x02hi")

    with unix_server(str(tmp_path / "u.sock"), shell):
        sock, head, rest = server.upgrade(tmp_path / "u.sock")
        with sock:
            assert [line.split(b":")[0] for line in head.split(b"\r\n")] == [
                b"HTTP/1.1 101 Switching Protocols", b"Upgrade", b"Connection",
                b"Sec-WebSocket-Accept", b"Sec-WebSocket-Protocol",
            ]  # fmt: skip
            assert rest + ended(sock) == b"\x81\x02hi"


def never(connection: socket.socket) -> None:
    assert receive_head(connection)
    ended(connection)


def says(text: bytes):
    def respond(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(text)

    return respond


@pytest.mark.parametrize(
    "upstream",
    [
        pytest.param(never, id="never-answers"),
        pytest.param(lambda connection: None, id="hangs-up"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), id="answers-200"),
        pytest.param(says(b"\x00\xff garbage \r\n\r\n"), id="garbage"),
        pytest.param(says(b"HTTP/1.1 101 X\r\nA: " + b"a" * 200_000), id="huge-head"),
        pytest.param(
            says(
                b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept_key("A" * 24).encode() + b"\r\n\r\n"
            ),
            id="wrong-accept",
        ),
        pytest.param(
            lambda c: accept_upgrade(c, b"Sec-WebSocket-Extensions: permessage-deflate"),
            id="extension",
        ),
    ],
)
def test_hostile_upstream_is_an_http_problem_on_a_connection_that_lives(
    impatient: Serving, tmp_path: Path, upstream
) -> None:
    with unix_server(str(tmp_path / "u.sock"), upstream), impatient.connect() as sock:
        sock.sendall(websocket_request(f"/ws?upstream={tmp_path / 'u.sock'}", impatient.host))
        status, problem = answer(sock)
        assert (status, problem["slug"]) == (502, "port-not-answering")
        assert impatient.request(sock, "/seen")[0] == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"Sec_WebSocket_Key": "short"},
        {"Sec_WebSocket_Key": ""},
        {"Sec_WebSocket_Version": "8"},
        {"Sec_WebSocket_Protocol": ""},
        {"Sec_WebSocket_Protocol": "ttyx"},
    ],
)
def test_broken_client_handshake_is_refused(
    server: Serving, tmp_path: Path, fields: dict[str, str]
) -> None:
    with unix_server(str(tmp_path / "u.sock"), ended), server.connect() as sock:
        target = f"/ws?upstream={tmp_path / 'u.sock'}"
        sock.sendall(websocket_request(target, server.host, **fields))
        assert answer(sock)[0] == 400


def test_refused_frame_ends_the_connection(server: Serving, tmp_path: Path) -> None:
    with unix_server(str(tmp_path / "u.sock"), lambda c: ended(c) if accept_upgrade(c) else None):
        before = server.get("/seen")["closed"]
        sock, _, _ = server.upgrade(tmp_path / "u.sock")
        with sock:
            sock.sendall(b"\x82\x010")
            assert ended(sock) == b""
        wait_for(lambda: server.get("/seen")["closed"] == [*before, "bad-frame"])


def test_client_that_is_gone_before_the_answer_leaves_nothing(
    server: Serving, tmp_path: Path
) -> None:
    asked, gone = threading.Event(), threading.Event()

    def shell(connection: socket.socket) -> None:
        asked.set()
        assert gone.wait(DEADLINE_SECONDS)
        accept_upgrade(connection)
        ended(connection)

    with unix_server(str(tmp_path / "u.sock"), shell):
        before = len(server.get("/seen")["closed"])
        sock = server.connect()
        sock.sendall(websocket_request(f"/ws?upstream={tmp_path / 'u.sock'}", server.host))
        assert asked.wait(DEADLINE_SECONDS)
        reset(sock)
        gone.set()
        wait_for(lambda: server.get("/seen")["closed"][before:] == ["client-lost"])
    assert server.get("/seen")["open"] == 0


OWN = "https://panel.example.org"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (OWN, True),
        ("HTTPS://Panel.Example.org", True),
        (f"{OWN}:443", True),
        (None, False),
        ("", False),
        ("null", False),
        ("http://panel.example.org", False),
        (f"{OWN}:8443", False),
        ("https://example.org", False),
        ("https://x.panel.example.org", False),
        ("https://panel.example.org.evil.test", False),
        ("https://evil.test", False),
        (f"{OWN}/", False),
        (f"{OWN} https://evil.test", False),
        ("https://user@panel.example.org", False),
        (f"{OWN}:x", False),
        (f"{OWN}:0", False),
        ("https://[::1", False),
        ("file://", False),
    ],
)
def test_only_the_own_origin_passes(origin: str | None, allowed: bool) -> None:
    headers = {} if origin is None else {"Origin": origin}
    with Flask("x").test_request_context("/", base_url=OWN, headers=headers):
        if allowed:
            require_same_origin(request, bearer=False)
        else:
            with pytest.raises(Forbidden):
                require_same_origin(request, bearer=False)
        require_same_origin(request, bearer=True)


def test_own_origin_is_the_one_that_a_trusted_proxy_names() -> None:
    app = Flask("x")

    @app.get("/")
    def view() -> str:
        require_same_origin(request, bearer=False)
        return "passed"

    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)  # type: ignore[method-assign]
    answer = app.test_client().get(
        "/", base_url="http://127.0.0.1:8000",
        headers={"Origin": OWN, "X-Forwarded-Proto": "https", "X-Forwarded-Host": OWN[8:]},
    )  # fmt: skip
    assert answer.text == "passed"


@pytest.mark.parametrize("origin", ["http://evil.test", "null", ""])
def test_foreign_page_is_refused_before_anything_is_opened(
    server: Serving, tmp_path: Path, origin: str
) -> None:
    with server.connect() as sock:
        sock.sendall(websocket_request(f"/ws?upstream={tmp_path}", server.host, Origin=origin))
        assert answer(sock)[0] == 403
