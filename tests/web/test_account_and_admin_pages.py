"""The forms of the account and administration pages."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from models import Login, Template, Token, User, db
from orchestrator.engines import Phase
from tests.app_fixtures import PASSWORD
from tests.engine import WatchedEngine
from tests.visitor import Visitor

TEMPLATE = {
    "name": "go", "title": "Go", "description": "A compiler", "image": "go:1.22", "cpus": "1.5",
    "memory_mib": "512", "pids": "128", "ports": "3000, 8080", "enabled": "on",
}  # fmt: skip


def row(app: Flask, model: type, **by: object) -> object:
    with app.app_context():
        return db.session.query(model).filter_by(**by).one_or_none()


def test_a_token_is_shown_once_and_works(app: Flask, ann: Visitor) -> None:
    page = ann.post("/account/tokens", {"name": "laptop", "days": "7"})
    secret = re.search(r'id="new-token">(rb_[\w-]+)<', page.text)[1]
    headers = {"Authorization": f"Bearer {secret}"}
    assert app.test_client().get("/api/v1/me", headers=headers).json["username"] == "ann"
    assert secret not in ann.get("/account").text
    token = row(app, Token, name="laptop")
    assert ann.post(f"/account/tokens/{token.id}/delete").location == "/account"
    assert app.test_client().get("/api/v1/me", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "form", [{"name": "", "days": "7"}, {"name": "x", "days": "0"}, {"name": "x", "days": "soon"}]
)
def test_a_bad_token_form_says_what_is_wrong(
    app: Flask, ann: Visitor, form: dict[str, str]
) -> None:
    page = ann.post("/account/tokens", form)
    assert page.status_code == 422
    assert 'class="error"' in page.text
    assert row(app, Token) is None


def test_a_new_password_keeps_this_browser_and_ends_the_others(app: Flask, ann: Visitor) -> None:
    other = Visitor(app, "ann", PASSWORD)
    other.sign_in()
    form = {"current": PASSWORD, "new": "another fine password"}
    assert ann.post("/account/password", form).location == "/account"
    assert "Password changed" in ann.get("/account").text
    assert ann.get("/api/v1/me").status_code == 200
    assert other.get("/api/v1/me").status_code == 401
    other.password = "another fine password"
    assert other.sign_in().status_code == 303


def test_a_wrong_present_password_changes_nothing(ann: Visitor) -> None:
    page = ann.post("/account/password", {"current": "wrong", "new": "another fine password"})
    assert page.status_code == 422
    assert "not your present password" in page.text
    assert "another fine password" not in page.text
    assert ann.sign_in().status_code == 303


def test_other_browsers_can_be_signed_out_one_by_one_or_together(app: Flask, ann: Visitor) -> None:
    others = [Visitor(app, "ann", PASSWORD) for _ in range(3)]
    for other in others:
        other.sign_in()
    with app.app_context():
        newest = max(db.session.scalars(db.select(Login.id)))
    ann.post(f"/account/logins/{newest}/delete")
    assert [o.get("/api/v1/me").status_code for o in others] == [200, 200, 401]
    ann.post("/account/logins/delete")
    assert [o.get("/api/v1/me").status_code for o in others] == [401] * 3
    assert ann.get("/api/v1/me").status_code == 200


def step(admin: Visitor, name: str, step: str, **form: str) -> str:
    answer = admin.post(f"/admin/users/{name}/{step}", form)
    assert (answer.status_code, answer.location) == (303, "/admin/users")
    return admin.get("/admin/users").text


def test_suspending_and_resuming(
    app: Flask, ann: Visitor, bob: Visitor, engine: WatchedEngine
) -> None:
    assert bob.api("POST", "/session").status_code == 200
    (container,) = engine.census()
    assert "bob is suspended." in step(ann, "bob", "suspend")
    assert bob.get("/api/v1/me").status_code == 401
    assert engine.inspect(container.name).phase is Phase.STOPPED
    assert bob.sign_in().status_code == 401
    assert "bob may come in again." in step(ann, "bob", "resume")
    assert bob.sign_in().status_code == 303


def test_deleting_needs_suspending_first(app: Flask, ann: Visitor, bob: Visitor) -> None:
    assert "Suspend it first" in step(ann, "bob", "delete")
    step(ann, "bob", "suspend")
    assert "bob is deleted" in step(ann, "bob", "delete")
    assert row(app, User, username="bob") is None


def test_promoting_and_demoting(ann: Visitor, bob: Visitor) -> None:
    step(ann, "bob", "promote")
    assert bob.get("/admin/users").status_code == 200
    step(bob, "ann", "demote")
    assert ann.get("/admin/users").status_code == 403


def test_nobody_locks_themselves_out(ann: Visitor) -> None:
    for one in ("suspend", "demote", "delete"):
        assert "your own account" in step(ann, "ann", one)
    assert ann.get("/admin/users").status_code == 200


def test_an_allowance_is_set_and_shown(ann: Visitor, bob: Visitor) -> None:
    form = {"max_workspaces": "1", "max_cpus": "0.5", "max_memory_mib": "256", "max_pids": "64",
            "max_disk_gib": "1.5", "max_hours": "20.5"}  # fmt: skip
    assert "Allowance of bob saved." in step(ann, "bob", "allowance", **form)
    assert bob.get("/api/v1/me").json["allowance"] == {
        "workspaces": 1, "cpus": 0.5, "memory_bytes": 256 << 20, "pids": 64,
        "disk_bytes": 3 << 29, "hours": 20.5,
    }  # fmt: skip
    page = ann.get("/admin/users").text
    assert "of 1.5 GiB" in page
    assert "0 of 20.5 hours this week" in page
    for wrong in ({"max_disk_gib": "inf"}, {"max_disk_gib": ""}, {"max_hours": "nan"}):
        step(ann, "bob", "allowance", **(form | wrong))
        assert bob.get("/api/v1/me").json["allowance"]["disk_bytes"] == 3 << 29
    assert "Write a whole number" in step(ann, "bob", "allowance", **(form | {"max_pids": "x"}))


@pytest.mark.parametrize("path", ["/admin/users/nobody-here/suspend", "/admin/users/bob/explode"])
def test_unknown_people_and_steps_are_not_found(ann: Visitor, bob: Visitor, path: str) -> None:
    assert ann.post(path).status_code == 404


def test_templates_are_added_changed_and_deleted(app: Flask, ann: Visitor) -> None:
    assert ann.post("/admin/templates", TEMPLATE).location == "/admin/templates"
    template = row(app, Template, name="go")
    assert (template.cpus, template.memory_bytes, template.ports) == (1.5, 512 << 20, [3000, 8080])
    assert (template.enabled, template.read_only_root) == (True, False)
    changed = {k: v for k, v in TEMPLATE.items() if k != "enabled"} | {"title": "Golang"}
    assert ann.post("/admin/templates/go", changed).status_code == 303
    template = row(app, Template, name="go")
    assert (template.title, template.enabled) == ("Golang", False)
    assert ann.post("/admin/templates/go/delete").status_code == 303
    assert row(app, Template, name="go") is None


def test_a_templates_language_servers_are_edited_as_lines(app: Flask, ann: Visitor) -> None:
    line = "go | Go | .go | gopls -remote=auto"
    ann.post("/admin/templates", TEMPLATE | {"languages": line})
    assert row(app, Template, name="go").languages == [
        {"id": "go", "title": "Go", "extensions": [".go"], "command": ["gopls", "-remote=auto"]}
    ]
    assert f">{line}</textarea>" in ann.get("/admin/templates").text


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "Go"}, 422), ({"image": "bad image"}, 422), ({"cpus": "many"}, 422),
        ({"cpus": "nan"}, 422), ({"memory_mib": "9" * 30}, 422), ({"ports": "http"}, 422),
        ({"name": "chaospine"}, 409), ({"description": "x\x00"}, 422),
        ({"languages": "rust"}, 422),
    ],
)  # fmt: skip
def test_a_bad_template_comes_back_with_what_was_typed(
    app: Flask, ann: Visitor, change: dict[str, str], status: int
) -> None:
    page = ann.post("/admin/templates", TEMPLATE | change)
    assert page.status_code == status
    assert "A compiler" in page.text or "description" in change
    assert row(app, Template, name="go") is None


def test_a_template_in_use_stays(app: Flask, ann: Visitor, bobs: str) -> None:
    page = ann.post("/admin/templates/chaospine/delete")
    assert page.status_code == 409
    assert "1 workspaces are made from" in page.text
    assert row(app, Template, name="chaospine") is not None


def test_an_invitation_can_be_withdrawn(ann: Visitor) -> None:
    assert "register?invite=" in ann.post("/admin/invites", {"days": "1"}).text
    number = re.search(r"/admin/invites/(\d+)/delete", ann.get("/admin/invites").text)[1]
    assert ann.post(f"/admin/invites/{number}/delete").status_code == 303
    assert "No invites yet" in ann.get("/admin/invites").text
    assert ann.post("/admin/invites", {"days": "1000"}).status_code == 422


def test_the_log_says_who_did_what(ann: Visitor, bob: Visitor, bearer: Callable) -> None:
    step(ann, "bob", "suspend")
    page = ann.get("/admin/events").text
    for word in ("account.registered", "account.signed-in", "account.suspended", "127.0.0.1"):
        assert word in page
