"""Every page, empty and full, as everybody who may see it."""

import json
import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import delete, update

from models import State, Template, Workspace, db, writing
from tests.app_fixtures import PASSWORD
from tests.engine import WatchedEngine
from tests.visitor import Visitor
from web import ROOT

_BOOT = re.compile(r'<script type="application/json" id="boot">(.*?)</script>', re.DOTALL)


def boot(page: str) -> dict[str, object]:
    found = _BOOT.search(page)
    assert found, page[:2000]
    return json.loads(found[1])


def shown(visitor: Visitor, path: str, status: int = 200) -> str:
    answer = visitor.get(path)
    assert (answer.status_code, answer.mimetype) == (status, "text/html"), answer.text[:2000]
    assert answer.text.rstrip().endswith("</html>")
    assert "Undefined" not in answer.text
    return answer.text


def test_every_template_is_rendered(
    app: Flask, ann: Visitor, bob: Visitor, bobs: str, rendered: set[str]
) -> None:
    stranger = Visitor(app, "", "")
    for visitor, path in [
        (stranger, "/"), (stranger, "/login"), (stranger, "/register"), (stranger, "/docs/api"),
        (stranger, "/recover"),
        (ann, "/"), (ann, "/home"), (ann, "/account"), (ann, "/templates"), (ann, "/admin/users"),
        (ann, "/admin/invites"), (ann, "/admin/templates"), (ann, "/admin/events"),
        (bob, f"/w/{bobs}/"), (bob, "/templates"), (bob, "/account/delete"), (bob, "/doctor"),
    ]:  # fmt: skip
        shown(visitor, path)
    shown(stranger, "/nope", 404)
    assert bob.post("/account/recovery", {"password": PASSWORD}).status_code == 200
    folder = ROOT / "templates"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*.html")}
    bases = {"_macros.html", "base.html", "plain.html"}
    commons = {name for name in files if name.startswith("commons/")}  # test_commons_pages.py
    previews = {"app.html", "preview.html"}  # test_apps_api.py, preview/test_refusals.py
    assert files - bases - commons - previews == rendered


def test_a_stranger_reads_what_this_is(app: Flask) -> None:
    page = shown(Visitor(app, "", ""), "/")
    assert 'href="/login"' in page
    assert 'href="/register"' in page


def test_the_first_visitor_is_told_to_become_the_administrator(app: Flask) -> None:
    visitor = Visitor(app, "ann", PASSWORD)
    assert "This is the first account" in shown(visitor, "/register")
    visitor.register()
    assert "This is the first account" not in shown(Visitor(app, "", ""), "/register")


@pytest.mark.parametrize("mode", ["closed", "invite"])
def test_registration_says_when_it_is_not_open(
    make_app: Callable[..., Flask], ann: Visitor, mode: str
) -> None:
    from orchestrator.settings import Registration

    app = make_app(registration=Registration(mode))
    page = shown(Visitor(app, "", ""), "/register")
    assert "<form" not in page.partition("<main")[2].partition("</main>")[0]
    shown(Visitor(app, "", ""), "/login")
    if mode == "invite":
        assert 'name="password"' in shown(Visitor(app, "", ""), "/register?invite=abc")


def test_an_invitation_brings_one_person_in(make_app: Callable[..., Flask], ann: Visitor) -> None:
    from orchestrator.settings import Registration

    page = ann.post("/admin/invites", {"days": "7"}).text
    link = re.search(r"http://localhost(/register\?invite=[\w-]+)", page)[1]
    assert link not in shown(ann, "/admin/invites"), "it is shown only once"
    app = make_app(registration=Registration.INVITE)
    for name, status in (("bob", 303), ("carl", 403)):
        visitor = Visitor(app, name, PASSWORD)
        shown(visitor, link)
        form = {"username": name, "password": PASSWORD, "invite": link.partition("=")[2]}
        assert visitor.post("/register", form).status_code == status
    assert "used by bob" in shown(ann, "/admin/invites")


def test_the_dashboard_knows_what_there_is(bob: Visitor, bobs: str) -> None:
    data = boot(shown(bob, "/"))
    assert [row["name"] for row in data["workspaces"]] == ["web"]
    assert [row["name"] for row in data["templates"]] == ["chaospine"]
    assert data["user"]["username"] == "bob"


def test_the_terminal_page_makes_the_default_workspace(app: Flask, bob: Visitor) -> None:
    data = boot(shown(bob, "/w/main/"))
    assert data["workspace"]["state"] == "stopped"
    with app.app_context():
        assert db.session.scalars(db.select(Workspace)).one().name == "main"
    shown(bob, "/w/other/", 404)


def test_nothing_that_a_page_is_given_breaks_out_of_it(app: Flask, bob: Visitor, bobs: str) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    with app.app_context(), writing():
        values = {"state": State.FAILED, "reason": evil, "log": evil}
        db.session.execute(update(Workspace).values(**values))
        db.session.execute(update(Template).values(title=evil, description=evil))
    for path in ("/", "/w/web/", "/templates"):
        page = shown(bob, path)
        assert "<img src=x" not in page
    assert boot(shown(bob, "/"))["workspaces"][0]["reason"] == evil


@pytest.mark.parametrize("agent", ["<img src=x>", '"><script>', "x" * 5000, "Müller\x01"])
def test_a_browsers_name_is_shown_harmlessly(app: Flask, ann: Visitor, agent: str) -> None:
    visitor = Visitor(app, "ann", PASSWORD)
    visitor.get("/login")
    visitor.post(
        "/login",
        {"username": "ann", "password": PASSWORD},
        environ_overrides={"HTTP_USER_AGENT": agent.encode().decode("latin-1")},
    )
    page = shown(visitor, "/account")
    assert "<img src=x>" not in page
    assert '"><script>' not in page


def test_an_unreachable_engine_leaves_the_pages_readable(
    bob: Visitor, ann: Visitor, bobs: str, engine: WatchedEngine
) -> None:
    engine.reachable = False
    for path in ("/", "/w/web/", "/templates", "/account"):
        shown(bob, path)
    shown(ann, "/admin/templates")
    answer = bob.api("POST", "/api/v1/workspaces/web/start")
    assert (answer.status_code, answer.json["slug"]) == (503, "engine-unreachable")
    assert answer.headers["Retry-After"]
    assert bob.get("/readyz").status_code == 503
    assert bob.get("/healthz").status_code == 200


def test_a_catalogue_without_templates_says_so(app: Flask, ann: Visitor, bob: Visitor) -> None:
    with app.app_context(), writing():
        db.session.execute(delete(Template))
    assert "No templates yet" in shown(bob, "/templates")
    assert "The catalogue is empty" in shown(ann, "/admin/templates")
    shown(bob, "/")
    shown(bob, "/w/main/", 404)


def test_a_template_whose_image_is_missing_says_so(ann: Visitor, engine: WatchedEngine) -> None:
    assert "image missing" not in shown(ann, "/templates")
    engine.known_images = frozenset()
    assert "image missing" in shown(ann, "/templates")


def test_where_one_wanted_to_go_is_where_one_comes(app: Flask, ann: Visitor) -> None:
    visitor = Visitor(app, "ann", PASSWORD)
    target = visitor.get("/account?tab=1").location
    page = shown(visitor, target)
    next_ = re.search(r'name="next" value="([^"]*)"', page)[1]
    answer = visitor.post("/login", {"username": "ann", "password": PASSWORD, "next": next_})
    assert answer.location == "/account?tab=1"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "//["]
)
def test_going_on_after_the_sign_in_never_leaves_the_server(
    app: Flask, ann: Visitor, target: str
) -> None:
    form = {"username": "ann", "password": PASSWORD, "next": target}
    visitor = Visitor(app, "ann", PASSWORD)
    visitor.get("/login")
    assert visitor.post("/login", form).location == "/"
    assert ann.get("/login", query_string={"next": target}).location == "/"


def test_who_is_signed_in_needs_no_sign_in(ann: Visitor) -> None:
    assert ann.get("/login?next=/account").location == "/account"
    assert ann.get("/register").location == "/"
