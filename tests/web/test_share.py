"""Shared files on pages and in the API: who puts them there, how others get them."""

import io
import tarfile

import pytest
from sqlalchemy import update

from models import Standing, User, db, writing
from tests.visitor import Visitor

HTML = b"<script>alert(1)</script>"


def put(person: Visitor, path: str, content: bytes = b"x") -> None:
    answer = person.api("PUT", f"/api/v1/share/{path}", data=content)
    assert (answer.status_code, answer.json["size_bytes"]) == (201, len(content)), answer.text


def test_what_one_shares_others_find_on_the_page_and_download(ann: Visitor, bob: Visitor) -> None:
    put(ann, "data/table%20%C3%A9.csv", b"1;2\n")
    put(ann, "readme.txt")
    page = bob.get("/global/ann/").text
    assert '/global/ann/-/share/data/"' in page
    assert '/global/ann/-/share/readme.txt"' in page
    assert "/-/share/delete" not in page
    assert "/-/share/delete" in ann.get("/global/ann/").text
    folder = bob.get("/global/ann/-/share/data/")
    assert "table é.csv" in folder.text
    answer = bob.get("/global/ann/-/share/data/table%20%C3%A9.csv")
    assert answer.data == b"1;2\n"
    assert answer.headers["Content-Length"] == "4"
    listed = bob.api("GET", "/api/v1/people/ann/share").json
    assert [(one["path"], one["type"]) for one in listed["files"]] == [
        ("data", "dir"), ("readme.txt", "file")
    ]  # fmt: skip
    listed = bob.api("GET", "/api/v1/people/ann/share?path=data").json
    assert listed["files"][0]["size_bytes"] == 4
    answer = bob.api("GET", "/api/v1/people/ann/share/content?path=data/table%20%C3%A9.csv")
    assert answer.data == b"1;2\n"


@pytest.mark.parametrize(
    "url", ["/global/ann/-/share/evil.html", "/api/v1/people/ann/share/content?path=evil.html"]
)
def test_nothing_shared_is_ever_a_page_of_this_server(ann: Visitor, bob: Visitor, url: str) -> None:
    put(ann, "evil.html", HTML)
    answer = bob.get(url)
    assert answer.data == HTML
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''evil.html"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert bob.client.head(url).status_code == 405


def test_a_name_is_shown_as_text(ann: Visitor) -> None:
    put(ann, "%3Cscript%3E")
    page = ann.get("/global/ann/").text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page.partition("Shared files")[2].partition("</section>")[0]


def test_only_ones_own_files_can_be_deleted(ann: Visitor, bob: Visitor) -> None:
    put(ann, "a/b")
    bob.get("/global/ann/")
    assert bob.post("/global/-/share/delete", {"path": "a/b"}).status_code == 404
    ann.get("/global/ann/")
    answer = ann.post("/global/-/share/delete", {"path": "a/b"})
    assert (answer.status_code, answer.location) == (303, "/global/ann/-/share/")
    assert "/global/ann/-/share/a" not in ann.get("/global/ann/-/share/").text


@pytest.mark.parametrize("path", ["..%2f..%2fx", "none", "a/", ".x", "a//b", "%00", "a%0ab/"])
def test_what_is_not_there_cannot_be_had(ann: Visitor, path: str) -> None:
    put(ann, "file")
    assert ann.get(f"/global/ann/-/share/{path}").status_code in (404, 422)
    answer = ann.api("GET", f"/api/v1/people/ann/share/content?path={path}")
    assert answer.status_code in (404, 422)


def test_who_is_gone_or_suspended_shows_nothing(ann: Visitor, bob: Visitor) -> None:
    put(bob, "file")
    with ann.app.app_context(), writing():
        db.session.execute(
            update(User).where(User.username == "bob").values(standing=Standing.SUSPENDED)
        )
    for name in ("bob", "nobody", "x%00"):
        for url in (f"/global/{name}/-/share/", f"/global/{name}/-/share/file",
                    f"/api/v1/people/{name}/share",
                    f"/api/v1/people/{name}/share/content?path=file"):  # fmt: skip
            assert ann.get(url).status_code == 404, url


def test_what_is_too_much_is_refused(ann: Visitor) -> None:
    with ann.app.app_context(), writing():
        db.session.execute(update(User).values(max_disk_bytes=1000))
    answer = ann.api("PUT", "/api/v1/share/large", data=b"x" * 1001)
    assert (answer.status_code, answer.json["slug"]) == (409, "allowance-reached")
    put(ann, "small", b"x" * 1000)


def test_a_file_may_be_larger_than_other_bodies(ann: Visitor) -> None:
    put(ann, "large", b"x" * (1 << 20))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = ann.api("PUT", "/api/v1/share/form", data=b"a=" + b"x" * (1 << 20), headers=form)
    assert (answer.status_code, answer.json["slug"]) == (422, "too-long"), "a page elsewhere's"


def test_nothing_is_shared_without_a_token_of_the_page(ann: Visitor) -> None:
    answer = ann.client.put("/api/v1/share/file", data=b"x")
    assert (answer.status_code, answer.json["slug"]) == (400, "bad-csrf-token")


def test_what_is_published_shows_in_the_homes_space(ann: Visitor) -> None:
    put(ann, "file", b"x" * 5000)
    shown = ann.api("GET", "/api/v1/home").json
    assert shown["split"]["published_bytes"] == 5000, "before there is a home"
    assert shown["used_bytes"] == 5000
    assert ann.api("POST", "/api/v1/home/unlock", json={"password": ann.password}).json["split"][
        "published_bytes"
    ] == 5000  # fmt: skip
    put(ann, "more", b"x" * 500)
    shown = ann.api("GET", "/api/v1/home").json
    assert (shown["split"]["published_bytes"], shown["used_bytes"]) == (5500, 5500)
    assert "/api/v1/repos/export" in ann.get("/home").text


def test_what_one_publishes_can_be_taken_away(ann: Visitor, hello: str) -> None:
    put(ann, "data/file", b"kept")
    answer = ann.get("/api/v1/repos/export")
    with tarfile.open(fileobj=io.BytesIO(answer.data)) as tar:
        assert sorted(tar.getnames()) == ["repositories/hello.bundle", "share/data/file"]
        file = tar.extractfile("share/data/file")
        assert file is not None
        assert file.read() == b"kept"
        assert tar.extractfile("repositories/hello.bundle").read(2) == b"# "
