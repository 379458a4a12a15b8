"""What a home, and programs of its owner in it, can make of the containers of its snapshots."""

import secrets
from collections.abc import Callable

import pytest
from docker import APIClient

from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(300)]
SNAPSHOTS = "/api/v1/home/snapshots"


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    started = make_server(storage="vault", reserve_bytes=0).start()
    Person(started, "boss")
    return started


def ended(person: Person, method: str, path: str, body: object = None) -> str:
    """Return "done" or the slug of why it failed."""
    answer = person.call(method, path, body)
    if answer.status >= 400:
        return answer.slug
    if answer.status == 202:
        url = f"/api/v1/home/jobs/{answer.body['id']}"
        until(lambda: person.ok("GET", url)["state"] != "running", "it ends", seconds=120)
        job = person.ok("GET", url)
        return "done" if job["state"] == "done" else str(job)
    return "done"


def test_what_reads_snapshots_cannot_write_them_and_what_writes_them_no_home(
    person: Person, docker_client: APIClient
) -> None:
    person.open()
    until(lambda: person.state() == "running", "it runs")
    hash_ = person.container().split("-")[1]
    execute(docker_client, person.container(), "bash", "-c", "echo x > ~/x")
    assert ended(person, "POST", SNAPSHOTS, {}) == "done"
    (kept,) = person.ok("GET", SNAPSHOTS)["snapshots"]
    body = {"path": "x", "safety": False}
    assert ended(person, "POST", f"{SNAPSHOTS}/{kept['id']}/restore", body) == "done"

    def touch(suffix: str, directory: str) -> str:
        script = f"cd {directory} && touch {secrets.token_hex(4)} 2>&1; true"
        return execute(docker_client, f"rbx-{hash_}-snapshots{suffix}", "bash", "-c", script)

    assert "Read-only" in touch("", "/repository")
    assert touch("", "/home/*") == ""
    assert "Read-only" in touch("-backup", "/home/*")
    assert touch("-backup", "/repository") == ""
