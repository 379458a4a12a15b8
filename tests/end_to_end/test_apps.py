"""Apps that a template names, on the real engine: started, stopped, and what becomes of them."""

from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
from docker import APIClient

from tests.end_to_end.person import Person, Visit, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine

SITE = "python3 -m http.server 8090 --bind 127.0.0.1"
LINES = f"""
site | Site | globe | 8090 | / | {SITE}
broken | Broken | box | 8091 | / | sh -c 'echo no luck; exit 3'
slow | Slow | box | 8092 | / | sleep 1000
tool | Tool | box | 8093 | / | /opt/apps/tool/bin/serve
"""
TOOL = "#!/bin/sh\nexec python3 -m http.server 8093 --bind 127.0.0.1\n"


@pytest.fixture(scope="module")
def owner(server: Server) -> Person:
    """Somebody whose workspace has apps."""
    Visit(server, "boss").offer("box", apps=LINES)
    person = Person(server)
    person.ok("POST", "/api/v1/workspaces", {"name": "one", "template": "box"})
    return person


@pytest.fixture
def act(owner: Person) -> Callable[[str, str], Any]:
    """Return ``act(id, "start")``: start or stop an app."""
    return lambda id, verb: owner.ok("POST", f"/api/v1/workspaces/one/apps/{id}/{verb}")


def app(owner: Person, id: str) -> Any:
    found = owner.ok("GET", "/api/v1/workspaces/one/apps")["apps"]
    return next(one for one in found if one["id"] == id)


def wait_for(owner: Person, id: str, state: str) -> Any:
    until(lambda: app(owner, id)["state"] == state, f"{id} is {state}", every=0.2)
    return app(owner, id)


def preview(owner: Person, port: int) -> tuple[int, str]:
    """Ask an app through its preview, by the owner's token."""
    host = f"{port}--one--{owner.username}.localhost:{owner.server.port}"
    with closing(HTTPConnection("127.0.0.1", owner.server.port, timeout=30)) as connection:
        connection.request("GET", "/", headers={**owner.header, "Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_an_app_wakes_its_workspace_and_answers_on_its_own_origin(
    owner: Person, act: Callable[[str, str], Any]
) -> None:
    owner.ok("POST", "/api/v1/workspaces/one/stop")
    assert app(owner, "site")["state"] == "stopped"
    assert act("site", "start")["state"] in ("starting", "running")
    found = wait_for(owner, "site", "running")
    assert found["url"].startswith(f"http://8090--one--{owner.username}.localhost")
    status, page = preview(owner, 8090)
    assert status == 200
    assert "Directory listing" in page
    assert act("site", "stop")["state"] == "stopped"
    assert preview(owner, 8090)[0] == 502


def test_it_dies_with_its_workspace_and_starts_again(
    owner: Person, act: Callable[[str, str], Any], docker_client: APIClient
) -> None:
    act("site", "start")
    wait_for(owner, "site", "running")
    owner.ok("POST", "/api/v1/workspaces/one/restart")
    assert app(owner, "site")["state"] == "stopped"
    act("site", "start")
    wait_for(owner, "site", "running")
    execute(docker_client, owner.container("one"), "pkill", "-KILL", "-f", "http.server 8090")
    assert "killed" in wait_for(owner, "site", "failed")["reason"]
    act("site", "start")
    wait_for(owner, "site", "running")
    act("site", "stop")


def test_why_one_failed_is_told_with_its_last_words(
    owner: Person, act: Callable[[str, str], Any]
) -> None:
    act("broken", "start")
    found = wait_for(owner, "broken", "failed")
    assert (found["reason"], found["log"]) == ("It ended with exit code 3.", "no luck")


def test_another_programs_port_is_not_taken_for_the_app(
    owner: Person, act: Callable[[str, str], Any], docker_client: APIClient
) -> None:
    act("slow", "start")
    assert app(owner, "slow")["state"] == "starting"
    other = "setsid python3 -m http.server 8092 > /dev/null 2>&1 &"
    execute(docker_client, owner.container("one"), "sh", "-c", other)
    until(lambda: "(python3)" in app(owner, "slow")["reason"], "the other has its port", every=0.2)
    act("slow", "stop")
    refused = owner.call("POST", "/api/v1/workspaces/one/apps/slow/start")
    assert (refused.status, refused.slug) == (409, "conflict")
    assert "Another program (python3) listens on port 8092" in refused.body["detail"]


def test_what_the_operator_adds_is_there_after_a_restart_and_read_only(
    owner: Person, act: Callable[[str, str], Any], docker_client: APIClient
) -> None:
    owner.ok("POST", "/api/v1/workspaces/one/start")
    assert app(owner, "tool")["state"] == "absent"
    assert owner.call("POST", "/api/v1/workspaces/one/apps/tool/start").status == 409
    program = owner.server.data_dir / "apps/tool/bin/serve"
    program.parent.mkdir(parents=True)
    program.write_text(TOOL)
    program.chmod(0o755)
    found = app(owner, "tool")
    assert (found["state"], found["reason"].partition(":")[0]) == (
        "absent",
        "Restart the workspace",
    )
    owner.ok("POST", "/api/v1/workspaces/one/restart")
    act("tool", "start")
    wait_for(owner, "tool", "running")
    assert preview(owner, 8093)[0] == 200
    container = owner.container("one")
    mounts = docker_client.inspect_container(container)["Mounts"]
    [shelf] = [one for one in mounts if one["Destination"] == "/opt/apps/tool"]
    assert not shelf["RW"]
