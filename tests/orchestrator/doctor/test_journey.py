"""The doctor's way to a server that answers as a test wants."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.doctor.finding import Finding, Verdict
from orchestrator.doctor.journey import Origin, examine, preview_of
from orchestrator.errors import BadInput
from orchestrator.previews import HERE
from orchestrator.settings import Settings
from tests.nginx import certificate

MARK = "0123456789abcdef"
SETTINGS = Settings(apps_domain="apps.localhost")
Answer = tuple[int, bytes]
Answers = dict[str, Callable[["Handler"], Answer] | Answer | None]


def seen(handler: "Handler", **other: str) -> Answer:
    scheme = "https" if isinstance(handler.connection, ssl.SSLSocket) else "http"
    whole = {"mark": MARK, "scheme": scheme, "host": handler.headers["Host"]} | other
    return 200, json.dumps(whole).encode()


def refused(handler: "Handler") -> Answer:
    """Refuse a stranger as the panel does: after a look at the request."""
    origin = handler.headers["Origin"].partition("://")[2]
    return (401 if origin == handler.headers["Host"] else 403), b""


WELL: Answers = {
    "/healthz": (200, b'{"status": "ok"}'),
    "/api/v1/echo upgrade": refused,
    HERE: seen,
    f"{HERE} upgrade": (101, b"\x81\x00"),
}


class Handler(BaseHTTPRequestHandler):
    answers: Answers

    def do_GET(self) -> None:
        upgrades = self.headers["Upgrade"] == "websocket"
        found = self.answers[f"{self.path} upgrade" if upgrades else self.path]
        if found is None:
            return
        status, body = found(self) if callable(found) else found
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


Run = Callable[..., int]


@pytest.fixture
def run() -> Iterator[Run]:
    """Return ``run(answers, tls)``: serve with these answers in place; it returns the port."""
    servers: list[ThreadingHTTPServer] = []

    def start(answers: Answers, tls: tuple[Path, Path] | None = None) -> int:
        handler = type("Answering", (Handler,), {"answers": WELL | answers})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who asks hangs up
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server.server_port

    yield start
    for server in servers:
        with closing(server.socket):
            server.shutdown()
            server.server_close()


def found(port: int, scheme: str = "http") -> dict[str, Finding]:
    panel = Origin.of(f"{scheme}://localhost:{port}")
    return {one.name: one for one in examine(panel, SETTINGS, MARK)}


def bad(findings: dict[str, Finding]) -> set[str]:
    return {name for name, one in findings.items() if one.verdict is Verdict.FAIL}


def test_a_way_that_is_well_is_said_to_be(run: Run) -> None:
    findings = found(run({}))
    assert list(findings) == ["panel", "websocket", "previews", "preview-websocket"]
    assert {one.verdict for one in findings.values()} == {Verdict.OK}


@pytest.mark.parametrize(
    ("damage", "name", "what", "hint"),
    [
        ({"/healthz": (502, b'{"status": "ok"}')}, "reached", "status 502", "proxy sends"),
        ({"/healthz": (200, b"<html>")}, "reached", "not this server", "proxy sends"),
        ({"/healthz": (200, b"[]")}, "reached", "not this server", "proxy sends"),
        ({"/healthz": None}, "reached", "Nothing answers", "proxy run"),
        ({"/api/v1/echo upgrade": (403, b"")}, "websocket", "does not see", "Host with its port"),
        ({"/api/v1/echo upgrade": (400, b"")}, "websocket", "status 400", "http_version 1.1"),
        ({"/api/v1/echo upgrade": None}, "websocket", "broke off", ""),
        ({HERE: None}, "previews", "Nothing answers at *.apps.localhost", "wildcard DNS"),
        ({HERE: (200, b"{}")}, "previews", "not this server", "every host below"),
        ({HERE: (404, b"")}, "previews", "not this server", "every host below"),
        ({HERE: lambda one: seen(one, mark="other")}, "previews", "not this server", "every host"),
        ({HERE: lambda one: seen(one, host="a.test")}, "previews", "for http://a.test", "Host"),
        ({HERE: lambda one: seen(one, scheme="https")}, "previews", "for https://", "Proto"),
        ({f"{HERE} upgrade": (200, b"x")}, "preview-websocket", "not get through", "Upgrade"),
        ({f"{HERE} upgrade": (101, b"")}, "preview-websocket", "not get through", "Upgrade"),
        ({f"{HERE} upgrade": None}, "preview-websocket", "broke off", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_alone(
    run: Run, damage: Answers, name: str, what: str, hint: str
) -> None:
    findings = found(run(damage))
    assert bad(findings) == {name}
    assert what in findings[name].what
    assert hint in findings[name].hint


@pytest.mark.parametrize("broken", ["reached", "previews"])
def test_beyond_what_is_broken_nothing_is_asked(run: Run, broken: str) -> None:
    findings = found(run({"/healthz" if broken == "reached" else HERE: (500, b"")}))
    assert list(findings) == {
        "reached": ["reached"], "previews": ["panel", "websocket", "previews"]
    }[broken]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "days", "verdicts"),
    [
        (("localhost", "*.apps.localhost"), 90, (Verdict.OK, Verdict.OK)),
        (("localhost", "*.apps.localhost"), 5, (Verdict.WARN, Verdict.WARN)),
        (("localhost", "*.localhost"), 90, (Verdict.OK, Verdict.FAIL)),
        (("*.apps.localhost",), 90, (Verdict.FAIL, Verdict.OK)),
    ],
)
def test_certificates_are_looked_at_by_name_and_date(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    days: int,
    verdicts: tuple[Verdict, Verdict],
) -> None:
    chain, key = certificate(tmp_path, *names, days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    findings = found(run({}, (chain, key)), "https")
    assert (findings["tls"].verdict, findings["preview-tls"].verdict) == verdicts
    assert bad(findings) <= {"tls", "preview-tls"}, "the way is gone all the same"


def test_a_certificate_of_nobody_is_refused(run: Run, tmp_path: Path) -> None:
    files = certificate(tmp_path, "localhost", "*.apps.localhost")
    assert "Browsers refuse" in found(run({}, files), "https")["tls"].what


@pytest.mark.parametrize(
    ("url", "origin", "address"),
    [
        ("https://a.example", "https://a.example", ("a.example", 443)),
        ("https://a.example:443/", "https://a.example", ("a.example", 443)),
        ("http://a.example:8000", "http://a.example:8000", ("a.example", 8000)),
        ("http://x.localhost:1", "http://x.localhost:1", ("127.0.0.1", 1)),
        ("http://[::1]:8000", "http://[::1]:8000", ("::1", 8000)),
    ],
)
def test_a_panels_address_is_read(url: str, origin: str, address: tuple[str, int]) -> None:
    assert (Origin.of(url).origin, Origin.of(url).address) == (origin, address)


@pytest.mark.parametrize(
    "url", ["a.example", "ftp://a.example", "http://", "http://a.example/x", "http://b@a.example",
            "http://a.example:99999", "http://[::1"],
)  # fmt: skip
def test_what_is_no_panels_address_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        Origin.of(url)


@pytest.mark.parametrize(
    ("settings", "port"),
    [
        ({"apps_domain": "apps.test"}, 8000),
        ({"apps_domain": "apps.test:8443"}, 8443),
        ({"apps_host": "apps.test", "apps_ports": "9000-9009"}, 9000),
    ],
)
def test_the_preview_is_asked_for_where_the_panel_is(settings: dict[str, str], port: int) -> None:
    panel = Origin("https", "panel.test", 8000, at=("192.0.2.1", 8000))
    found = preview_of(panel, Settings(**settings))
    assert (found.scheme, found.port, found.at) == ("https", port, panel.at)
    assert found.host.endswith("apps.test")
    assert ("--" in found.host) == ("apps_domain" in settings)
