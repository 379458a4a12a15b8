"""Accounts over the API as administrators see and change them."""

from collections.abc import Callable

import pytest
from flask import Flask

from models import Event, User, db
from orchestrator.platform import Platform
from tests.visitor import Visitor

BOB = "/api/v1/users/bob"
DEFAULTS = {"workspaces": 5, "cpus": 2.0, "memory_bytes": 4 << 30, "pids": 1024,
            "disk_bytes": 10 << 30, "hours": None}  # fmt: skip


def change(admin: Visitor, **allowance: object) -> dict[str, object]:
    answer = admin.api("PATCH", BOB, json={"allowance": allowance})
    assert answer.status_code == 200, answer.text
    return answer.json["allowance"]


def test_an_account_is_shown_with_its_use(ann: Visitor, bob: Visitor) -> None:
    assert bob.api("POST", "/session").status_code == 200
    shown = ann.get(BOB).json
    assert shown["use"] == {
        "workspaces": 1, "running": 1, "files_bytes": 0, "snapshots_bytes": 0, "images_bytes": 0,
        "published_bytes": 0,
        "locked": False, "hours": 0.0,
    }  # fmt: skip
    assert (shown["username"], shown["role"], shown["standing"]) == ("bob", "user", "active")
    assert shown["allowance"] == DEFAULTS
    assert not {"userhash", "password_hash", "id"} & set(shown)
    bob.api("POST", "/api/v1/workspaces/main/stop")
    assert ann.get(BOB).json["use"]["locked"] is True


def test_any_part_of_an_allowance_is_set_and_set_back(
    app: Flask, ann: Visitor, bob: Visitor
) -> None:
    assert change(ann, disk_bytes=1 << 30, hours=2) == DEFAULTS | {
        "disk_bytes": 1 << 30, "hours": 2.0
    }  # fmt: skip
    assert change(ann, cpus=0.5, hours=None) == DEFAULTS | {"disk_bytes": 1 << 30, "cpus": 0.5}
    assert change(ann) == DEFAULTS | {"disk_bytes": 1 << 30, "cpus": 0.5}
    assert bob.get("/api/v1/me").json["allowance"]["disk_bytes"] == 1 << 30
    with app.app_context():
        events = db.session.query(Event).filter_by(action="account.allowance-set").all()
        assert [(event.actor, event.target) for event in events] == [("ann", "bob")] * 2


@pytest.mark.parametrize(
    "body",
    [
        {"allowance": None}, {"allowance": {"disk_bytes": 1}}, {"allowance": {"hours": -1}},
        {"allowance": {"disk_bytes": "1"}}, {"allowance": {"disk": 1 << 30}},
        {"allowance": {"disk_bytes": 1 << 90}}, {"allowance": {"disk_bytes": True}},
        {"allowance": {}, "role": "admin"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(ann: Visitor, bob: Visitor, body: dict[str, object]) -> None:
    assert ann.api("PATCH", BOB, json=body).status_code == 422
    assert ann.get(BOB).json["allowance"] == DEFAULTS


def test_nobody_else_looks_or_changes(ann: Visitor, bob: Visitor) -> None:
    body = {"allowance": {"cpus": 1.0}}
    for path in (BOB, "/api/v1/users/ann", "/api/v1/users/nobody-here"):
        assert bob.get(path).status_code == 403
        assert bob.api("PATCH", path, json=body).status_code == 403


@pytest.mark.parametrize("name", ["nobody-here", "BOB", "b%00b", "x" * 500])
def test_an_unknown_account_is_not_found(ann: Visitor, bob: Visitor, name: str) -> None:
    path = f"/api/v1/users/{name}"
    assert ann.get(path).status_code == 404
    assert ann.api("PATCH", path, json={"allowance": {"cpus": 1.0}}).status_code == 404


def test_hours_show_in_a_workspace_like_the_idle_stop(
    app: Flask, ann: Visitor, bob: Visitor, platform: Platform
) -> None:
    change(ann, hours=0.1)
    bob.api("POST", "/session")
    activity = bob.get("/api/v1/workspaces/main").json["activity"]
    # In the last minutes of a week the hours last until a new one begins.
    assert "the week's 0.1 h are used up then" in activity["explanation"] or (
        "no input" in activity["explanation"]
    )


@pytest.mark.parametrize("by", ["page", "api"])
def test_people_delete_their_account_with_their_password(
    app: Flask, ann: Visitor, bob: Visitor, bobs: str, by: str
) -> None:
    def delete(password: str) -> int:
        if by == "api":
            answer = bob.api("DELETE", "/api/v1/me", json={"password": password})
        else:
            bob.get("/account/delete")
            answer = bob.post("/account/delete", {"password": password})
        return answer.status_code

    assert delete("wrong") == 422
    assert bob.get("/api/v1/me").status_code == 200
    assert delete(bob.password) == (204 if by == "api" else 303)
    assert bob.get("/api/v1/me").status_code == 401
    assert bob.sign_in().status_code == 401
    with app.app_context():
        assert db.session.query(User).filter_by(username="bob").count() == 0


def test_the_page_says_what_is_lost_and_when(ann: Visitor, bob: Visitor, bobs: str) -> None:
    page = bob.get("/account/delete").text
    assert 'href="/api/v1/home/archive"' in page
    assert "your workspace web" in page
    assert "After 7 days" in page
    assert 'href="/account/delete"' in bob.get("/account").text
    said = bob.post("/account/delete", {"password": bob.password}, follow_redirects=True)
    assert "Your account is deleted." in said.text


def test_the_only_administrator_reads_what_to_do_first(ann: Visitor, bob: Visitor) -> None:
    ann.get("/account/delete")
    page = ann.post("/account/delete", {"password": ann.password})
    assert page.status_code == 409
    assert "Make somebody else an administrator first" in page.text
    assert ann.get("/api/v1/me").status_code == 200


def test_a_token_alone_deletes_nothing(
    app: Flask, ann: Visitor, bob: Visitor, bearer: Callable[[str], dict[str, str]]
) -> None:
    client, headers = app.test_client(), bearer("bob")
    for body in ({}, {"password": ""}, {"password": headers["Authorization"]}):
        answer = client.delete("/api/v1/me", headers=headers, json=body)
        assert answer.status_code == 422
    assert client.delete(
        "/api/v1/me", headers=headers, json={"password": bob.password}
    ).status_code == 204  # fmt: skip
    assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_guessing_the_password_of_a_deletion_is_slowed_down(ann: Visitor, bob: Visitor) -> None:
    for _ in range(5):
        assert bob.api("DELETE", "/api/v1/me", json={"password": "no"}).status_code == 422
        assert bob.post("/account/delete", {"password": "no"}).status_code == 422
    right = {"password": bob.password}
    assert bob.api("DELETE", "/api/v1/me", json=right).status_code == 429
    assert bob.post("/account/delete", right).status_code == 429
