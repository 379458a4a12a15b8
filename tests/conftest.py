"""The real engine for tests that are marked ``engine``.

Everything a run makes carries its id, which holds the process id of the run: what a killed run left
behind is swept by the next, while a run that goes on next to this one is left alone.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest
from docker import APIClient

from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_network import bridge_name
from orchestrator.engines.docker_spec import INSTANCE_LABEL
from orchestrator.engines.egress import Egress

DOCKER_URL = "unix:///var/run/docker.sock"
IMAGE = "chaospine:1.0.0"
PREFIX = "rb-test-"
RUN_ROOTS = Path("/run")

pytest_plugins = ["tests.app_fixtures", "tests.local_restic"]

_reports = pytest.StashKey[dict[str, pytest.TestReport]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    item.stash.setdefault(_reports, {})[report.when] = report
    return report


def missing(reason: str) -> None:
    """Skip for a tool that is not here; where ``CI`` is true nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def run_id() -> str:
    return f"{os.getpid()}-{secrets.token_hex(2)}"


@pytest.fixture(scope="session")
def docker_client() -> Iterator[APIClient]:
    if os.geteuid() != 0:
        missing("needs root: run directories and egress rules are root's")
    try:
        client = APIClient(DOCKER_URL, version="auto")
    except docker.errors.DockerException as error:
        missing(f"needs a Docker Engine: {error}")
    _sweep(client, _is_of_dead_run)
    yield client
    client.close()


@pytest.fixture(scope="session")
def image(docker_client: APIClient) -> str:
    try:
        docker_client.inspect_image(IMAGE)
    except docker.errors.ImageNotFound:
        missing(f"needs the image {IMAGE}: script/setup builds it")
    return IMAGE


@pytest.fixture(scope="session")
def make_engine(docker_client: APIClient, run_id: str) -> Iterator[Callable[..., DockerEngine]]:
    """Return a maker of engines of their own instances: ``make_engine("open", ...)``."""
    made: list[DockerEngine] = []

    def make(suffix: str = "", **settings: Any) -> DockerEngine:
        instance = f"{PREFIX}{run_id}{suffix and '-' + suffix}"
        engine = DockerEngine(
            DOCKER_URL, instance=instance, run_root=RUN_ROOTS / instance, **settings
        )
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close()
    _sweep(docker_client, lambda instance: instance.startswith(f"{PREFIX}{run_id}"))


@pytest.fixture(scope="session")
def _session_engine(make_engine: Callable[..., DockerEngine]) -> DockerEngine:
    engine = make_engine()
    engine.prepare()
    return engine


@pytest.fixture
def docker_engine(
    _session_engine: DockerEngine,
    docker_client: APIClient,
    run_id: str,
    request: pytest.FixtureRequest,
) -> Iterator[DockerEngine]:
    """The real engine, without any container before and after."""
    yield _session_engine
    report = request.node.stash.get(_reports, {}).get("call")
    for container in _containers(docker_client, lambda one: one.startswith(f"{PREFIX}{run_id}")):
        if report is not None and report.failed:
            _print_everything(docker_client, container)
        instance = container["Labels"][INSTANCE_LABEL]
        if instance == f"{PREFIX}{run_id}":
            _session_engine.remove(container["Names"][0].lstrip("/"))
        else:
            docker_client.remove_container(container["Id"], force=True)


def _print_everything(client: APIClient, container: dict[str, Any]) -> None:
    log = client.logs(container["Id"], tail=100).decode(errors="replace")
    details = json.dumps(client.inspect_container(container["Id"]), indent=1)
    sys.stderr.write(f"---- {container['Names']} logs\n{log}\n---- inspect\n{details}\n")


def _containers(client: APIClient, ours: Callable[[str], bool]) -> list[dict[str, Any]]:
    found = client.containers(all=True, filters={"label": INSTANCE_LABEL})
    return [container for container in found if ours(container["Labels"][INSTANCE_LABEL])]


def _is_of_dead_run(instance: str) -> bool:
    pid = instance.removeprefix(PREFIX).split("-")[0]
    if not instance.startswith(PREFIX) or not pid.isdecimal():
        return False
    return not Path(f"/proc/{pid}").exists()


def _sweep(client: APIClient, ours: Callable[[str], bool]) -> None:
    """Remove containers, volumes, networks, egress rules and run directories of test runs."""
    for container in _containers(client, ours):
        client.remove_container(container["Id"], force=True, v=True)
    for volume in client.volumes(filters={"label": INSTANCE_LABEL})["Volumes"] or []:
        if ours(volume["Labels"][INSTANCE_LABEL]):
            client.remove_volume(volume["Name"], force=True)
    for network in client.networks(filters={"label": INSTANCE_LABEL}):
        instance = network["Labels"][INSTANCE_LABEL]
        if ours(instance):
            client.remove_network(network["Id"])
            Egress(instance, bridge_name(instance), ()).remove()
    for root in RUN_ROOTS.glob(f"{PREFIX}*"):
        if ours(root.name):
            for mounted in root.iterdir():
                subprocess.run(["umount", "-l", mounted], check=False, capture_output=True)
            shutil.rmtree(root, ignore_errors=True)
