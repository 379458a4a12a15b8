"""What containers of this machine use and listen on, read from its kernel, not from the daemon.

The daemon is asked only where a container is, and where its machine is not this one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.engines import Listener, Usage, cgroups
from orchestrator.engines.docker_client import LazyClient
from orchestrator.engines.docker_dial import Dialer
from orchestrator.engines.docker_listeners import Ears
from orchestrator.engines.docker_spec import usage_of_stats


class Readings:
    """Remembers where to read about each container. ``find`` is as for the :class:`Dialer`."""

    def __init__(
        self, client: LazyClient, dialer: Dialer, find: Callable[[str], Mapping[str, Any] | None]
    ) -> None:
        self._client = client
        self._find = find
        self._ears = Ears(dialer)
        self._counters: dict[str, cgroups.Place] = {}

    def forget(self, name: str) -> None:
        """Look for ``name`` again before it is read about."""
        self._counters.pop(name, None)
        self._ears.forget(name)

    def listeners(self, name: str) -> list[Listener]:
        """See :meth:`Engine.listeners`."""
        return self._ears.listeners(name)

    def usage(self, name: str) -> Usage | None:
        """See :meth:`Engine.usage`."""
        place = self._counters.get(name)
        usage = cgroups.read(place) if place else None
        if usage:
            return usage
        self._counters.pop(name, None)
        info = self._find(name)
        if info is None or not info["State"]["Running"]:
            return None
        place = cgroups.locate(Path("/"), info["State"]["Pid"], info["Id"])
        if place:
            self._counters[name] = place
            return cgroups.read(place)
        # The daemon's machine is not this one.
        return usage_of_stats(self._client().stats(info["Id"], stream=False, one_shot=True))
