"""Files over the API, of a workspace that runs and of one that does not."""

import io
import json
import socket
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from urllib.parse import quote, urlencode

import pytest
from docker import APIClient

from tests.end_to_end.box import FILES, Box, slug
from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine

LARGE = (9 << 20) + 5


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[Person]:
    person = Person(server)
    person.open()
    yield person
    person.leave()


@pytest.fixture(params=["workspace", "rescue"])
def box(request: pytest.FixtureRequest, owner: Person) -> Box:
    """The same files in either place, empty at first."""
    if request.param == "workspace":
        owner.open()
    else:
        owner.ok("POST", "/api/v1/workspaces/main/stop")
    made = Box(owner)
    for name in made.names() - {".bashrc", ".profile"}:
        status, _ = made.content("DELETE", name)
        if status == 409:
            made.ask("DELETE", f"{FILES}/content?path={quote(name)}&recursive=1")
    assert made.names() <= {".bashrc", ".profile"}
    made.ask("GET", FILES)
    assert made.headers["x-rootblood-place"] == request.param
    return made


def test_a_file_is_written_read_and_deleted(box: Box, owner: Person) -> None:
    assert box.content("PUT", "a file", b"hello")[0] == 201
    first = box.headers["etag"]
    assert box.content("GET", f"/home/{owner.username}/a file") == (200, b"hello")
    assert box.headers["etag"] == first
    assert box.content("PUT", "a file", b"other", If_Match='"wrong"')[0] == 412
    assert box.headers["etag"] == first
    assert box.content("PUT", "a file", b"other", If_None_Match="*")[0] == 412
    status, body = box.content("PUT", "a file", b"other", If_Match=f'{first}, "x"')
    entry = json.loads(body)
    assert (status, entry["name"], entry["size"], entry["mode"]) == (200, "a file", 5, 0o644)
    assert box.content("GET", "a file", If_None_Match=box.headers["etag"]) == (304, b"")
    assert box.content("DELETE", "a file") == (204, b"")
    status, body = box.content("GET", "a file")
    assert (status, slug(body)) == (404, "not-found")


@pytest.mark.parametrize("size", [5, LARGE])
def test_parts_of_a_file(box: Box, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    assert box.content("PUT", "file", data[:size])[0] == 201
    etag = box.headers["etag"]
    assert box.content("GET", "file") == (200, data[:size])
    assert box.content("GET", "file", Range="bytes=1-3") == (206, data[1:4])
    assert box.headers["content-range"] == f"bytes 1-3/{size}"
    assert box.content("GET", "file", Range="bytes=-2") == (206, data[:size][-2:])
    assert box.content("GET", "file", Range=f"bytes={size - 1}-") == (206, data[:size][-1:])
    assert box.content("GET", "file", Range="bytes=2-2", If_Range=etag) == (206, data[2:3])
    assert box.content("GET", "file", Range="bytes=2-2", If_Range='"x"') == (200, data[:size])
    assert box.content("GET", "file", Range=f"bytes={size}-")[0] == 416
    assert box.headers["content-range"] == f"bytes */{size}"


def test_what_people_keep_is_never_shown_as_a_page(box: Box) -> None:
    page = "<script>alert(1)</script>"
    box.content("PUT", "page.html", page.encode())
    for method in ("GET", "HEAD"):
        assert box.content(method, "page.html") == (200, page.encode() if method == "GET" else b"")
        assert box.headers["content-type"] == "application/octet-stream"
        assert box.headers["content-disposition"] == "attachment; filename*=UTF-8''page.html"
        assert box.headers["x-content-type-options"] == "nosniff"
        assert box.headers["content-security-policy"] == "sandbox"
        assert box.headers["content-length"] == str(len(page))


def test_connections_stay_usable_after_every_kind_of_answer(server: Server, owner: Person) -> None:
    owner.open()
    path = f"{FILES}/content?path=kept"
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        for method, body, header, status in (
            ("PUT", b"x" * 300_000, {}, 201),
            ("HEAD", None, {}, 200),
            ("GET", None, {"Range": "bytes=0-0"}, 206),
            ("GET", None, {"Range": "bytes=999999-"}, 416),
            ("GET", None, {"If-None-Match": "*"}, 304),
            ("PUT", b"y" * 300_000, {"If-Match": '"wrong"'}, 412),
            ("PUT", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 422),
            ("DELETE", None, {}, 204),
            ("GET", None, {}, 404),
        ):
            connection.request(method, path, body, owner.header | header)
            response = connection.getresponse()
            response.read()
            assert response.status == status, (method, header)


def test_names_that_no_text_can_have(box: Box, owner: Person, docker_client: APIClient) -> None:
    if owner.state() == "running":
        script = "import os; open(os.path.expanduser('~').encode() + b'/latin-\\xe9', 'w')"
        execute(docker_client, owner.container(), "python3", "-c", script)
        assert "latin-\U0010ffe9" in box.names()
        assert box.content("DELETE", "latin-\U0010ffe9")[0] == 204
    for name in ("two\nlines", "bell\x07", "latin-\U0010ffe9", "-rf", "grüße-日本-🦀"):
        assert box.content("PUT", name, name.encode())[0] == 201
        assert name in box.names()
        assert box.content("GET", name) == (200, name.encode())
        assert "\n" not in box.headers["content-disposition"]


@pytest.mark.parametrize(
    "path", ["../x", "a/../b", "a//b", ".", "x" * 256, "nul\0", "\ufffd" * 300]
)
def test_what_is_no_path_is_refused(box: Box, path: str) -> None:
    query = urlencode({"path": path})
    for method, where in (("GET", FILES), ("GET", f"{FILES}/content"), ("PUT", f"{FILES}/content"),
                          ("DELETE", f"{FILES}/content"), ("GET", f"{FILES}/archive")):  # fmt: skip
        status, body = box.ask(method, f"{where}?{query}", b"x" if method == "PUT" else b"")
        assert (status, slug(body)) == (422, "bad-input"), (method, where)
    for what in ("mkdir", "move", "copy"):
        body = {"path": path} if what == "mkdir" else {"from": path, "to": "x"}
        assert box.post(what, **body).status == 422


def test_folders_are_made_moved_copied_and_deleted(box: Box) -> None:
    assert box.post("mkdir", path="a/b", parents=True).status == 201
    assert box.post("mkdir", path="a/b").slug == "already-exists"
    box.content("PUT", "a/b/file", b"x")
    assert box.post("move", **{"from": "a", "to": "moved"}).body["name"] == "moved"
    assert box.post("copy", **{"from": "moved", "to": "copied"}).body["type"] == "folder"
    assert box.post("copy", **{"from": "moved", "to": "copied"}).slug == "already-exists"
    assert box.post("move", **{"from": "", "to": "x"}).status == 422
    assert box.names("copied/b") == {"file"}
    status, body = box.content("DELETE", "moved")
    assert (status, slug(body)) == (409, "conflict")
    assert box.ask("DELETE", f"{FILES}/content?path=moved&recursive=1")[0] == 204
    assert box.ask("DELETE", f"{FILES}/content?path=&recursive=1")[0] == 422
    assert "moved" not in box.names()


def test_archives_have_what_was_asked_for(box: Box) -> None:
    for path in ("tree/one", "tree/deep/two", "three"):
        box.post("mkdir", path=path.rpartition("/")[0] or "tree", parents=True)
        box.content("PUT", path, path.encode())
    status, body = box.ask("GET", f"{FILES}/archive?path=tree&path=three")
    assert status == 200
    assert box.headers["content-disposition"].endswith("''main.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert {"./tree/one", "./tree/deep/two", "./three"} <= set(archive.getnames())
    status, body = box.ask("GET", f"{FILES}/archive?path=tree&format=zip")
    assert box.headers["content-disposition"].endswith("''tree.zip")
    assert zipfile.ZipFile(io.BytesIO(body)).read("tree/deep/two") == b"tree/deep/two"
    for query, status in (("path=absent", 404), ("path=tree&format=rar", 422)):
        assert box.ask("GET", f"{FILES}/archive?{query}")[0] == status


def test_uploads_of_unknown_length(box: Box) -> None:
    pieces = [b"x" * 70_000] * 40
    assert box.content("PUT", "chunked", iter(pieces))[0] == 201
    assert box.content("GET", "chunked") == (200, b"".join(pieces))


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_that_is_cut_off_changes_nothing(
    server: Server, box: Box, owner: Person, chunked: bool
) -> None:
    box.content("PUT", "file", b"before")
    with half_sent(server, box, owner, chunked=chunked):
        pass
    until(lambda: not any(name.startswith(".rootblood-") for name in box.names()), "it is gone")
    assert box.content("GET", "file") == (200, b"before")


def test_a_server_that_is_killed_during_an_upload_changes_nothing(
    server: Server, box: Box, owner: Person
) -> None:
    box.content("PUT", "file", b"before")
    with half_sent(server, box, owner):
        server.kill()
    server.start()
    assert box.content("GET", "file") == (200, b"before")
    assert box.content("PUT", "file", b"after")[0] == 200
    assert box.content("GET", "file") == (200, b"after")


@contextmanager
def half_sent(server: Server, box: Box, owner: Person, *, chunked: bool = False) -> Iterator[None]:
    """Be in the middle of an upload to ``file``, and hang up."""
    how = "Transfer-Encoding: chunked" if chunked else "Content-Length: 5000000"
    token = owner.header["Authorization"]
    head = (f"PUT {FILES}/content?path=file HTTP/1.1\r\nHost: {server.host}\r\n"
            f"Authorization: {token}\r\n{how}\r\n\r\n")  # fmt: skip
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        body = b"x" * 2_000_000
        connection.sendall(head.encode() + (b"1e8480\r\n%s\r\n" % body if chunked else body))
        until(lambda: any(name.startswith(".rootblood-") for name in box.names()), "it is written")
        yield


def test_a_browser_writes_large_files_too(server: Server, owner: Person) -> None:
    owner.open()
    visit = Box(owner.visit())
    data = b"x" * 2_000_000
    status, body = visit.content("PUT", "large", data)
    assert (status, slug(body)) == (400, "bad-csrf-token")
    token = visit.caller._csrf("/account")  # type: ignore[attr-defined]
    assert visit.content("PUT", "large", data, X_CSRFToken=token)[0] == 201
    assert visit.content("GET", "large") == (200, data)
    for form in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        status, body = visit.content(
            "PUT", "large", b"--x--\r\n", X_CSRFToken=token, Content_Type=form
        )
        assert (status, slug(body)) == (422, "bad-input")
    assert visit.content("GET", "large") == (200, data)
