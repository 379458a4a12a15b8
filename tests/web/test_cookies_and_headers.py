import os
from collections.abc import Callable
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.app_fixtures import PASSWORD
from tests.visitor import Visitor
from web import secret_key

LAN = "http://192.0.2.7:8000"
BEHIND_PROXY = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "panel.example.org",
                "X-Forwarded-For": "198.51.100.9"}  # fmt: skip


def cookies(answer: TestResponse) -> dict[str, dict[str, object]]:
    """Return each cookie's attributes that are set."""
    found = {}
    for header in answer.headers.getlist("Set-Cookie"):
        for name, morsel in SimpleCookie(header).items():
            found[name] = {key: value for key, value in morsel.items() if value}
    return found


def sign_in(client: FlaskClient, base: str, headers: dict[str, str] | None = None) -> TestResponse:
    """Sign in as Ann at that address."""
    given = {"base_url": base, "headers": headers or {}}
    page = client.get("/login", **given)
    token = page.text.partition('name="csrf-token" content="')[2].partition('"')[0]
    form = {"username": "ann", "password": PASSWORD, "csrf_token": token}
    given["headers"] = given["headers"] | {"Referer": "https://panel.example.org/login"}
    return client.post("/login", data=form, **given)


HARDENED = {"httponly": True, "path": "/", "samesite": "Lax", "secure": True}


@pytest.mark.parametrize("base", ["http://localhost", "http://localhost:8000"])
def test_localhost_gets_a_host_cookie(app: Flask, ann: Visitor, base: str) -> None:
    answer = sign_in(app.test_client(), base)
    assert answer.status_code == 303, answer.text
    ((name, flags),) = cookies(answer).items()
    assert name == "__Host-rootblood"
    assert flags.pop("expires")
    assert flags == HARDENED


def test_https_behind_a_trusted_proxy_gets_a_host_cookie(
    make_app: Callable[..., Flask], ann: Visitor
) -> None:
    client = make_app(trusted_proxies=1).test_client()
    answer = sign_in(client, "http://127.0.0.1:8000", BEHIND_PROXY)
    assert answer.status_code == 303, answer.text
    ((name, flags),) = cookies(answer).items()
    assert name == "__Host-rootblood"
    flags.pop("expires")
    assert flags == HARDENED
    assert "domain" not in flags


def test_headers_of_an_untrusted_proxy_count_for_nothing(app: Flask, ann: Visitor) -> None:
    page = app.test_client().get("/login", base_url=LAN, headers=BEHIND_PROXY)
    assert set(cookies(page)) == {"rootblood"}
    assert "This connection is not encrypted" in page.text


def test_only_so_many_proxies_are_believed(make_app: Callable[..., Flask]) -> None:
    app = make_app(trusted_proxies=1)
    forged = {"X-Forwarded-For": "203.0.113.66, 198.51.100.9"}
    seen: list[str | None] = []

    @app.before_request
    def note() -> None:
        seen.append(request.remote_addr)

    app.test_client().get("/healthz", headers=forged)
    assert seen == ["198.51.100.9"]


def test_a_lan_host_gets_a_plain_cookie_and_a_warning(app: Flask, ann: Visitor) -> None:
    client = app.test_client()
    answer = sign_in(client, LAN)
    assert answer.status_code == 303, answer.text
    ((name, flags),) = cookies(answer).items()
    assert name == "rootblood"
    flags.pop("expires")
    assert flags == {key: value for key, value in HARDENED.items() if key != "secure"}
    page = client.get("/account", base_url=LAN)
    assert page.status_code == 200
    assert "This connection is not encrypted" in page.text


@pytest.mark.parametrize("path", ["/", "/login", "/register", "/docs/api"])
def test_the_warning_is_on_every_public_page_of_a_lan_host(app: Flask, path: str) -> None:
    assert "not encrypted" in app.test_client().get(path, base_url=LAN).text
    for safe in ("http://localhost", "http://127.0.0.1:8000", "http://[::1]:8000", "https://x.org"):
        assert "not encrypted" not in app.test_client().get(path, base_url=safe).text


def test_signing_in_begins_a_fresh_session(app: Flask, ann: Visitor) -> None:
    """Who planted a session before the sign-in has nothing of it afterwards."""
    visitor = Visitor(app, "ann", PASSWORD)
    visitor.get("/login")
    planted = visitor.client.get_cookie("__Host-rootblood").value
    visitor.sign_in()
    assert visitor.client.get_cookie("__Host-rootblood").value != planted
    old = app.test_client()
    old.set_cookie("__Host-rootblood", planted, secure=True)
    assert old.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("way", ["register", "sign_in"])
def test_nothing_of_an_earlier_session_survives_the_sign_in(
    app: Flask, ann: Visitor, way: str
) -> None:
    visitor = Visitor(app, "ann" if way == "sign_in" else "dora", PASSWORD)
    with visitor.client.session_transaction(base_url="http://localhost") as session:
        session["planted"] = "x"
    getattr(visitor, way)()
    with visitor.client.session_transaction(base_url="http://localhost") as session:
        assert "login" in session
        assert "planted" not in session


def test_signing_in_again_ends_the_login_before(ann: Visitor) -> None:
    before = ann.client.get_cookie("__Host-rootblood").value
    ann.post("/login", {"username": "ann", "password": PASSWORD})
    old = ann.app.test_client()
    old.set_cookie("__Host-rootblood", before, secure=True)
    assert old.get("/api/v1/me").status_code == 401
    assert ann.get("/api/v1/me").status_code == 200


def test_signing_out_ends_the_login_also_for_a_copied_cookie(ann: Visitor) -> None:
    copied = ann.client.get_cookie("__Host-rootblood").value
    assert ann.post("/logout").location == "/login"
    thief = ann.app.test_client()
    thief.set_cookie("__Host-rootblood", copied, secure=True)
    assert thief.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("value", ["x", "", "eyJsb2dpbiI6ICJ4In0.x.y", "x" * 4000, "ä"])
def test_a_forged_cookie_is_nobodys(app: Flask, ann: Visitor, value: str) -> None:
    client = app.test_client()
    client.set_cookie("__Host-rootblood", value, secure=True)
    assert client.get("/api/v1/me").status_code == 401
    assert client.get("/").status_code == 200


def test_a_cookie_without_the_prefix_is_ignored_where_it_could_have_one(ann: Visitor) -> None:
    """A sibling subdomain can set that one, but not one with the prefix."""
    value = ann.client.get_cookie("__Host-rootblood").value
    other = ann.app.test_client()
    other.set_cookie("rootblood", value)
    assert other.get("/api/v1/me").status_code == 401


def test_a_cookie_signed_with_another_key_is_nobodys(
    app: Flask, ann: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ann.get("/api/v1/me").status_code == 200
    monkeypatch.setitem(app.config, "SECRET_KEY", b"another")
    assert ann.get("/api/v1/me").status_code == 401


ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


@pytest.mark.parametrize(
    "path",
    ["/", "/login", "/register", "/account", "/templates", "/w/main/", "/docs/api", "/admin/users",
     "/admin/events", "/admin/invites", "/admin/templates", "/nope", "/api/v1/me", "/api/v1/nope",
     "/api/openapi.json", "/healthz"],
)  # fmt: skip
def test_every_answer_is_hardened(ann: Visitor, path: str) -> None:
    headers = ann.get(path).headers
    assert {name: headers.get(name) for name in ALWAYS} == ALWAYS
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    # WebAssembly decodes the terminal's images; it runs no text as a script.
    assert set(policy["script-src"].split()) <= {"'self'", "'wasm-unsafe-eval'"}
    # The IDE frames previews; it runs nothing of theirs.
    assert policy.pop("frame-src", None) == (
        "'self' http://*.localhost" if path.startswith("/w/") else None
    )
    assert "*" not in "".join(policy.values())
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", ["/", "/login", "/register", "/account", "/w/main/", "/docs/api"])
def test_pages_have_no_scripts_of_their_own(ann: Visitor, path: str) -> None:
    """The policy would block them: data goes into script elements that are no scripts."""
    for who in (ann.client, ann.app.test_client()):
        text = who.get(path, follow_redirects=True).text
        for opening in text.split("<script")[1:]:
            tag = opening.partition(">")[0]
            assert "src=" in tag or 'type="application/json"' in tag
        assert " onclick=" not in text
        assert "javascript:" not in text


def test_the_secret_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    key = secret_key(path)
    assert len(key) == 32
    assert secret_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert secret_key(tmp_path / "other.key") != key


def test_a_first_start_that_was_cut_short_does_not_stop_the_next(tmp_path: Path) -> None:
    """In a container the next server has the same process id."""
    (tmp_path / f"secret.{os.getpid()}").write_bytes(b"")
    assert len(secret_key(tmp_path / "secret.key")) == 32
