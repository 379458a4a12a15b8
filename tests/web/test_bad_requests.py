"""What programs send by mistake or in malice gets a clear refusal, never a crash."""

import json
from collections.abc import Callable
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.app_fixtures import PASSWORD
from tests.visitor import Visitor

Bearer = Callable[[str], dict[str, str]]
USERS = "/api/v1/users"


def refused(answer: TestResponse, status: int = 422) -> dict[str, object]:
    assert answer.status_code == status, answer.text[:500]
    assert answer.mimetype == "application/problem+json"
    assert len(answer.text) < 2000, "it must not be echoed"
    return answer.json


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"", b"null", b"[]", b'"text"', b"7", b"\xff\xfe", b"{}", b"{'username': 1}",
        b"[" * 100_000, b'{"username":' * 20_000, b"9" * 5000, b'{"username": NaN}',
        b'{"username": "ann", "password": "' + rb"\ud800" * 12 + b'"}',
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_what_is_no_sound_json_is_refused(client: FlaskClient, body: bytes) -> None:
    refused(client.post(USERS, data=body, content_type="application/json"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": None}, "username"), ({"username": 7}, "username"),
        ({"username": ["ann"]}, "username"), ({"username": "Ann"}, "username"),
        ({"username": "аnn"}, "username"), ({"username": "ann\u0000"}, "username"),
        ({"username": "root"}, "username"),
        ({"username": "a--b"}, "username"), ({"username": "a" * 200_000}, "username"),
        ({"password": "short"}, "password"),
        ({"password": 1234567890123}, "password"), ({"password": True}, "password"),
        ({"invite": "x" * 101}, "invite"), ({"role": "admin"}, "role"),
        ({"is_admin": True}, "is_admin"), ({"uid": 0}, "uid"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_field(
    client: FlaskClient, change: dict[str, object], field: str
) -> None:
    body = {"username": "ann", "password": PASSWORD} | change
    answer = client.post(USERS, data=json.dumps(body), content_type="application/json")
    problem = refused(answer)
    assert (problem["slug"], problem["field"]) == ("bad-input", field)
    assert problem["detail"]


def test_ten_megabytes_are_refused(client: FlaskClient) -> None:
    body = json.dumps({"username": "a" * 10_000_000, "password": PASSWORD})
    problem = refused(client.post(USERS, data=body, content_type="application/json"))
    assert problem["slug"] == "too-long"
    assert problem["hint"]


@pytest.mark.parametrize("size", [0, 10_000_000])
def test_a_body_without_a_length_is_read_all_the_same(app: Flask, size: int) -> None:
    """HTTP/1.1 clients may send it in chunks; then no Content-Length says how much comes."""
    body = {"username": "ann", "password": PASSWORD, "invite": ""} | (
        {"x": "y" * size} if size else {}
    )
    client = app.test_client()
    answer = client.post(
        USERS, content_type="application/json", input_stream=BytesIO(json.dumps(body).encode()),
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )  # fmt: skip
    if size:
        refused(answer)
    else:
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/workspaces", {"name": "web", "limits": {"cpus": "1"}}),
        ("POST", "/api/v1/workspaces", {"name": "web", "limits": {"pids": 64.5}}),
        ("POST", "/api/v1/workspaces", {"name": "web", "limits": {"pids": True}}),
        ("POST", "/api/v1/workspaces", {"name": "web", "limits": {"disk": 1}}),
        ("POST", "/api/v1/workspaces", {"name": "web", "image": "evil:1"}),
        ("POST", "/api/v1/workspaces", {"name": "../web"}),
        ("POST", "/api/v1/workspaces", {"name": "w" * 25}),
        ("POST", "/api/v1/workspaces", {}),
        ("PATCH", "/api/v1/workspaces/web", {"state": "running"}),
        ("PATCH", "/api/v1/workspaces/web", {"name": "A"}),
        ("POST", "/api/v1/workspaces/web/snooze", {"minutes": "60"}),
        ("POST", "/api/v1/workspaces/web/snooze", {"minutes": -1}),
        ("POST", "/api/v1/workspaces/web/snooze", {"minutes": 10**30}),
    ],
)  # fmt: skip
def test_types_are_not_guessed_and_fields_not_ignored(
    bob: Visitor, bobs: str, method: str, path: str, body: dict[str, object]
) -> None:
    problem = refused(bob.api(method, path, json=body))
    assert problem["slug"] == "bad-input"
    assert problem["field"]


@pytest.mark.parametrize(
    "limits",
    [
        '{"cpus": NaN}', '{"cpus": Infinity}', '{"cpus": 1e400}', '{"pids": -1}',
        '{"memory_bytes": ' + "9" * 400 + "}",
    ],
)  # fmt: skip
def test_numbers_out_of_this_world_are_refused(bob: Visitor, limits: str) -> None:
    body = f'{{"name": "web", "limits": {limits}}}'
    answer = bob.api("POST", "/api/v1/workspaces", data=body, content_type="application/json")
    assert answer.status_code in (409, 422), answer.text


@pytest.mark.parametrize(
    "name", ["%00", "a%00b", "%ff", "..%2f..", "x" * 5000, "%F0%9F%92%A9", "A"]
)
def test_odd_workspace_names_in_paths_are_not_found(bob: Visitor, name: str) -> None:
    for path in ("/api/v1/workspaces/{}", "/api/v1/workspaces/{}/sessions"):
        refused(bob.api("GET", path.format(name)), 404)
    assert bob.get(f"/w/{name}/").status_code in (404, 422)


@pytest.mark.parametrize("number", [2**31 - 1, 2**31, 2**63, 10**30])
def test_numbers_in_paths_that_no_row_can_have_are_not_found(ann: Visitor, number: int) -> None:
    refused(ann.api("DELETE", f"/api/v1/tokens/{number}"), 404)
    assert ann.post(f"/account/tokens/{number}/delete").status_code == 404
    assert ann.post(f"/account/logins/{number}/delete").status_code in (303, 404)
    assert ann.post(f"/admin/invites/{number}/delete").status_code in (303, 404)


@pytest.mark.parametrize("page", ["0", "-1", "x", "1" * 400, "99", ""])
def test_odd_pages_of_the_log_are_no_crash(ann: Visitor, page: str) -> None:
    assert ann.get(f"/admin/events?page={page}").status_code in (200, 422)


@pytest.mark.parametrize("session", ["%00", "a;b", "-t", "x" * 33, "a%0ab"])
def test_odd_session_names_are_refused(bob: Visitor, bobs: str, session: str) -> None:
    refused(bob.api("DELETE", f"/api/v1/workspaces/web/sessions/{session}"))


def test_an_odd_transfer_name_is_refused(bob: Visitor) -> None:
    refused(bob.api("GET", "/api/v1/home/archive?id=a%0d%0ab"))


def test_a_wrong_method_says_so(bob: Visitor) -> None:
    problem = refused(bob.api("PUT", "/api/v1/me"), 405)
    assert problem["slug"] == "method-not-allowed"


def test_a_huge_form_is_refused(app: Flask) -> None:
    visitor = Visitor(app, "a" * 10_000_000, PASSWORD)
    visitor.get("/register")
    answer = visitor.post("/register", {"username": visitor.name, "password": PASSWORD})
    assert answer.status_code in (400, 422)
    assert len(answer.text) < 20_000


@pytest.mark.parametrize("username", ["Ann", "аnn", "root", "a--b", "\x00", "a" * 1000])
def test_the_form_says_which_field_is_wrong(app: Flask, username: str) -> None:
    visitor = Visitor(app, username, PASSWORD)
    visitor.get("/register")
    answer = visitor.post("/register", {"username": username, "password": PASSWORD})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert PASSWORD not in answer.text


def test_a_crash_is_logged_and_told_without_details(
    bob: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("web.present.me", crash)
    problem = refused(bob.api("GET", "/api/v1/me"), 500)
    assert "secret" not in json.dumps(problem)
    page = bob.get("/")
    assert page.status_code == 500
    assert "secret" not in page.text
