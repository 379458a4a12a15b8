"""Language servers: one that a template names, made here, and those of the image."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from docker import APIClient

from tests.end_to_end.conversation import Conversation, conversing
from tests.end_to_end.person import Person, Visit, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until
from tests.web.routes import UPGRADE

pytestmark = pytest.mark.engine

ECHO = r"""
import json, os, resource, sys
read = sys.stdin.buffer
def say(message):
    body = json.dumps(message, ensure_ascii=False).encode()
    sys.stdout.buffer.write(b"Content-Type: x\r\ncontent-length:%d\r\n\r\n%b" % (len(body), body))
    sys.stdout.buffer.flush()
say({"folder": os.getcwd(), "nice": os.nice(0), "heap": os.environ["NODE_OPTIONS"],
     "data": resource.getrlimit(resource.RLIMIT_DATA)[0],
     "badness": int(open("/proc/self/oom_score_adj").read())})
while (head := read.readline()):
    assert read.readline() == b"\r\n"
    body = read.read(int(head.split(b":")[1]))
    if body == b'"end"':
        break
    if body == b'"babble"':
        sys.stdout.buffer.write(b"x" * 10_000)
        sys.stdout.buffer.flush()
        continue
    say({"you": json.loads(body)})
"""


@pytest.fixture(scope="module")
def owner(server: Server, docker_client: APIClient) -> Person:
    """Somebody whose workspace runs and has a server named echo."""
    Visit(server, "boss").submit(
        "/admin/templates/chaospine", title="Chaospine", description="", image="chaospine:1.0.0",
        cpus="1", memory_mib="1024", pids="512", ports="", read_only_root="on", enabled="on",
        languages="echo | Echo | .echo .ec | python3 ./server.py\nnone | None | .no | none",
    )  # fmt: skip
    person = Person(server)
    person.open()
    path = f"/home/{person.username}/server.py"
    execute(docker_client, person.container(), "sh", "-c", 'printf %s "$0" > "$1"', ECHO, path)
    return person


@pytest.fixture
def speak(owner: Person) -> Callable[..., Any]:
    """Return ``speak(id, root)``: a conversation with a language server."""

    def begin(id: str = "echo", root: str = "") -> Any:
        return conversing(owner.visit(), f"language?{urlencode({'id': id, 'root': root})}")

    return begin


@pytest.fixture(autouse=True)
def _gone(owner: Person) -> Iterator[None]:
    yield
    until(lambda: not owner.rows(), "no row is left")


def test_the_templates_servers_are_listed_with_those_built_in(owner: Person) -> None:
    found = owner.ok("GET", "/api/v1/workspaces/main/languages")["languages"]
    assert [one["id"] for one in found] == ["echo", "none", "python", "typescript"]
    assert found[0] == {"id": "echo", "title": "Echo", "extensions": [".echo", ".ec"],
                        "command": ["python3", "./server.py"]}  # fmt: skip


def test_a_message_is_a_frame_and_has_limits_of_its_own(
    owner: Person, speak: Callable[..., Any]
) -> None:
    with speak() as page:
        assert page.next() == {
            "folder": f"/home/{owner.username}", "nice": 5, "badness": 900,
            "heap": "--max-old-space-size=384", "data": 1536 << 20,
        }  # fmt: skip
        for message in ("ü\U0001f600\r\n\r\n", "x" * 3_000_000, {"Content-Length": 1}):
            page.say(json.dumps(message))
            assert page.next() == {"you": message}


def test_it_starts_in_the_projects_folder(
    owner: Person, speak: Callable[..., Any], docker_client: APIClient
) -> None:
    home = f"/home/{owner.username}"
    script = f"mkdir -p '{home}/-a b'; cp {home}/server.py '{home}/-a b/'"
    execute(docker_client, owner.container(), "sh", "-c", script)
    with speak(root="-a b") as page:
        assert page.next()["folder"] == f"{home}/-a b"


@pytest.mark.parametrize("last", ['"end"', '"babble"'])
def test_a_server_that_ends_or_babbles_takes_the_page_along(
    speak: Callable[..., Any], last: str
) -> None:
    with speak() as page:
        page.next()
        page.say(last)
        assert page.next() is None


def test_a_server_that_is_not_there_ends_the_conversation(speak: Callable[..., Any]) -> None:
    with speak("none") as page:
        assert page.next() is None
    with speak(root="no/such/folder") as page:
        assert page.next() is None


def test_it_goes_with_the_page(
    owner: Person, speak: Callable[..., Any], docker_client: APIClient
) -> None:
    with speak() as page:
        page.next()
        assert execute(docker_client, owner.container(), "pgrep", "-x", "python3")
    until(
        lambda: not execute(docker_client, owner.container(), "pgrep", "-x", "python3"),
        "the server has ended",
    )


def test_only_so_many_run(owner: Person, speak: Callable[..., Any]) -> None:
    with speak() as one, speak() as two, speak() as three, speak() as four:
        for page in (one, two, three, four):
            page.next()
        path = "/api/v1/workspaces/main/language?id=echo"
        with owner.asking("GET", path, header=UPGRADE) as refused:
            assert refused.status == 429


def test_no_more_run_when_all_come_at_once(owner: Person, speak: Callable[..., Any]) -> None:
    asked = [speak() for _ in range(12)]
    with ThreadPoolExecutor(len(asked)) as threads, ExitStack() as pages:
        opened = list(threads.map(lambda one: one.__enter__(), asked))
        for one in asked:
            pages.push(one)
        said = list(threads.map(lambda page: page.next(), opened))
        refused = [one["problem"]["slug"] for one in said if "problem" in one]
        assert refused == ["too-many-requests"] * 8


def test_unknown_servers_and_folders_are_refused(owner: Person) -> None:
    for query, status in (("id=none2", 404), ("", 404), ("id=echo&root=..", 422)):
        path = f"/api/v1/workspaces/main/language?{query}"
        with owner.asking("GET", path, header=UPGRADE) as refused:
            assert refused.status == status


class Client:
    """As much of an editor as it takes to ask a language server something."""

    def __init__(self, page: Conversation, root: str) -> None:
        self._page = page
        self._last = 0
        uri = Path(root).as_uri()
        self.ask("initialize", processId=None, rootUri=uri, capabilities={},
                 workspaceFolders=[{"uri": uri, "name": "root"}])  # fmt: skip
        self.tell("initialized")

    def tell(self, method: str, **params: Any) -> None:
        self._page.say({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, **params: Any) -> Any:
        """Return the result; what the server asks meanwhile gets no as an answer."""
        self._last += 1
        asked = {"jsonrpc": "2.0", "id": self._last, "method": method, "params": params}
        self._page.say(asked)
        while True:
            said = self._page.until(lambda said: "id" in said)
            if "method" not in said and said["id"] == self._last:
                return said["result"]
            if "method" in said:
                self._page.say({"jsonrpc": "2.0", "id": said["id"], "result": None})

    def open(self, path: str, language: str, text: str) -> str:
        uri = Path(path).as_uri()
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)
        return uri


@pytest.mark.parametrize(
    ("id", "name", "text", "wanted"),
    [
        ("python", "a.py", "import os\nos.getc", "getcwd"),
        ("typescript", "a.ts", "const word: string = '';\nword.toUp", "toUpperCase"),
    ],
)
def test_the_images_servers_know_what_comes_next(
    owner: Person, speak: Callable[..., Any], id: str, name: str, text: str, wanted: str
) -> None:
    home = f"/home/{owner.username}"
    with speak(id) as page:
        client = Client(page, home)
        uri = client.open(f"{home}/{name}", id, text)
        line = text.count("\n")
        place = {"line": line, "character": len(text.splitlines()[-1])}
        found = client.ask("textDocument/completion", textDocument={"uri": uri}, position=place)
        items = found["items"] if isinstance(found, dict) else found
        assert wanted in [item["label"] for item in items]
