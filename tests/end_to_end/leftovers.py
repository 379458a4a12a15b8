"""What end-to-end runs leave on the engine, and its removal."""

import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker.errors
from docker import APIClient

from orchestrator.engines.docker_network import bridge_name
from orchestrator.engines.docker_spec import INSTANCE_LABEL
from orchestrator.engines.egress import Egress
from tests.end_to_end.waiting import until

PREFIX = "rbt-"
RUN_ROOT = Path("/run/rootblood")


def of_dead_run(instance: str) -> bool:
    """Tell whether the pytest that made this instance is gone: its process id is in the name."""
    pid = instance.removeprefix(PREFIX).split("-")[0]
    ours = instance.startswith(PREFIX) and pid.isdecimal()
    return ours and not Path(f"/proc/{pid}").exists()


def containers(client: APIClient, ours: Callable[[str], bool]) -> list[dict[str, Any]]:
    """Return the containers of the instances that ``ours`` accepts."""
    found = client.containers(all=True, filters={"label": INSTANCE_LABEL})
    return [container for container in found if ours(container["Labels"][INSTANCE_LABEL])]


def last_words(client: APIClient, ours: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Return a title and the log of each container, for the report of a test that failed."""
    said = []
    for container in containers(client, ours):
        try:
            log = client.logs(container["Id"], tail=30).decode(errors="replace")
        except docker.errors.APIError as error:
            log = str(error)
        said.append((f"{container['Names']} {container['Status']}", log))
    return said


def sweep(client: APIClient, ours: Callable[[str], bool]) -> None:
    """Remove containers, homes, networks, egress rules and run directories."""
    for container in containers(client, ours):
        with suppress(docker.errors.APIError):  # a server that was killed had begun to remove it
            client.remove_container(container["Id"], force=True, v=True)
    until(lambda: not containers(client, ours), "all containers are gone")
    for volume in client.volumes(filters={"label": INSTANCE_LABEL})["Volumes"] or []:
        if ours(volume["Labels"][INSTANCE_LABEL]):
            client.remove_volume(volume["Name"], force=True)
    for network in client.networks(filters={"label": INSTANCE_LABEL}):
        instance = network["Labels"][INSTANCE_LABEL]
        if ours(instance):
            client.remove_network(network["Id"])
            Egress(instance, bridge_name(instance), ()).remove()
    for root in RUN_ROOT.glob(f"{PREFIX}*"):
        if ours(root.name.removesuffix(".homes")):
            for mounted in root.iterdir():
                if mounted.is_dir():
                    subprocess.run(["umount", "-l", mounted], check=False, capture_output=True)
            shutil.rmtree(root, ignore_errors=True)
