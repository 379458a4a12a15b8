"""The bridge that workspaces share: one per instance, with traffic between them off."""

import hashlib
from typing import Any

import docker.errors
from docker import APIClient

from orchestrator.engines.docker_errors import translating
from orchestrator.engines.docker_spec import INSTANCE_LABEL
from orchestrator.errors import EngineError

_NAME_LIMIT = 15  # IFNAMSIZ less its null byte
_BRIDGE = "com.docker.network.bridge.name"
_ICC = "com.docker.network.bridge.enable_icc"


def bridge_name(instance: str) -> str:
    """Return the interface name of the instance's bridge, at most 15 characters."""
    name = f"rb-{instance}"
    if len(name) <= _NAME_LIMIT:
        return name
    return "rb-" + hashlib.sha256(instance.encode()).hexdigest()[: _NAME_LIMIT - 3]


def ensure_network(client: APIClient, instance: str) -> None:
    """Make the instance's network unless it is there.

    Raises: EngineError when a network of that name is there but does not isolate.
    """
    wanted = {_BRIDGE: bridge_name(instance), _ICC: "false"}
    with translating():
        found = _find(client, instance)
        if found is None:
            try:
                client.create_network(
                    instance,
                    driver="bridge",
                    options=wanted,
                    check_duplicate=True,
                    enable_ipv6=False,
                    labels={INSTANCE_LABEL: instance},
                )
            except docker.errors.APIError:
                # Somebody else may have made it meanwhile: the engine allows a bridge name once.
                if _find(client, instance) is None:
                    raise
            found = _find(client, instance) or {}
    options = found.get("Options") or {}
    if {key: options.get(key) for key in wanted} != wanted or found.get("EnableIPv6"):
        raise EngineError(
            f"The Docker network {instance!r} would not keep workspaces apart",
            hint=f"Run 'docker network rm {instance}' and start the server again.",
        )


def _find(client: APIClient, instance: str) -> dict[str, Any] | None:
    for network in client.networks(names=[f"^{instance}$"]):
        if network["Name"] == instance:
            return dict(network)
    return None
