"""The API as a client uses it, from the sign-up to the deletion."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from orchestrator.errors import ImageMissing, NoSpace, StartFailed
from tests.app_fixtures import PASSWORD, together
from tests.engine import WatchedEngine

V1 = "/api/v1"
Call = Callable[..., TestResponse]


@pytest.fixture
def call(client: FlaskClient) -> Call:
    """Return ``call(method, path)``, which asks with Ann's token."""
    body = {"username": "ann", "password": PASSWORD}
    made = client.post(f"{V1}/users", json=body)
    assert (made.status_code, made.json["role"]) == (201, "admin")
    token = client.post(f"{V1}/tokens", json=body)
    assert token.status_code == 201
    headers = {"Authorization": f"Bearer {token.json['token']}"}
    assert client.get_cookie("__Host-rootblood") is None, "a program gets no cookie"
    return lambda method, path, **given: client.open(path, method=method, headers=headers, **given)


def test_an_account_says_what_it_may_use(call: Call) -> None:
    me = call("GET", f"{V1}/me").json
    assert (me["username"], me["role"]) == ("ann", "admin")
    assert me["allowance"] == {
        "workspaces": 5, "cpus": 2.0, "memory_bytes": 4 << 30, "pids": 1024,
        "disk_bytes": 10 << 30, "hours": None,
    }  # fmt: skip
    assert not {"password_hash", "userhash", "id"} & set(me)


def test_tokens_are_listed_without_their_secrets_and_revoked(call: Call) -> None:
    (token,) = call("GET", f"{V1}/tokens").json["tokens"]
    assert set(token) == {"id", "name", "prefix", "created_at", "expires_at", "last_used_at"}
    assert call("DELETE", f"{V1}/tokens/{token['id']}").status_code == 204
    assert call("GET", f"{V1}/me").status_code == 401


def test_the_catalogue_is_listed(call: Call) -> None:
    (template,) = call("GET", f"{V1}/templates").json["templates"]
    assert (template["name"], template["image"]) == ("chaospine", "chaospine:1.0.0")


def test_the_life_of_a_workspace(call: Call, engine: WatchedEngine) -> None:
    path = f"{V1}/workspaces/web"
    limits = {"cpus": 0.5, "pids": 64}
    made = call("POST", f"{V1}/workspaces", json={"name": "web", "limits": limits})
    assert made.status_code == 201
    assert made.json["limits"] == {"cpus": 0.5, "memory_bytes": 1 << 30, "pids": 64}
    assert (made.json["state"], made.json["url"]) == ("stopped", "/w/web/")
    assert [w["name"] for w in call("GET", f"{V1}/workspaces").json["workspaces"]] == ["web"]
    assert call("POST", f"{path}/start").json["state"] == "running"
    shown = call("GET", path).json
    assert shown["activity"]["stops_at"] > shown["started_at"]
    assert shown["activity"]["explanation"].startswith("stops in 30 min: no input for 0 s")
    assert call("POST", f"{path}/snooze", json={"minutes": 90}).json["activity"]["explanation"] == (
        "kept for 1 h 30 min: snoozed"
    )
    assert call("PATCH", path, json={"name": "other"}).status_code == 409
    assert call("PATCH", path, json={"limits": {"cpus": 1}}).json["limits"]["pids"] == 64
    assert call("POST", f"{path}/restart").json["state"] == "running"
    assert call("POST", f"{path}/stop").json["reason"] == "Stopped by ann"
    assert call("PATCH", path, json={"name": "other"}).json["name"] == "other"
    assert call("GET", path).status_code == 404
    deleted = call("DELETE", f"{V1}/workspaces/other")
    assert (deleted.status_code, deleted.data) == (204, b"")
    assert list(engine.census()) == []
    assert call("GET", f"{V1}/workspaces").json == {"workspaces": []}


def test_names_are_taken_and_allowances_reached(call: Call) -> None:
    for number in range(5):
        call("POST", f"{V1}/workspaces", json={"name": f"w{number}"})
    again = call("POST", f"{V1}/workspaces", json={"name": "w0"})
    assert (again.status_code, again.json["slug"]) == (409, "already-exists")
    sixth = call("POST", f"{V1}/workspaces", json={"name": "w6"})
    assert (sixth.status_code, sixth.json["slug"]) == (409, "allowance-reached")
    much = call("PATCH", f"{V1}/workspaces/w0", json={"limits": {"cpus": 64}})
    assert (much.status_code, much.json["slug"]) == (409, "allowance-reached")


def test_an_unknown_template_is_not_found(call: Call) -> None:
    answer = call("POST", f"{V1}/workspaces", json={"name": "x", "template": "nope"})
    assert (answer.status_code, answer.json["slug"]) == (404, "not-found")


def test_session_makes_sure_that_the_default_workspace_runs(
    call: Call, engine: WatchedEngine
) -> None:
    opened = {"workspace": "main", "state": "running", "url": "/w/main/"}
    for _ in range(3):
        answer = call("POST", "/session")
        assert (answer.status_code, answer.json) == (200, opened)
    call("POST", f"{V1}/workspaces/main/stop")
    assert call("POST", "/session").json == opened
    assert engine.calls["run"] == 2


def test_fifty_sessions_at_once_make_one_container(
    app: Flask, call: Call, engine: WatchedEngine
) -> None:
    body = {"username": "ann", "password": PASSWORD}
    token = call("POST", f"{V1}/tokens", json=body).json["token"]
    headers = {"Authorization": f"Bearer {token}"}
    answers = together(
        app, 50, lambda _: app.test_client().post("/session", headers=headers).status_code
    )
    assert answers == [200] * 50
    assert engine.calls["run"] == len(list(engine.census())) == 1


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (ImageMissing("The image is not here"), 503, "image-missing"),
        (NoSpace(), 507, "no-space"),
        (StartFailed("It ended at once", log="init: cannot\n"), 502, "start-failed"),
    ],
)
def test_a_failed_start_says_why(
    call: Call, engine: WatchedEngine, error: Exception, status: int, slug: str
) -> None:
    call("POST", f"{V1}/workspaces", json={"name": "web"})
    engine.failing["run"] = error
    answer = call("POST", f"{V1}/workspaces/web/start")
    assert (answer.status_code, answer.json["slug"]) == (status, slug)
    assert answer.json["hint"]
    assert answer.json.get("log", "") == error.log
    shown = call("GET", f"{V1}/workspaces/web").json
    assert (shown["state"], shown["log"]) == ("failed", error.log)
    assert error.message in shown["reason"]


def test_sessions_of_a_stopped_workspace_are_none(call: Call) -> None:
    call("POST", f"{V1}/workspaces", json={"name": "web"})
    assert call("GET", f"{V1}/workspaces/web/sessions").json == {"sessions": []}
    assert call("DELETE", f"{V1}/workspaces/web/sessions/main").status_code == 204


def test_the_same_answer_for_unknown_people_and_wrong_passwords(call: Call) -> None:
    answers = [
        call("POST", f"{V1}/tokens", json={"username": name, "password": password})
        for name, password in (("ann", "wrong"), ("nobody-here", PASSWORD), ("ANN", PASSWORD))
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
