"""Previews behind a real reverse proxy, which must hold nothing back."""

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path

import pytest
from docker import APIClient

from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server, free_port
from tests.end_to_end.waiting import until
from tests.nginx import documented, nginx

pytestmark = pytest.mark.engine

APPS = "apps.localhost"
APP = Path(__file__).with_name("preview_app.py")
PORT = 8001


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    return make_server(trusted_proxies=1, apps_domain=APPS).start()


@pytest.fixture(scope="module")
def owner(server: Server, docker_client: APIClient) -> Person:
    """Somebody in whose workspace the app runs."""
    person = Person(server)
    person.open()
    made = docker_client.exec_create(
        person.container(), ["python3", "-c", APP.read_text(), str(PORT)]
    )
    docker_client.exec_start(made["Id"], detach=True)

    def listens() -> bool:
        ports = person.ok("GET", "/api/v1/workspaces/main/ports")["ports"]
        return any(one["port"] == PORT and one["listening"] for one in ports)

    until(listens, "the app listens")
    return person


@pytest.fixture(params=["as the documents say", "with buffers", "with nothing but the names"])
def proxy(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[int]:
    """Run nginx in front of the server; return its port."""
    port = free_port()
    text = documented(server, tmp_path, "localhost", APPS, port)
    if request.param != "as the documents say":
        text = re.sub(r".*(buffering|_timeout) .*\n", "", text)
    if request.param == "with nothing but the names":  # nginx speaks HTTP/1.0 then
        text = re.sub(r".*(http_version|Upgrade|Connection|X-Forwarded-For) .*\n", "", text)
    with nginx(tmp_path, text, port):
        yield port


@contextmanager
def asking(owner: Person, proxy: int, path: str) -> Iterator[HTTPResponse]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = HTTPSConnection("localhost", proxy, timeout=60, context=context)
    host = f"{PORT}--main--{owner.username}.{APPS}:{proxy}"
    try:
        connection.request("GET", path, headers=owner.header | {"Host": host})
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()


def test_what_streams_streams(owner: Person, proxy: int, docker_client: APIClient) -> None:
    marks = [f"/tmp/event-{number}" for number in range(3)]
    execute(docker_client, owner.container(), "rm", "-f", *marks)
    with asking(owner, proxy, "/events") as response:
        for number, mark in enumerate(marks):
            assert response.readline() == b"data: %d\n" % number
            assert response.readline() == b"\n"
            execute(docker_client, owner.container(), "touch", mark)  # for which the app waits
        assert response.read() == b""
