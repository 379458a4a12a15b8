from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, update
from werkzeug.test import TestResponse

from models import Login, Standing, Token, User, Workspace, db, utcnow, writing
from tests.visitor import Visitor
from tests.web.routes import (
    ADMIN,
    BRING_CREDENTIALS,
    PRIVATE,
    PUBLIC,
    SPEAK_GIT,
    UPGRADE,
    WEBSOCKETS,
    Route,
    route,
)

ORIGIN = {"Origin": "http://localhost"}
Bearer = Callable[[str], dict[str, str]]


PAGES = ("/account", "/admin", "/global", "/templates", "/w/")


def routes(*groups: set[str] | dict[str, int]) -> list[Route]:
    return [route(line) for line in sorted(line for group in groups for line in group)]


def ask(client: FlaskClient, one: Route, **given: object) -> TestResponse:
    answer = client.open(one.path, method=one.method, **given)
    answer.close()
    return answer


def flaw(answer: TestResponse, status: int, one: Route) -> str:
    """Return what is wrong with a refusal, or nothing."""
    page = not one.path.startswith(("/api/", "/session", "/healthz", "/readyz"))
    if page and status == 401 and not one.unsafe:
        signs_in = answer.status_code == 303 and answer.location.startswith("/login?next=%2F")
        return "" if signs_in else f"{answer.status_code}, not a redirect to the sign-in"
    if answer.status_code != status:
        return f"{answer.status_code}, not {status}"
    if page:
        return "" if answer.mimetype == "text/html" and str(status) in answer.text else "no page"
    if answer.mimetype != "application/problem+json":
        return f"content type {answer.mimetype}"
    problem = answer.json
    sound = (
        problem["status"] == status
        and problem["type"] == f"urn:rootblood:{problem['slug']}"
        and problem["title"] and problem["detail"] and isinstance(problem["hint"], str)
    )  # fmt: skip
    return "" if sound else f"problem {problem}"


def assert_all(client: FlaskClient, status: int, asked: list[Route], **given: object) -> None:
    """Every one of the routes refuses the request with that status, soundly."""
    assert asked
    flaws = {
        f"{one.method} {one.path}": wrong
        for one in asked
        if (wrong := flaw(ask(client, one, **given), status, one))
    }
    assert flaws == {}


def proof_of(app: Flask, who: Visitor, bearer: Bearer, proof: str) -> tuple[FlaskClient, dict]:
    """Return a client and headers by which ``who`` is known."""
    if proof == "token":
        return app.test_client(), bearer(who.name)
    return who.client, {"X-CSRFToken": who.csrf}


by_cookie_and_token = pytest.mark.parametrize("proof", ["cookie", "token"])


def test_every_route_is_listed(app: Flask) -> None:
    groups = [set(PUBLIC), PRIVATE, ADMIN, WEBSOCKETS]
    listed = set().union(*groups)
    assert sum(map(len, groups)) == len(listed), "a route stands in two lists"
    rules = list(app.url_map.iter_rules())
    found = {f"{m} {r.rule}" for r in rules for m in r.methods - {"HEAD", "OPTIONS"}}
    assert found - listed == set(), "say in tests/web/routes.py who may use these"
    assert listed - found == set(), "these are no routes any more"
    assert {f"GET {r.rule}" for r in rules if r.websocket} == WEBSOCKETS


def test_nobody_gets_in(app: Flask, bobs: str) -> None:
    visitor = Visitor(app, "nobody", "")
    visitor.get("/login")
    headers = {"X-CSRFToken": visitor.csrf}
    assert_all(visitor.client, 401, routes(PRIVATE, ADMIN), headers=headers)


def test_browsers_are_sent_to_the_sign_in_and_back(app: Flask, bob: Visitor) -> None:
    shown = [one for one in routes(PRIVATE, ADMIN) if one.path.startswith(PAGES) and not one.unsafe]
    assert shown
    for one in shown:
        answer = ask(app.test_client(), one, headers={"Accept": "text/html"}, query_string="x=1")
        assert answer.status_code == 303
        assert answer.location == "/login?next=" + quote(f"{one.path}?x=1", safe="")


def test_strangers_get_what_is_public(app: Flask, bobs: str) -> None:
    visitor = Visitor(app, "nobody", "")
    visitor.get("/login")
    found = {
        line: ask(visitor.client, route(line), headers={"X-CSRFToken": visitor.csrf}).status_code
        for line in PUBLIC
    }
    assert found == PUBLIC


@pytest.mark.parametrize("token", ["", "rb_wrong", "rb_" + "x" * 10_000, "näh"])
def test_a_wrong_token_gets_nobody_in_even_with_a_good_cookie(
    ann: Visitor, bobs: str, token: str
) -> None:
    headers = {"Authorization": f"Bearer {token}", "X-CSRFToken": ann.csrf}
    assert_all(ann.client, 401, routes(PRIVATE, ADMIN), headers=headers)


@by_cookie_and_token
def test_what_is_another_persons_is_not_there(
    app: Flask, bob: Visitor, carl: Visitor, bobs: str, bearer: Bearer, proof: str
) -> None:
    bearer("bob")
    with app.app_context():
        (token,) = db.session.scalars(db.select(Token.id))
    theirs = routes({line for line in PRIVATE if "<name>" in line or "token_id" in line})
    theirs = [replace(one, path=one.path.replace("tokens/1", f"tokens/{token}")) for one in theirs]
    client, headers = proof_of(app, carl, bearer, proof)
    for one in theirs:
        body = {"json": {}} if one.path.startswith("/api/") and one.unsafe else {}
        assert flaw(ask(client, one, headers=headers, **body), 404, one) == "", one
    with app.app_context():
        assert [row.name for row in db.session.scalars(db.select(Workspace))] == [bobs]
        assert db.session.get(Token, token) is not None


def test_another_persons_sign_in_is_not_ended(app: Flask, bob: Visitor, carl: Visitor) -> None:
    with app.app_context():
        ids = list(db.session.scalars(db.select(Login.id)))
    for number in ids[:-1]:
        carl.post(f"/account/logins/{number}/delete")
    assert bob.api("GET", "/api/v1/me").status_code == 200


def suspended(app: Flask, name: str) -> None:
    with app.app_context(), writing():
        values = {"standing": Standing.SUSPENDED}
        db.session.execute(update(User).where(User.username == name).values(**values))


def removed(app: Flask, name: str) -> None:
    with app.app_context(), writing():
        db.session.execute(delete(User).where(User.username == name))


def expired(app: Flask, name: str) -> None:
    with app.app_context(), writing():
        past = utcnow().replace(year=2001)
        db.session.execute(update(Login).values(last_seen_at=past))
        db.session.execute(update(Token).values(expires_at=past))


def signed_out(app: Flask, name: str) -> None:
    with app.app_context(), writing():
        db.session.execute(delete(Login))
        db.session.execute(delete(Token))


@by_cookie_and_token
@pytest.mark.parametrize("ended", [suspended, removed, expired, signed_out])
def test_who_is_out_is_out_everywhere(
    app: Flask, ann: Visitor, bearer: Bearer, proof: str, ended: Callable[[Flask, str], None]
) -> None:
    client, headers = proof_of(app, ann, bearer, proof)
    assert ask(client, route("GET /api/v1/me"), headers=headers).status_code == 200
    ended(app, "ann")
    assert_all(client, 401, routes(PRIVATE, ADMIN), headers=headers)


@by_cookie_and_token
def test_users_are_no_administrators(app: Flask, bob: Visitor, bearer: Bearer, proof: str) -> None:
    client, headers = proof_of(app, bob, bearer, proof)
    assert_all(client, 403, routes(ADMIN), headers=headers)


@pytest.mark.parametrize("token", ["absent", "wrong", "another's", "empty"])
def test_another_sites_page_changes_nothing(
    app: Flask, ann: Visitor, bobs: str, token: str
) -> None:
    """The browser sends its cookie along; the CSRF token is what the other site cannot know."""
    other = Visitor(app, "mallory", "")
    other.get("/login")
    tokens = {"absent": "", "wrong": "x" * 91, "another's": other.csrf, "empty": ""}
    headers = {} if token == "absent" else {"X-CSRFToken": tokens[token]}
    form = {"csrf_token": tokens[token]}
    unsafe = {line for line in [*PUBLIC, *PRIVATE, *ADMIN] if not line.startswith("GET ")}
    asked = routes(unsafe - BRING_CREDENTIALS - SPEAK_GIT)
    assert_all(ann.client, 400, asked, headers=headers, data=form)
    problem = ask(ann.client, route("POST /session"), headers=headers).json
    assert problem["slug"] == "bad-csrf-token"
    assert problem["hint"]
    with app.app_context():
        assert db.session.scalars(db.select(Workspace)).one().name == bobs
        assert all(user.is_active for user in db.session.scalars(db.select(User)))
    assert ann.api("GET", "/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    "mimetype", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_what_brings_its_credentials_takes_no_forms(ann: Visitor, mimetype: str) -> None:
    """A form of another site can send text, but not JSON."""
    good = '{"username": "dora", "password": "correct horse battery"}'
    for one in routes(BRING_CREDENTIALS):
        answer = ask(ann.client, one, data=good, content_type=mimetype)
        assert flaw(answer, 422, one) == ""
        assert "JSON" in answer.json["detail"]


@pytest.mark.parametrize(
    "origin",
    [None, "null", "", "https://evil.example", "http://localhost:1", "https://localhost",
     "http://localhost.evil.example", "http://x.localhost", "http://localhost@evil.example"],
)  # fmt: skip
def test_websockets_of_other_pages_are_refused(bob: Visitor, bobs: str, origin: str | None) -> None:
    headers = UPGRADE | ({} if origin is None else {"Origin": origin})
    assert_all(bob.client, 403, routes(WEBSOCKETS), headers=headers)


def test_websockets_need_a_sign_in(app: Flask, bobs: str) -> None:
    assert_all(app.test_client(), 401, routes(WEBSOCKETS), headers=UPGRADE | ORIGIN)
    wrong = {"Authorization": "Bearer rb_wrong"}
    assert_all(app.test_client(), 401, routes(WEBSOCKETS), headers=UPGRADE | ORIGIN | wrong)


INTO_A_WORKSPACE = routes({line for line in WEBSOCKETS if "<name>" in line})


def test_a_websocket_into_another_persons_workspace_is_not_there(carl: Visitor, bobs: str) -> None:
    assert_all(carl.client, 404, INTO_A_WORKSPACE, headers=UPGRADE | ORIGIN)


@by_cookie_and_token
def test_a_websocket_into_a_stopped_workspace_says_so(
    app: Flask, bob: Visitor, bobs: str, bearer: Bearer, proof: str
) -> None:
    client, headers = proof_of(app, bob, bearer, proof)
    headers |= UPGRADE | (ORIGIN if proof == "cookie" else {})
    assert_all(client, 409, INTO_A_WORKSPACE, headers=headers)
    for one in INTO_A_WORKSPACE:
        assert ask(client, one, headers=headers).json["slug"] == "workspace-stopped"


def test_websockets_are_no_pages(bob: Visitor, bobs: str) -> None:
    for one in routes(WEBSOCKETS):
        answer = ask(bob.client, one, headers=ORIGIN)
        assert flaw(answer, 422, one) == ""
        assert "WebSocket" in answer.json["detail"]


def test_unknown_paths_are_not_found(app: Flask, bob: Visitor) -> None:
    for path in ("/nope", "/api/v1/nope", "/api/v2/me", "/w/", "/admin/", "/a/../etc/passwd"):
        for client in (app.test_client(), bob.client):
            assert_all(client, 404, [Route("GET", path)])
