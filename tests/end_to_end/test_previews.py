"""Servers in a real workspace, opened by their owner's token through the real server."""

import hashlib
import io
import json
import socket
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

import pytest
from docker import APIClient

from tests.end_to_end.carrying import flask_packages
from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until
from tests.wire import client_frame, receive, receive_all, receive_head, websocket_request

pytestmark = pytest.mark.engine

APP = Path(__file__).with_name("preview_app.py")
FLASK = """
from flask import Flask, redirect, request, send_file, session
app = Flask(__name__)
app.secret_key = "x"
@app.get("/")
def home():
    session["n"] = session.get("n", 0) + 1
    return f"<h1>{session['n']}</h1>"
@app.get("/away")
def away():
    return redirect("/")
@app.get("/absolute")
def absolute():
    return redirect(f"http://{request.host}/there")
@app.get("/file")
def file():
    return send_file("/bin/bash", conditional=True)
@app.post("/form")
def form():
    return request.form["name"] + str(len(request.files["file"].read()))
"""


class Preview:
    """A port of somebody's workspace, as a program with their token sees it."""

    def __init__(self, person: Person, port: int) -> None:
        self.person = person
        self.port = port
        self.host = f"{port}--main--{person.username}.localhost:{person.server.port}"

    @contextmanager
    def asking(
        self, path: str = "/", method: str = "GET", body: bytes = b"", **fields: str
    ) -> Iterator[HTTPResponse]:
        header = self.person.header | {"Host": self.host} | fields
        with closing(HTTPConnection("127.0.0.1", self.person.server.port, timeout=60)) as asked:
            asked.request(method, path, body or None, header)
            with asked.getresponse() as response:
                yield response

    def get(self, path: str = "/", **fields: str) -> tuple[int, bytes]:
        with self.asking(path, **fields) as response:
            return response.status, response.read()

    def listens(self) -> bool:
        return self.get()[0] != 502


@pytest.fixture(scope="module")
def owner(server: Server, docker_client: APIClient) -> Person:
    """Somebody whose workspace runs, with the app and Flask in their home."""
    person = Person(server)
    person.open()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(APP, "preview_app.py")
        for name, path in flask_packages().items():
            tar.add(path, name)
        text = tarfile.TarInfo("app.py")
        text.size = len(FLASK)
        tar.addfile(text, io.BytesIO(FLASK.encode()))
    execute(docker_client, person.container(), "mkdir", "-p", f"/home/{person.username}/apps")
    assert docker_client.put_archive(
        person.container(), f"/home/{person.username}/apps", packed.getvalue()
    )
    return person


@pytest.fixture
def serve(owner: Person, docker_client: APIClient) -> Iterator[Callable[..., Preview]]:
    """Return ``serve(port, command)``, which runs it in the workspace until the test is over."""
    ports: list[int] = []

    def begin(port: int, command: str) -> Preview:
        ports.append(port)
        script = (
            f"cd ~/apps; echo $$ > /tmp/{port}.pid; exec {command} > /tmp/{port}.log 2>&1"
        )  # fmt: skip
        made = docker_client.exec_create(owner.container(), ["bash", "-c", script])
        docker_client.exec_start(made["Id"], detach=True)
        preview = Preview(owner, port)
        try:
            until(preview.listens, f"port {port} answers")
        except AssertionError as error:
            error.add_note(execute(docker_client, owner.container(), "cat", f"/tmp/{port}.log"))
            raise
        return preview

    yield begin
    for port in ports:
        kill(docker_client, owner, port)


def kill(client: APIClient, owner: Person, port: int) -> None:
    execute(client, owner.container(), "bash", "-c", f"kill -9 $(cat /tmp/{port}.pid)")


@pytest.fixture
def app(serve: Callable[..., Preview]) -> Preview:
    """The app of the standard library."""
    return serve(8001, "python3 preview_app.py 8001")


def test_a_plain_file_server_is_opened(serve: Callable[..., Preview]) -> None:
    preview = serve(8000, "python3 -m http.server 8000")
    status, page = preview.get("/")
    assert (status, b"preview_app.py" in page) == (200, True)
    assert preview.get("/preview_app.py") == (200, APP.read_bytes())
    with preview.asking("/preview_app.py", "HEAD") as response:
        assert (response.status, response.read()) == (200, b"")
        assert response.headers["Content-Length"] == str(APP.stat().st_size)
    assert preview.get("/none")[0] == 404


def test_flask_is_opened(serve: Callable[..., Preview]) -> None:
    preview = serve(5000, "env PYTHONPATH=packages python3 -m flask run")
    with preview.asking() as response:
        assert response.read() == b"<h1>1</h1>"
        cookie = response.headers["Set-Cookie"].partition(";")[0]
    assert preview.get("/", Cookie=cookie)[1] == b"<h1>2</h1>"
    with preview.asking("/away") as response:
        assert (response.status, response.headers["Location"]) == (302, "/")
    with preview.asking("/absolute") as response:
        assert response.headers["Location"] == f"http://{preview.host}/there"
    whole = preview.get("/file")[1]
    with preview.asking("/file", Range="bytes=100-199") as response:
        assert (response.status, response.read()) == (206, whole[100:200])
        assert response.headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
    content = b"\0" * 3_000_000
    form = (
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nada\r\n--x\r\n'
        b'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n%b\r\n--x--\r\n'
    ) % content
    fields = {"Content-Type": "multipart/form-data; boundary=x"}
    with preview.asking("/form", "POST", form, **fields) as response:
        assert (response.status, response.read()) == (200, b"ada3000000")


def test_the_app_sees_localhost_and_nothing_of_ours(app: Preview, owner: Person) -> None:
    cookie = "__Host-rootblood-pass=x; a=b"
    with app.asking("/x?y", Cookie=cookie, Origin=f"http://{app.host}") as response:
        path, *pairs = json.loads(response.read())
        cookies = response.headers.get_all("Set-Cookie")
    seen = {name.lower(): value for name, value in pairs}
    assert (path, seen["host"], seen["cookie"]) == ("/x?y", "localhost:8001", "a=b")
    assert seen["origin"] == "http://localhost:8001"
    assert "authorization" not in seen
    assert owner.header["Authorization"].split()[1] not in json.dumps(pairs)
    assert seen["x-forwarded-host"] == app.host
    assert cookies == ["sid=1"]


def test_chunks_and_events_stream(app: Preview, docker_client: APIClient, owner: Person) -> None:
    body = b"".join(b"%d " % number * 1000 for number in range(100))
    assert app.get("/chunks") == (200, body)
    with app.asking("/events") as response:
        for number in range(3):
            assert response.readline() == b"data: %d\n" % number
            assert response.readline() == b"\n"
            execute(docker_client, owner.container(), "touch", f"/tmp/event-{number}")
        assert response.read() == b""


def test_a_large_upload_arrives_after_a_question(app: Preview, owner: Person) -> None:
    content = hashlib.shake_256(b"large").digest(8 << 20)
    authorization = f"Authorization: {owner.header['Authorization']}"
    head = ["PUT /up HTTP/1.1", f"Host: {app.host}", authorization, "Expect: 100-continue",
            f"Content-Length: {len(content)}", "Connection: close", "", ""]  # fmt: skip
    with socket.create_connection(("127.0.0.1", owner.server.port), timeout=60) as sock:
        sock.sendall("\r\n".join(head).encode())
        assert receive_head(sock) == (b"HTTP/1.1 100 Continue", b"")
        sock.sendall(content)
        head_, rest = receive_head(sock)
        assert b"201 Created" in head_
        assert (rest + receive_all(sock)).decode() == hashlib.sha256(content).hexdigest()


def test_a_websocket_is_opened_by_its_own_page_or_a_token(app: Preview, owner: Person) -> None:
    token = owner.header["Authorization"]
    frame = client_frame(b"hello")
    for origin, authorization, status in (
        ("", token, b"101"), ("http://evil.test", "", b"401"), ("", "", b"401"),
    ):  # fmt: skip
        with socket.create_connection(("127.0.0.1", owner.server.port), timeout=60) as sock:
            fields = {"Origin": origin, "Authorization": authorization}
            sock.sendall(websocket_request("/ws", app.host, **fields))
            head, rest = receive_head(sock)
            assert head.split()[1] == status
            if status == b"101":
                sock.sendall(frame)
                assert rest + receive(sock, len(frame) - len(rest)) == frame


def test_a_stranger_gets_nothing(app: Preview, owner: Person, server: Server) -> None:
    stranger = Preview(Person(server), app.port)
    stranger.host = app.host
    assert stranger.get()[0] == 404
    stranger.person.header.clear()
    assert stranger.get()[0] == 401
    assert Preview(owner, 7681).get()[0] == 404  # the terminal's own port


def test_an_app_that_is_killed_halfway_is_seen_to_be(
    app: Preview, owner: Person, docker_client: APIClient
) -> None:
    with app.asking("/endless") as response:
        assert response.readline()
        kill(docker_client, owner, app.port)
        with pytest.raises(HTTPException):
            response.read()
    page = {"Accept": "text/html"}
    status, body = app.get("/", **page)
    assert (status, b"port 8001 of main" in body) == (502, True)


def test_a_workspace_that_is_stopped_halfway_hangs_up(
    server: Server, people: Callable[..., Person], docker_client: APIClient
) -> None:
    person = people(server)
    person.open()
    command = ["python3", "-c", APP.read_text(), "8001"]
    made = docker_client.exec_create(person.container(), command)
    docker_client.exec_start(made["Id"], detach=True)
    preview = Preview(person, 8001)
    until(preview.listens, "port 8001 answers")
    with preview.asking("/endless") as response:
        assert response.readline()
        person.ok("POST", "/api/v1/workspaces/main/stop")
        with pytest.raises((HTTPException, ConnectionResetError)):
            response.read()
    status, body = preview.get("/", Accept="text/html")
    assert (status, b"not running" in body) == (503, True)
    person.open()
    until(lambda: preview.get()[0] == 502, "the workspace is seen to run again")


def test_a_restart_of_the_server_leaves_apps_alone(app: Preview, server: Server) -> None:
    assert server.stop() == 0
    server.start()
    assert app.get("/x")[0] == 200
