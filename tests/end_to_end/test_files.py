"""Files over the API, of a workspace that runs and of one that does not."""

import io
import json
import socket
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from docker import APIClient

from tests.end_to_end.person import Answer, Caller, Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine

FILES = "/api/v1/workspaces/main/files"
LARGE = (9 << 20) + 5
ALLOWANCE_BYTES = 64 << 20


class Box:
    """One person's files, as a program uses them."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.headers: dict[str, str] = {}

    def ask(self, method: str, path: str, body: Any = b"", **header: str) -> tuple[int, bytes]:
        sent = {name.replace("_", "-"): value for name, value in header.items()}
        with self.caller.asking(method, path, body, sent) as response:
            self.headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, response.read()

    def content(self, method: str, path: str, body: Any = b"", **header: str) -> tuple[int, bytes]:
        return self.ask(method, f"{FILES}/content?path={quote(path)}", body, **header)

    def names(self, path: str = "") -> set[str]:
        found = self.caller.ok("GET", f"{FILES}?path={quote(path)}")
        return {one["name"] for one in found["entries"]}

    def post(self, what: str, **body: object) -> Answer:
        return self.caller.call("POST", f"{FILES}/{what}", body)


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


def slug(body: bytes) -> str:
    return str(json.loads(body)["slug"])


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


@pytest.mark.slow
def test_saving_keeps_a_workspace_awake(
    make_server: Callable[..., Server], people: Callable[..., Person]
) -> None:
    """What is only looked at does not."""
    server = make_server(idle_seconds=4, collector_seconds=1).start()
    people(server, "boss")
    saver, looker = people(server), people(server)
    for person in (saver, looker):
        person.open()

    def looked_long_enough() -> bool:
        assert Box(saver).content("PUT", "file", b"x")[0] in (200, 201)
        if looker.state() == "running":
            Box(looker).names()
        return looker.state() == "stopped"

    until(looked_long_enough, "who only looks is idle", every=0.5)
    assert saver.state() == "running"


@pytest.fixture(scope="module")
def vaults(make_server: Callable[..., Server]) -> Server:
    server = make_server(
        storage="vault", allowance_disk_bytes=ALLOWANCE_BYTES, reserve_bytes=1 << 20
    ).start()
    Person(server, "boss")
    return server


@pytest.mark.slow
@pytest.mark.parametrize("place", ["workspace", "rescue"])
def test_who_is_over_quota_gets_in_to_delete(
    vaults: Server, people: Callable[..., Person], place: str
) -> None:
    person = people(vaults)
    person.open()
    box = Box(person)
    assert box.content("PUT", "small", b"small")[0] == 201
    with_room = box.names()
    if place == "rescue":
        person.ok("POST", "/api/v1/workspaces/main/stop")
    status, body = box.content("PUT", "huge", iter([b"x" * (1 << 20)] * 80))
    assert (status, slug(body)) == (409, "allowance-reached")
    assert box.names() == with_room, "nothing is left of it"
    for number in range(40):
        if box.content("PUT", f"fill{number}", b"x" * (4 << 20))[0] != 201:
            break
    status, body = box.content("PUT", "small", b"y" * (5 << 20))
    assert (status, slug(body)) == (409, "allowance-reached")
    assert box.content("GET", "small") == (200, b"small")
    assert box.headers["x-rootblood-place"] == place
    for number in range(3):
        assert box.content("DELETE", f"fill{number}")[0] == 204
    assert box.content("PUT", "small", b"y" * (5 << 20))[0] == 200


@pytest.mark.slow
def test_a_locked_home_stays_locked(vaults: Server, people: Callable[..., Person]) -> None:
    person = people(vaults)
    person.open()
    box = Box(person)
    assert box.content("PUT", "file", b"x")[0] == 201
    person.ok("POST", "/api/v1/workspaces/main/stop")
    person.ok("POST", "/api/v1/home/lock")
    assert box.content("GET", "file") == (200, b"x"), "the token has the key"
    stranger = people(vaults)
    status, body = Box(stranger).content("GET", "file")
    assert (status, slug(body)) == (404, "not-found")


@pytest.mark.slow
def test_one_persons_slow_downloads_take_their_own_turns(
    server: Server, owner: Person, people: Callable[..., Person]
) -> None:
    """Each holds a small file in memory for as long as it lasts."""
    owner.open()
    other = people(server)
    other.open()
    assert Box(owner).content("PUT", "eight", b"x" * (8 << 20))[0] in (200, 201)
    head = (f"GET {FILES}/content?path=eight HTTP/1.1\r\nHost: {server.host}\r\n"
            f"Authorization: {owner.header['Authorization']}\r\n\r\n")  # fmt: skip
    with ExitStack() as downloads:
        for _ in range(16):
            one = downloads.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", server.port))
            one.sendall(head.encode())
            assert one.recv(12) == b"HTTP/1.1 200"
        for path in (FILES, f"{FILES}/names", "/api/v1/workspaces/main/git"):
            assert owner.call("GET", path).slug == "too-many-requests"
            assert other.call("GET", path).status == 200
    assert owner.call("GET", FILES).status == 200
