"""The pages of the commons, empty and full, for everybody who may see them and nobody else."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from models import Level, User, Visibility, utcnow
from orchestrator.commons import collaborators, finding, history
from tests.visitor import Visitor
from tests.web import written
from tests.web.test_pages import shown
from tests.wire import wait_for
from web import ROOT

HELLO = "/global/ann/hello"


def test_every_page_of_a_repository_is_whole(bob: Visitor, hello: str) -> None:
    commit = re.search(r'/commit/([0-9a-f]{40})"', shown(bob, f"{HELLO}/commits/main"))[1]
    for path in (
        "/", "/tree/main", "/tree/main/src", "/tree/feature/x/docs", "/tree/v1",
        "/blob/main/README.md", "/blob/main/README.md?plain", "/blob/main/src/a.py",
        "/blame/main/src/a.py", "/commits/main", "/commits/main/src", "/commits/main?page=9",
        f"/commit/{commit}",
        "/compare/main...feature/x", "/compare/v1...main", "/branches", "/tags", "/proposals/",
        "/proposals/?stage=merged", "/proposals/new", "/forks", f"/tree/{commit}",
    ):  # fmt: skip
        assert "hello" in shown(bob, f"{HELLO}{path}")


def test_the_front_page_shows_files_readme_and_how_to_clone(bob: Visitor, hello: str) -> None:
    page = shown(bob, f"{HELLO}/")
    assert f'href="{HELLO}/tree/main/src"' in page
    assert '<h1 id="readme-hello">Hello</h1>' in page
    assert f'href="{HELLO}/blob/main/docs/guide.md"' in page
    assert "git clone /global/ann/hello" in page
    assert "git clone http://localhost/git/ann/hello.git" in page
    assert f"{HELLO}/settings" not in page


def test_files_are_coloured_and_numbered(bob: Visitor, hello: str) -> None:
    page = shown(bob, f"{HELLO}/blob/main/src/a.py")
    assert '<tr id="L2">' in page
    assert '<span class="k">return</span>' in page


def test_folders_and_files_find_each_other(bob: Visitor, hello: str) -> None:
    assert bob.get(f"{HELLO}/blob/main/src").location == f"{HELLO}/tree/main/src"
    assert bob.get(f"{HELLO}/tree/main/src/a.py").location == f"{HELLO}/blob/main/src/a.py"


def test_commits_show_what_changed(bob: Visitor, hello: str) -> None:
    log = shown(bob, f"{HELLO}/commits/main")
    assert log.count('<svg class="lanes"') == 4
    commit = re.search(r'/commit/([0-9a-f]{40})">Return two', log)[1]
    page = shown(bob, f"{HELLO}/commit/{commit}")
    assert 'class="add"' in page
    assert 'class="del"' in page


def test_changes_without_lines_say_what_they_are(app: Flask, bob: Visitor, hello: str) -> None:
    written.commit(app, "ann/hello", {"empty": "", "run.sh": "true\n"}, "Add two")
    written.commit(app, "ann/hello", {"run.sh": "true\n"}, "Let it run", mode="100755")
    written.commit(app, "ann/hello", {"run.sh": None, "start.sh": "true\n"}, mode="100755")
    log = shown(bob, f"{HELLO}/commits/main")
    third, second, first = re.findall(r'class="title"><a href="([^"]+)"', log)[:3]
    assert "An empty file." in shown(bob, first)
    assert "Only its mode changed." in shown(bob, second)
    assert "The same lines under another name." in shown(bob, third)


def test_a_comparison_of_a_branch_with_itself_asks_for_another(bob: Visitor, hello: str) -> None:
    page = shown(bob, f"{HELLO}/compare/main...main")
    assert "Choose two" in page
    assert "0 files changed" not in page


def test_commits_without_a_message_can_still_be_chosen(
    app: Flask, bob: Visitor, hello: str
) -> None:
    written.commit(app, "ann/hello", {"b": "b"}, "")
    for path in ("/", "/commits/main", "/branches", "/compare/v1...main"):
        assert "(no message)" in shown(bob, f"{HELLO}{path}"), path


def test_blame_names_who_wrote_it(bob: Visitor, hello: str) -> None:
    path = f"{HELLO}/blame/feature/x/docs/guide.md"
    wait_for(lambda: "Refresh" not in bob.get(path).headers, "who wrote it")
    assert "Bob," in shown(bob, path)


def test_blame_that_takes_long_comes_later(
    bob: Visitor, hello: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "blame_within", lambda *_: None)
    page = bob.get(f"{HELLO}/blame/main/src/a.py")
    assert page.headers["Refresh"] == "1"
    assert '<span class="k">return</span>' in page.text


def test_archives_come_as_tar_and_zip(bob: Visitor, hello: str) -> None:
    tar = bob.get(f"{HELLO}/archive/feature/x.tar.gz")
    assert tar.data[:2] == b"\x1f\x8b"
    assert (
        tar.headers["Content-Disposition"] == "attachment; filename*=UTF-8''hello-feature-x.tar.gz"
    )
    assert bob.get(f"{HELLO}/archive/v1.zip").data[:2] == b"PK"
    shown(bob, f"{HELLO}/archive/v1.rar", 404)


@pytest.mark.parametrize(
    "path",
    [
        "/tree/nope", "/blob/main/nope", "/blame/main/nope", "/commits/nope", "/commit/nope",
        "/commit/" + "0" * 40, "/compare/main...nope", "/archive/nope.zip", "/raw/main/nope",
        "/raw/main/src", "/proposals/1", "/tree/--help", "/compare/--output=x...main",
        "/tree/main/..%2f..%2fetc", "/blob/main/src/../a.py", "/tree/main:src", "/tree/main@{1}",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(bob: Visitor, hello: str, path: str) -> None:
    answer = bob.get(f"{HELLO}{path}")
    assert answer.status_code in (404, 422), answer.text[:500]
    assert "To the commons" in answer.text


def test_an_empty_repository_says_how_to_push(app: Flask, ann: Visitor, bob: Visitor) -> None:
    ann.get("/global/-/new")
    answer = ann.post("/global/-/new", {"name": "hello", "visibility": "public"})
    assert answer.location == f"{HELLO}/"
    page = shown(ann, f"{HELLO}/")
    assert "git push -u origin HEAD:main" in page
    assert "at the speed of the disk" not in page.partition("from anywhere else")[2]
    assert "git push -u origin" not in shown(bob, f"{HELLO}/")


def test_a_new_repository_can_begin_with_a_readme(
    ann: Visitor, bearer: Callable[[str], dict[str, str]]
) -> None:
    ann.get("/global/-/new")
    answer = ann.post("/global/-/new", {"name": "hello", "visibility": "public", "readme": "on"})
    assert answer.location == f"{HELLO}/"
    assert '<h1 id="readme-hello">hello</h1>' in shown(ann, f"{HELLO}/")
    body = {"name": "other", "readme": True}
    assert ann.client.post("/api/v1/repos", json=body, headers=bearer("ann")).status_code == 201
    assert '<h1 id="readme-other">other</h1>' in shown(ann, "/global/ann/other/")


@pytest.mark.parametrize("name", ["", "..", "a b", "x.git", "a" * 65, "-x"])
def test_bad_names_are_refused_in_words(ann: Visitor, name: str) -> None:
    ann.get("/global/-/new")
    answer = ann.post("/global/-/new", {"name": name})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


def test_strangers_are_sent_to_sign_in(app: Flask, ann: Visitor, hello: str) -> None:
    stranger = Visitor(app, "", "")
    for path in ("/global", "/global/ann/", f"{HELLO}/", f"{HELLO}/raw/main/README.md"):
        answer = stranger.get(path)
        assert (answer.status_code, answer.location[:7]) == (303, "/login?")


def test_private_repositories_are_as_absent_ones(
    app: Flask, ann: Visitor, bob: Visitor, carl: Visitor
) -> None:
    written.repository(app, "ann", "secret", visibility=Visibility.PRIVATE, description="hushhush")
    written.commit(app, "ann/secret", {"a": "hushhush"})
    with app.app_context():
        owner, guest = (User.query.filter_by(username=name).one() for name in ("ann", "bob"))
        row = finding.named("ann", "secret")
        collaborators.put(owner, utcnow(), row, guest.username, Level.READ)
    assert "hushhush" in shown(bob, "/global/ann/secret/blob/main/a")
    absent = shown(carl, "/global/ann/absent/", 404).replace("absent", "secret")
    strip = re.compile(r'name="csrf-token" content="[^"]*"|value="[\w.-]+"')
    assert strip.sub("", shown(carl, "/global/ann/secret/", 404)) == strip.sub("", absent)
    for path in ("/global", "/global/ann/", "/global?q=secret", "/global/-/feed"):
        assert "secret/" not in carl.get(path).text
    for path in ("star", "fork", "open", "settings/archive", "delete", "proposals/"):
        assert carl.post(f"/global/ann/secret/{path}").status_code == 404
    assert "git clone /global" not in shown(ann, "/global/ann/secret/")


def test_only_administrators_of_it_change_it(app: Flask, bob: Visitor, hello: str) -> None:
    shown(bob, f"{HELLO}/settings", 403)
    for path in ("settings/archive", "settings/about", "collaborators", "delete"):
        assert bob.post(f"{HELLO}/{path}", {"typed": hello}).status_code == 403


def test_forms_need_their_token(ann: Visitor, hello: str) -> None:
    ann.get(f"{HELLO}/")
    ann.csrf = "wrong"
    for path in ("star", "fork", "open", "settings/archive", "delete"):
        assert ann.post(f"{HELLO}/{path}").status_code == 400


def test_settings_are_changed_one_by_one(app: Flask, ann: Visitor, hello: str) -> None:
    shown(ann, f"{HELLO}/settings")
    ann.post(
        f"{HELLO}/settings/about", {"description": "Says hello", "default_branch": "feature/x"}
    )
    page = shown(ann, f"{HELLO}/settings")
    assert 'value="Says hello"' in page
    assert "<option selected>feature/x" in page
    for step, chip in (
        ("archive", "archived"),
        ("unarchive", ""),
        ("unprotect", ""),
        ("protect", ""),
    ):
        assert ann.post(f"{HELLO}/settings/{step}").status_code == 303
        assert (chip or "public") in shown(ann, f"{HELLO}/")
    assert ann.post(f"{HELLO}/settings/nonsense").status_code == 422


def test_hiding_and_renaming_keep_the_files(ann: Visitor, bob: Visitor, hello: str) -> None:
    shown(ann, f"{HELLO}/settings")
    ann.post(f"{HELLO}/settings/hide")
    shown(bob, f"{HELLO}/", 404)
    assert "Begin" in shown(ann, f"{HELLO}/commits/main")
    ann.post(f"{HELLO}/settings/publish")
    assert (
        ann.post(f"{HELLO}/settings/rename", {"name": "hi"}).location == "/global/ann/hi/settings"
    )
    assert "Begin" in shown(bob, "/global/ann/hi/commits/main")
    assert (
        "valid repository name" in ann.post("/global/ann/hi/settings/rename", {"name": "a/b"}).text
    )


def test_a_repository_is_deleted_when_its_name_is_typed(ann: Visitor, hello: str) -> None:
    shown(ann, f"{HELLO}/settings")
    assert ann.post(f"{HELLO}/delete", {"typed": "hello"}).status_code == 422
    assert ann.post(f"{HELLO}/delete", {"typed": hello}).status_code == 303
    shown(ann, f"{HELLO}/", 404)


def test_collaborators_come_and_go(ann: Visitor, bob: Visitor, hello: str) -> None:
    shown(ann, f"{HELLO}/settings")
    assert (
        ann.post(f"{HELLO}/collaborators", {"username": "nobody", "level": "write"}).status_code
        >= 400
    )
    assert (
        ann.post(f"{HELLO}/collaborators", {"username": "bob", "level": "king"}).status_code == 422
    )
    ann.post(f"{HELLO}/collaborators", {"username": "bob", "level": "write"})
    assert "/collaborators/bob/delete" in shown(ann, f"{HELLO}/settings")
    ann.post(f"{HELLO}/collaborators/bob/delete")
    assert "/collaborators/bob/delete" not in shown(ann, f"{HELLO}/settings")


def test_stars_and_forks_are_one_click(bob: Visitor, hello: str) -> None:
    shown(bob, f"{HELLO}/")
    bob.post(f"{HELLO}/star")
    assert 'aria-pressed="true"' in shown(bob, f"{HELLO}/")
    bob.post(f"{HELLO}/star")
    assert 'aria-pressed="false"' in shown(bob, f"{HELLO}/")
    for _ in range(2):  # the second click only goes there
        assert bob.post(f"{HELLO}/fork").location == "/global/bob/hello/"
    page = shown(bob, "/global/bob/hello/")
    assert "Forked from" in page
    assert "bob/hello" in shown(bob, f"{HELLO}/forks").replace(" / </span>", "/").replace(
        "/</span>", "/"
    )


def test_search_feed_and_people(ann: Visitor, bob: Visitor, hello: str) -> None:
    assert "hello" in shown(bob, "/global?q=hel+ann&sort=stars")
    assert "Nothing found" in shown(bob, "/global?q=%00%27--&language=C")
    shown(bob, "/global?page=99999999")
    assert shown(bob, "/global?page=x", 422)
    shown(bob, f"{HELLO}/")
    bob.post(f"{HELLO}/star")
    feed = bob.get("/global/-/feed?after=0").text
    assert "starred" in feed
    newest = re.search(r'data-id="(\d+)"', feed)[1]
    assert "data-id" not in bob.get(f"/global/-/feed?after={newest}").text
    assert 'href="/global/bob/"' in shown(ann, "/global")
    bob.post("/global/-/presence", {"seen": "no"})
    here = shown(ann, "/global").partition("Here now")[2]
    assert 'href="/global/bob/"' not in here
    assert "here now" not in shown(ann, "/global/bob/")
    shown(ann, "/global/nobody/", 404)


def test_every_template_of_the_commons_is_rendered(
    ann: Visitor, bob: Visitor, hello: str, rendered: set[str]
) -> None:
    written.commit(ann.app, hello, {"README.md": "Hi"}, branch="side", begin="refs/heads/main^0")
    ann.get("/global/-/new")
    ann.post("/global/-/new", {"name": "empty"})
    form = {"source": "ann/hello:side", "target": "main", "title": "Side"}
    offered = ann.post(f"{HELLO}/proposals/", form).location
    for path in (
        "/global", "/global/ann/", "/global/ann/-/share/", "/global/-/new", "/global/ann/empty/",
        offered,
        *(HELLO + part for part in (
            "/", "/blob/main/src/a.py", "/blame/main/src/a.py", "/commits/main", "/commit/main",
            "/compare/main...side", "/tags", "/proposals/", "/proposals/new", "/settings", "/forks",
        )),
    ):  # fmt: skip
        shown(ann, path)
    bob.get("/global/-/feed")
    files = {f"commons/{path.name}" for path in (ROOT / "templates/commons").glob("*.html")}
    parts = {"commons/_pieces.html", "commons/_repository.html", "commons/_clone.html",
             "commons/_diff.html", "commons/_share.html"}  # fmt: skip
    assert files - parts == {name for name in rendered if name.startswith("commons/")}
