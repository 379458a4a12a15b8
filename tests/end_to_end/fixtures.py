"""Fixtures of all tests that need a running server; a conftest.py imports them."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from tests.end_to_end import leftovers
from tests.end_to_end.person import Person
from tests.end_to_end.server import LIVE, Server

_numbers = count()


@pytest.fixture(scope="session")
def instances(docker_client: APIClient, image: str, run_id: str) -> Iterator[str]:
    """The beginning of the names of this run's installations."""
    beginning = f"{leftovers.PREFIX}{run_id}"
    leftovers.sweep(docker_client, leftovers.of_dead_run)
    yield beginning
    leftovers.sweep(docker_client, lambda instance: instance.startswith(beginning))


@pytest.fixture(scope="module")
def make_server(
    instances: str, docker_client: APIClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Return a maker of servers that are not started: ``make_server(idle_seconds=3)``."""
    made: list[Server] = []

    def make(root: Path | None = None, **settings: Any) -> Server:
        settings.setdefault("instance", f"{instances}-{next(_numbers)}")
        server = Server(root or tmp_path_factory.mktemp("server"), **settings)
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()
    leftovers.sweep(docker_client, {server.instance for server in made}.__contains__)


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    """The module's server, with an administrator of the name ``boss``."""
    started = make_server().start()
    Person(started, "boss")
    return started


@pytest.fixture
def people() -> Iterator[Callable[..., Person]]:
    """Return a maker of accounts, whose terminals are closed after the test."""
    made: list[Person] = []

    def make(server: Server, username: str = "") -> Person:
        made.append(Person(server, username))
        return made[-1]

    yield make
    for person in made:
        person.leave()


@pytest.fixture
def person(server: Server, people: Callable[..., Person]) -> Person:
    """A fresh account on the module's server."""
    return people(server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Add what the servers and the containers said to the report of a test that failed."""
    report: pytest.TestReport = yield
    if report.failed:
        for server in LIVE:
            if server.log.exists():
                tail = server.log.read_text(errors="replace")[-8000:]
                report.sections.append((f"server {server.host} log", tail))
        client = getattr(item, "funcargs", {}).get("docker_client")
        if client is not None:
            ours = {server.instance for server in LIVE}
            report.sections += leftovers.last_words(client, ours.__contains__)
    return report
