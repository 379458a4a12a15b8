"""The commons as programs use it: publish, find, fork, propose, merge, take away."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import Repository, User, db
from tests.app_fixtures import on_both_databases
from tests.orchestrator.commons.git_client import Client
from tests.orchestrator.commons.published import Work

pytestmark = on_both_databases

V1 = "/api/v1"
HELLO = f"{V1}/repos/ann/hello"
Call = Callable[..., TestResponse]


@pytest.fixture
def call(client: FlaskClient, bearer: Callable[[str], dict[str, str]]) -> Call:
    """Return ``call(name, method, path, **json)``, which asks with that person's token."""
    headers = {name: bearer(name) for name in ("ann", "bob")}

    def ask(name: str, method: str, path: str, /, **body: object) -> TestResponse:
        given = {"json": body} if method in ("POST", "PUT", "PATCH") else {}
        return client.open(path, method=method, headers=headers[name], **given)

    return ask


@pytest.fixture
def pushed(app: Flask, tmp_path: Path) -> Callable[..., str]:
    """Return ``pushed(owner, repo, branch, **files)``, which commits on top and pushes."""

    def push(owner: str, repo: str, branch: str = "main", **files: str) -> str:
        with app.app_context():
            user = db.session.query(User).filter_by(username=owner).one()
            row = db.session.query(Repository).filter_by(name=repo, owner_id=user.id).one()
            tree = Client(tmp_path).inside("tree")
            if not tree.where.exists():
                tree = Client(tmp_path).init("tree")
            work = Work(app.extensions["rootblood"], user, tree)
            work.commit("Write", **files)
            return work.push(row, branch)

    return push


@pytest.fixture
def hello(call: Call, pushed: Callable[..., str]) -> str:
    """Ann's repository; the id of its commit."""
    assert call("ann", "POST", f"{V1}/repos", name="hello").status_code == 201
    return pushed("ann", "hello", README_md="Hello\n", main_py="x = 1\n")


@pytest.fixture
def offered(call: Call, hello: str, pushed: Callable[..., str]) -> str:
    """Bob's proposal 1 to Ann; the id of its commit."""
    assert call("bob", "POST", f"{HELLO}/fork").status_code == 201
    head = pushed("bob", "hello", "fix", README_md="Hello world\n")
    made = call(
        "bob", "POST", f"{HELLO}/proposals",
        source="bob/hello", source_branch="fix", title="Greet all", text="Please.",
    )  # fmt: skip
    assert (made.status_code, made.json["number"], made.json["source"]) == (201, 1, "bob/hello")
    return head


def members(answer: TestResponse) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(answer.data)) as packed:
        return packed.getnames()


def test_the_life_of_a_repository(call: Call) -> None:
    made = call("ann", "POST", f"{V1}/repos", name="hello", description="Says hello")
    assert made.status_code == 201
    assert (made.json["path"], made.json["url"], made.json["level"]) == (
        "/global/ann/hello", "/git/ann/hello.git", "admin",
    )  # fmt: skip
    assert call("ann", "POST", f"{V1}/repos", name="hello").status_code == 409
    assert call("bob", "GET", HELLO).json["level"] == "read"
    assert call("bob", "PATCH", HELLO, description="Mine").status_code == 403
    changed = call("ann", "PATCH", HELLO, description="New", archived=True, protected=False).json
    assert (changed["description"], changed["archived"], changed["protected"]) == (
        "New", True, False,
    )  # fmt: skip
    assert call("ann", "PATCH", HELLO, visibility="private").json["path"] is None
    assert call("bob", "GET", HELLO).status_code == 404
    assert call("bob", "DELETE", HELLO).status_code == 404
    assert call("ann", "PATCH", HELLO, name="hi").json["name"] == "hi"
    assert call("ann", "DELETE", f"{V1}/repos/ann/hi").status_code == 204
    assert call("ann", "GET", f"{V1}/repos/ann/hi").status_code == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "../x"}, {"name": "a", "visibility": "all"}, {"name": 1},
     {"name": "a", "description": "a\nb"}, {"name": "a", "owner": "bob"}],
)  # fmt: skip
def test_bad_repositories_are_refused(call: Call, body: dict[str, object]) -> None:
    assert call("ann", "POST", f"{V1}/repos", **body).status_code == 422


def test_search(call: Call, hello: str) -> None:
    call("bob", "POST", f"{V1}/repos", name="secret", visibility="private")
    found = call("ann", "GET", f"{V1}/repos?q=HELL&language=Python&order=stars&per_page=1").json
    assert ([one["name"] for one in found["repositories"]], found["total"]) == (["hello"], 1)
    assert call("ann", "GET", f"{V1}/repos?owner=bob").json["total"] == 0
    for bad in ("order=x", "page=x", "page=-1", "per_page=99999999999"):
        assert call("ann", "GET", f"{V1}/repos?{bad}").status_code == 422


def test_stars_and_collaborators(call: Call, hello: str) -> None:
    assert call("bob", "PUT", f"{HELLO}/star").status_code == 204
    assert call("ann", "GET", HELLO).json["stars"] == 1
    assert call("bob", "DELETE", f"{HELLO}/star").status_code == 204
    assert call("ann", "GET", HELLO).json["stars"] == 0
    assert call("bob", "PUT", f"{HELLO}/collaborators/bob", level="admin").status_code == 403
    given = call("ann", "PUT", f"{HELLO}/collaborators/bob", level="write")
    assert given.json == {"username": "bob", "level": "write"}
    assert call("bob", "GET", HELLO).json["level"] == "write"
    assert call("bob", "GET", f"{HELLO}/collaborators").json["collaborators"] == [given.json]
    assert call("ann", "PUT", f"{HELLO}/collaborators/nobody", level="read").status_code == 404
    assert call("ann", "PUT", f"{HELLO}/collaborators/bob", level="owner").status_code == 422
    assert call("bob", "DELETE", f"{HELLO}/collaborators/bob").status_code == 204
    assert call("bob", "GET", f"{HELLO}/collaborators").status_code == 403


def test_what_is_in_it(call: Call, hello: str) -> None:
    def get(rest: str) -> dict[str, object]:
        answer = call("bob", "GET", f"{HELLO}/{rest}")
        assert answer.status_code == 200, answer.text
        return answer.json

    assert [one["name"] for one in get("branches")["refs"]] == ["main"]
    assert get("tags") == {"refs": []}
    assert [one["name"] for one in get("tree?revision=main")["entries"]] == [
        "README.md", "main.py"
    ]  # fmt: skip
    assert [one["id"] for one in get("commits?path=main.py&count=5")["commits"]] == [hello]
    whole = get(f"commits/{hello[:10]}")
    assert (whole["commit"]["id"], len(whole["diff"]["files"])) == (hello, 2)
    assert get("blame?path=main.py")["blamed"][0]["lines"] == ["x = 1"]
    assert get(f"compare?base=main&head={hello}")["ahead"] == 0
    assert get("facts")["contributors"] == [["Ann", 1]]


def test_files_are_downloads_and_never_pages(
    call: Call, hello: str, pushed: Callable[..., str]
) -> None:
    pushed("ann", "hello", index_html="<script>alert(1)</script>")
    answer = call("bob", "GET", f"{HELLO}/raw?path=index.html")
    assert answer.data == b"<script>alert(1)</script>"
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    packed = call("bob", "GET", f"{HELLO}/archive")
    names = members(packed)
    assert any(name.endswith("/index.html") for name in names)
    assert call("bob", "GET", f"{HELLO}/archive?format=zip").data[:2] == b"PK"


@pytest.mark.parametrize(
    ("rest", "status"),
    [("tree?revision=nope", 404), ("tree?revision=--all", 404), ("tree?path=nope", 404),
     ("tree?path=../..", 422), ("raw?path=", 404), ("raw?path=nope", 404),
     ("archive?format=exe", 422), ("blame", 422), ("commits?count=x", 422),
     ("commits/main~1", 404), ("compare?base=main", 404), ("proposals/7", 404),
     ("proposals?stage=x", 422)],
)  # fmt: skip
def test_what_is_not_there_is_not_found(call: Call, hello: str, rest: str, status: int) -> None:
    assert call("bob", "GET", f"{HELLO}/{rest}").status_code == status


def test_an_empty_repository_is_no_error(call: Call) -> None:
    call("ann", "POST", f"{V1}/repos", name="hello")
    assert call("bob", "GET", f"{HELLO}/branches").json == {"refs": []}
    assert call("bob", "GET", f"{HELLO}/facts").json["commits"] == 0
    assert call("bob", "GET", f"{HELLO}/tree").status_code == 404


def test_a_proposal_from_the_offer_to_the_merge(call: Call, offered: str) -> None:
    one = f"{HELLO}/proposals/1"
    assert [p["title"] for p in call("ann", "GET", f"{HELLO}/proposals").json["proposals"]] == [
        "Greet all"
    ]
    view = call("ann", "GET", one).json
    assert (view["conflicts"], view["gone"], len(view["commits"])) == ([], False, 1)
    assert view["diff"]["files"][0]["path"] == "README.md"
    spot = {"path": "README.md", "side": "new", "line": 1, "commit": offered}
    said = call("ann", "POST", f"{one}/comments", text="Nice", **spot)
    assert (said.status_code, said.json["line"]) == (201, 1)
    assert call("ann", "POST", f"{one}/comments", text="x", line=1).status_code == 422
    assert call("bob", "DELETE", f"{one}/comments/{said.json['id']}").status_code == 403
    told = call("bob", "GET", f"{one}/comments?page=1").json
    assert ([c["text"] for c in told["comments"]], told["total"]) == (["Nice"], 1)
    assert call("bob", "PATCH", one, title="Greet everyone").json["title"] == "Greet everyone"
    assert call("bob", "PATCH", one, stage="closed").json["stage"] == "closed"
    assert call("bob", "PATCH", one, stage="open").json["stage"] == "open"
    assert call("bob", "POST", f"{one}/merge").status_code == 403
    assert call("ann", "POST", f"{one}/merge", method="octopus").status_code == 422
    merged = call("ann", "POST", f"{one}/merge", method="merge").json
    assert (merged["stage"], merged["merged_by"], merged["head"]) == ("merged", "ann", offered)
    assert call("ann", "POST", f"{one}/merge").status_code == 409
    log = call("ann", "GET", f"{HELLO}/commits").json["commits"]
    assert log[0]["parents"][1] == offered
    assert call("ann", "GET", f"{HELLO}/proposals?stage=merged").json["total"] == 1


def test_a_source_that_is_hidden_is_not_named(call: Call, offered: str) -> None:
    assert call("bob", "PATCH", f"{V1}/repos/bob/hello", visibility="private").status_code == 200
    seen = call("ann", "GET", f"{HELLO}/proposals/1").json
    assert (seen["proposal"]["source"], len(seen["commits"])) == (None, 1)
    assert call("bob", "GET", f"{HELLO}/proposals/1").json["proposal"]["source"] == "bob/hello"


def test_activity_and_people(call: Call, offered: str) -> None:
    told = call("bob", "GET", f"{V1}/activity").json["activity"]
    assert [one["deed"] for one in told] == ["propose", "push", "fork", "push", "create"]
    newest = told[0]["id"]
    assert call("bob", "GET", f"{V1}/activity?after={newest}").json == {"activity": []}
    assert len(call("bob", "GET", f"{V1}/activity?before={newest}&count=2").json["activity"]) == 2
    people = call("ann", "GET", f"{V1}/people").json["people"]
    assert {one["username"] for one in people if one["online"]} == {"ann", "bob"}
    assert call("bob", "PUT", f"{V1}/presence", shown=False).status_code == 204
    assert call("ann", "GET", f"{V1}/people/bob").json["online"] is None
    assert len(call("ann", "GET", f"{V1}/people?online=1").json["people"]) == 1
    assert call("ann", "GET", f"{V1}/people/nobody").status_code == 404


def test_all_of_ones_repositories_can_be_taken_away(call: Call, hello: str) -> None:
    answer = call("ann", "GET", f"{V1}/repos/export")
    assert (answer.status_code, answer.mimetype) == (200, "application/x-tar")
    names = members(answer)
    assert names == ["repositories/hello.bundle"]
    empty = call("bob", "GET", f"{V1}/repos/export")
    assert members(empty) == []


def test_nothing_of_a_private_repository_is_there(call: Call, offered: str) -> None:
    call("ann", "PATCH", HELLO, visibility="private")
    get = ["", "/branches", "/tags", "/facts", "/tree", "/raw?path=README.md", "/archive",
           "/commits", "/commits/main", "/compare?base=main&head=main", "/blame?path=README.md",
           "/collaborators", "/proposals", "/proposals/1", "/proposals/1/comments"]  # fmt: skip
    for rest in get:
        assert call("bob", "GET", HELLO + rest).status_code == 404, rest
    for method, rest, body in (
        ("POST", "/fork", {"name": "x"}), ("PUT", "/star", {}), ("DELETE", "/star", {}),
        ("PUT", "/collaborators/bob", {"level": "admin"}), ("DELETE", "/collaborators/ann", {}),
        ("POST", "/proposals", {"source_branch": "fix", "title": "x"}),
        ("PATCH", "/proposals/1", {"title": "x"}), ("POST", "/proposals/1/merge", {}),
        ("POST", "/proposals/1/comments", {"text": "x"}),
        ("DELETE", "/proposals/1/comments/1", {}), ("PATCH", "", {"name": "x"}),
    ):  # fmt: skip
        assert call("bob", method, HELLO + rest, **body).status_code == 404, (method, rest)
