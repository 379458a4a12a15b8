"""Only the workspace itself is reached: whatever is asked for, and wherever an app leads to.

Something listens on the host where nothing in the workspace does, and must not see anybody.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from docker import APIClient

from tests.end_to_end.person import Person
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until
from tests.wire import receive_all

pytestmark = pytest.mark.engine

PORT, ELSEWHERE = 8001, 8002
"""The app's in ``main``, and one on which an app listens in another workspace alone."""
APP = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class App(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.headers.get("X-Status", 200)))
        if "X-Location" in self.headers:
            self.send_header("Location", self.headers["X-Location"])
        body = f"the app in {sys.argv[2]} got {self.path}".encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""


def ask(
    person: Person, host: str, *fields: str, target: str = "/", method: str = "GET", body: str = ""
) -> tuple[int, dict[str, str], str]:
    """Send a request as it stands, with the person's token; return status, fields and body."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields,
             f"Authorization: {person.header['Authorization']}", f"Content-Length: {len(body)}",
             "Connection: close", "", body]  # fmt: skip
    with socket.create_connection(("127.0.0.1", person.server.port), timeout=60) as sock:
        sock.sendall("\r\n".join(lines).encode())
        with suppress(ConnectionResetError):
            said = receive_all(sock).decode()
    head, _, rest = said.partition("\r\n\r\n")
    first, *pairs = head.split("\r\n")
    named = dict(pair.split(": ", 1) for pair in pairs)
    return int(first.split()[1]), {name.lower(): value for name, value in named.items()}, rest


def preview(person: Person, port: int, workspace: str = "main") -> str:
    return f"{port}--{workspace}--{person.username}.localhost:{person.server.port}"


@pytest.fixture(scope="module")
def owner(server: Server, docker_client: APIClient) -> Person:
    """Somebody with an app in each of two workspaces."""
    person = Person(server)
    person.open()
    person.start("other")
    for workspace, port in (("main", PORT), ("other", ELSEWHERE)):
        command = ["python3", "-c", APP, str(port), workspace]
        made = docker_client.exec_create(person.container(workspace), command)
        docker_client.exec_start(made["Id"], detach=True)
        host = preview(person, port, workspace)
        until(lambda host=host: ask(person, host)[0] == 200, f"port {port} answers")
    return person


@pytest.fixture(params=["loopback", "everywhere", "bridge"])
def outside(
    request: pytest.FixtureRequest, owner: Person, docker_client: APIClient
) -> Iterator[int]:
    """Return a port on which the host listens, and fail when anybody has come there."""
    network = docker_client.inspect_network(owner.server.instance)
    at = {"loopback": "127.0.0.1", "everywhere": "0.0.0.0"}
    gateway = network["IPAM"]["Config"][0]["Gateway"]
    with socket.create_server((at.get(request.param, gateway), 0)) as listener:
        yield listener.getsockname()[1]
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_port_of_the_host_is_none_of_the_workspace(owner: Person, outside: int) -> None:
    status, _, said = ask(owner, preview(owner, outside))
    assert (status, f"Nothing listens on port {outside}" in said) == (502, True)
    status, _, said = ask(owner, preview(owner, outside), target="/.rootblood/listening")
    assert status == 404


def test_nor_is_the_servers_own(owner: Person) -> None:
    status, _, said = ask(owner, preview(owner, owner.server.port), target="/healthz")
    assert (status, "Nothing listens" in said) == (502, True)
    assert ask(owner, preview(owner, 7681))[0] == 404, "the terminal's"


def test_nor_is_another_workspaces(owner: Person) -> None:
    assert ask(owner, preview(owner, ELSEWHERE))[0] == 502
    assert ask(owner, preview(owner, PORT, "other"))[0] == 502
    assert "the app in other" in ask(owner, preview(owner, ELSEWHERE, "other"))[2]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_the_browsers_to_follow(
    owner: Person, outside: int, status: int, method: str
) -> None:
    for name in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"):
        for to in (f"http://{name}:{outside}/x", f"//{name}:{outside}/x"):
            led = f"X-Location: {to}", f"X-Status: {status}"
            found, fields, _ = ask(owner, preview(owner, PORT), *led, method=method, body="secret")
            assert (found, fields["location"]) == (status, to)


TARGETS = [
    ("GET", "http://127.0.0.1:{port}/", (422,)),
    ("GET", "http://localhost:{port}/", (422,)),
    ("GET", "HTTP://{own}/", (422,)),
    ("GET", "unix:/var/run/docker.sock", (422,)),
    ("GET", "127.0.0.1:{port}", (422,)),
    ("GET", "*", (422,)),
    ("OPTIONS", "*", (422,)),
    ("GET", "@127.0.0.1:{port}/", (422,)),
    ("GET", "\\\\127.0.0.1:{port}/", (422,)),
    ("CONNECT", "127.0.0.1:{port}", (405,)),
    ("CONNECT", "/", (405,)),
    ("TRACE", "/", (405,)),
    ("GET", "/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX:", (400,)),
]


@pytest.mark.parametrize(("method", "target", "refused"), TARGETS)
def test_no_target_names_another_host(
    owner: Person, outside: int, method: str, target: str, refused: tuple[int, ...]
) -> None:
    own = preview(owner, PORT)
    said = ask(owner, own, target=target.format(port=outside, own=own), method=method)
    assert said[0] in refused
    assert "the app in" not in said[2]


@pytest.mark.parametrize(
    "target",
    ["//127.0.0.1:{port}/x", "/http://127.0.0.1:{port}/", "/%2F127.0.0.1:{port}/", "/..//@x:{port}",
     "/?url=http://127.0.0.1:{port}/", "/%00", "/x;http://127.0.0.1:{port}"],
)  # fmt: skip
def test_a_path_is_the_apps_own_whatever_it_looks_like(
    owner: Person, outside: int, target: str
) -> None:
    asked = target.format(port=outside)
    status, _, said = ask(owner, preview(owner, PORT), target=asked)
    assert status == 200
    assert said == f"the app in main got {asked.replace('//', '/', asked.startswith('//'))}"


@pytest.mark.parametrize(
    "spell",
    [
        lambda own, port: f"127.0.0.1:{port}@{own}",
        lambda own, port: f"user:pass@{own}",
        lambda own, port: f"{port}.{own}",
        lambda own, port: own.replace("--", "%2d%2d"),
        lambda own, port: own.replace(str(PORT), f"0{port}"),
        lambda own, port: own.replace(str(PORT), f"+{port}"),
        lambda own, port: own.replace(str(PORT), "²³"),
        lambda own, port: own.replace(str(PORT), "８００１"),
        lambda own, port: own.replace(str(PORT), str(65536 + PORT)),
        lambda own, port: own.replace("main", "m\u0430in"),
        lambda own, port: own.replace("main", "../main"),
        lambda own, port: own.replace("main", "main--x"),
        lambda own, port: f"x{own}",
        lambda own, port: f"{own}, 127.0.0.1:{port}",
        lambda own, port: f"127.0.0.1:{port}, {own}",
        lambda own, port: f"{own}\r\nHost: 127.0.0.1:{port}",
        lambda own, port: f"127.0.0.1:{port}\r\nHost: {own}",
        lambda own, port: f" \r\n {own}",
        lambda own, port: f"{own}\x00.localhost",
        lambda own, port: f"{own.partition(':')[0]}..:{port}",
    ],
)
def test_what_is_no_name_of_a_preview_is_nobodys(
    owner: Person, outside: int, spell: Callable[[str, int], str]
) -> None:
    status, _, said = ask(owner, spell(preview(owner, PORT), outside))
    assert status in (400, 404)
    assert "the app in" not in said


@pytest.mark.parametrize(
    "host",
    ["[::ffff:127.0.0.1]:{port}", "[::1]:{port}", "127.0.0.1:{port}", "0x7f.1:{port}",
     "2130706433:{port}", "localhost.:{port}", "localhost%2e:{port}", "{own}@127.0.0.1:{port}",
     "{name}.localhost%2e:{port}", "{name}.localhost.evil.test", "docker.sock",
     "{container}:{port}"],
)  # fmt: skip
def test_every_other_host_is_the_panel_or_nothing(owner: Person, outside: int, host: str) -> None:
    own = preview(owner, PORT)
    given = {"own": own, "name": own.partition(".")[0], "container": owner.container()}
    status, _, said = ask(owner, host.format(port=outside, **given), target="/healthz")
    assert (status, said.strip()) == (200, '{"status":"ok"}') or status in (400, 404)


@pytest.mark.parametrize(
    "end", ["localhost.", "LOCALHOST", "localhost.:{port}", "localhost:{port}"]
)
def test_another_spelling_of_its_name_is_the_same_preview(
    owner: Person, outside: int, end: str
) -> None:
    name = preview(owner, PORT).partition(".")[0]
    said = ask(owner, f"{name.upper()}.{end.format(port=outside)}")
    assert (said[0], said[2]) == (200, "the app in main got /")
