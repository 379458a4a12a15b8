"""The engine for one Docker daemon."""

import math
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker.errors
import requests
from docker import APIClient

from orchestrator.engines import (
    Feature,
    Listener,
    Phase,
    Process,
    Result,
    Status,
    Usage,
    stuck,
)
from orchestrator.engines.docker_client import LazyClient
from orchestrator.engines.docker_dial import Dialer
from orchestrator.engines.docker_errors import is_race, translating
from orchestrator.engines.docker_exec import Commands
from orchestrator.engines.docker_network import bridge_name, ensure_network
from orchestrator.engines.docker_reading import Readings
from orchestrator.engines.docker_spec import (
    INSTANCE_LABEL,
    create_body,
    status_of,
    status_of_row,
    text_of_log,
)
from orchestrator.engines.egress import Egress
from orchestrator.engines.run_dirs import RunDirs
from orchestrator.errors import EngineError, EngineUnreachable, StartFailed, WorkspaceStopped
from orchestrator.spec import Spec
from orchestrator.stream import Stream

_LANES = 64  # names that share a lane wait for each other's start: rare and short
_RUN_SECONDS = 60.0
_RECHECK_SECONDS = 30.0
_EVENTS = ["start", "die", "destroy", "pause", "unpause", "oom"]


class DockerEngine:
    """Runs containers on the daemon at ``url``.

    ``instance`` names the network, the label and the firewall chains, so that several servers can
    share a daemon. ``run_root`` is a directory of the daemon's machine, best below ``/run``.
    ``egress_allow`` are CIDR ranges that workspaces may reach although they are private; without
    ``enforce_egress`` they may reach everything that the machine can.
    """

    def __init__(
        self,
        url: str,
        *,
        instance: str = "rootblood",
        run_root: Path = Path("/run/rootblood"),
        egress_allow: Sequence[str] = (),
        enforce_egress: bool = True,
    ) -> None:
        self._client = LazyClient(url)
        self._instance = instance
        self._run_dirs = RunDirs(run_root)
        bridge = bridge_name(instance)
        self._egress = Egress(instance, bridge, egress_allow) if enforce_egress else None
        features = {Feature.PAUSE, Feature.UNIX_SOCKETS}
        self.features = frozenset(features | ({Feature.EGRESS_RULES} if enforce_egress else set()))
        self._lanes = [threading.Lock() for _ in range(_LANES)]
        self._prepared_at = -math.inf
        self._dialer = Dialer(self._run_dirs, self._find, self.logs)
        self._readings = Readings(self._client, self._dialer, self._find)
        self._commands = Commands(self._client)

    def prepare(self) -> None:
        """Make the network and install the egress rules, unless both are in place.

        Called when the server starts; :meth:`run` repeats it now and then, because another
        program may flush the firewall.
        """
        ensure_network(self._client(), self._instance)
        if self._egress:
            self._egress.ensure()
        self._prepared_at = time.monotonic()

    def verify(self) -> None:
        if self._egress:
            self._egress.verify()

    def close(self) -> None:
        """Close the connections to the daemon; the engine opens others when used again."""
        self._commands.close()
        self._client.close()

    def run(self, spec: Spec) -> Status:
        if spec.network and time.monotonic() - self._prepared_at > _RECHECK_SECONDS:
            self.prepare()
        deadline = time.monotonic() + _RUN_SECONDS
        refused = ""
        with translating(image=spec.image):
            while time.monotonic() < deadline:
                try:
                    with self._lane(spec.name):
                        status = self._run_once(spec)
                except (docker.errors.NotFound, docker.errors.APIError) as error:
                    if not is_race(error):
                        raise
                    # Another run or remove of the same name: look again at what it left.
                    refused = str(error.explanation)
                    if "network" in refused:
                        self.prepare()
                    time.sleep(0.01)
                    continue
                if status:
                    return status
        raise EngineError(f"{spec.name} could not be started: {refused}")

    def _run_once(self, spec: Spec) -> Status | None:
        """Take one step towards ``spec``; return the status when there is nothing left to do."""
        client = self._client()
        info = self._find(spec.name)
        if info is None:
            return self._create(spec)
        status = status_of(spec.name, info)
        if status.digest != spec.digest() or self._image_changed(spec, info, status):
            # By id: the name may by now be that of the container another run has just made.
            client.remove_container(info["Id"], force=True)
            self._run_dirs.remove(spec.name)  # its sockets are nobody's now
            return None
        if status.phase is Phase.RUNNING:
            return status
        if status.phase is Phase.PAUSED:
            client.unpause(info["Id"])
            return None
        return self._start(spec, info["Id"])

    def _image_changed(self, spec: Spec, info: dict[str, Any], status: Status) -> bool:
        """Tell whether the image's name means another image by now; what runs is left alone."""
        if status.phase in (Phase.RUNNING, Phase.PAUSED):
            return False
        try:
            image = self._client().inspect_image(spec.image)  # type: ignore[no-untyped-call]
        except docker.errors.ImageNotFound:
            return False  # the container still has what it was made from
        return bool(image["Id"] != info["Image"])

    def _create(self, spec: Spec) -> Status:
        run_dir = self._run_dirs.make(spec.name, spec.user) if spec.run_dir else None
        body = create_body(spec, instance=self._instance, run_dir=run_dir)
        try:
            made: dict[str, Any] = self._client().create_container_from_config(  # type: ignore[no-untyped-call]
                body, spec.name
            )
        except docker.errors.APIError as error:
            if error.status_code == 409 and self._is_foreign(spec.name):
                raise EngineError(
                    f"A container that RootBlood did not make has the name {spec.name}",
                    hint=f"Rename or remove it: 'docker rename {spec.name} other'.",
                ) from error
            raise
        return self._start(spec, made["Id"])

    def _start(self, spec: Spec, container_id: str) -> Status:
        if spec.run_dir:
            self._run_dirs.make(spec.name, spec.user)  # gone after a reboot of the machine
        self._forget(spec.name)
        client = self._client()
        self._commands.forgive(container_id)
        try:
            client.start(container_id)
        except docker.errors.APIError as error:
            if "OCI runtime" not in str(error.explanation):
                raise
            reason = str(error.explanation)
            raise StartFailed(f"{spec.name} could not be started", log=reason) from error
        status = status_of(spec.name, client.inspect_container(container_id))
        if status.phase in (Phase.STOPPED, Phase.FAILED):
            why = status.reason or f"exit code {status.exit_code}"
            raise StartFailed(f"{spec.name} ended at once: {why}", log=self.logs(spec.name))
        return status

    def stop(self, name: str, *, grace: float = 10.0) -> None:
        self._change(name, lambda client, ident: client.stop(ident, timeout=math.ceil(grace)))

    def pause(self, name: str) -> None:
        def pause(client: APIClient, ident: str) -> None:
            try:
                client.pause(ident)
            except docker.errors.APIError as error:
                if "already paused" not in str(error.explanation):
                    raise

        self._change(name, pause)

    def remove(self, name: str) -> None:
        def remove(client: APIClient, ident: str) -> None:
            try:
                client.remove_container(ident, force=True, v=True)
            except docker.errors.APIError as error:
                if "already in progress" not in str(error.explanation):
                    raise
                _until_gone(client, ident)

        with self._lane(name):
            self._change(name, remove)
            self._run_dirs.remove(name)

    def inspect(self, name: str) -> Status:
        with translating():
            info = self._find(name)
        return status_of(name, info) if info else Status(name, Phase.ABSENT)

    def census(self) -> Iterator[Status]:
        with translating():
            # A list is sparse: inspecting each of 200 containers takes twenty times as long.
            rows = self._client().containers(
                all=True, filters={"label": f"{INSTANCE_LABEL}={self._instance}"}
            )
        return iter([status_of_row(row) for row in rows if row["Names"]])

    def watch(self) -> Iterator[Status]:
        """Return an endless iterator over the status of every container that changes.

        It sees what happens from this call on, and raises EngineUnreachable when the connection
        is lost: then take a census and watch again.
        """
        with translating():
            events = self._client().events(
                decode=True,
                filters={
                    "type": "container",
                    "event": _EVENTS,
                    "label": f"{INSTANCE_LABEL}={self._instance}",
                },
            )
        return self._statuses(events)

    def _statuses(self, events: Any) -> Iterator[Status]:
        try:
            with translating():
                for event in events:
                    yield self.inspect(event["Actor"]["Attributes"]["name"])
        finally:
            events.close()
        raise EngineUnreachable("The container engine closed the stream of events")

    def exec(
        self, name: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Result:
        return self._commands.exec(self._id(name), argv, stdin=stdin, timeout=timeout)

    def spawn(self, name: str, argv: Sequence[str]) -> Process:
        return self._commands.spawn(self._id(name), argv)

    def dial(self, name: str, port: int, *, timeout: float = 5.0) -> Stream:
        with translating():
            return self._dialer.dial(name, port, timeout=timeout)

    def listeners(self, name: str) -> list[Listener]:
        with translating():
            return self._readings.listeners(name)

    def usage(self, name: str) -> Usage | None:
        with translating():
            return self._readings.usage(name)

    def logs(self, name: str, *, lines: int = 20) -> str:
        with translating():
            try:
                raw = self._client().logs(name, stdout=True, stderr=True, tail=lines)
            except docker.errors.NotFound:
                return ""
        return text_of_log(raw)

    def images(self) -> frozenset[str]:
        with translating():
            found = self._client().images()
        return frozenset(tag for image in found for tag in image["RepoTags"] or ())

    def _find(self, name: str) -> dict[str, Any] | None:
        """Inspect the container if it is there and this instance's."""
        try:
            info = self._client().inspect_container(name)
        except docker.errors.NotFound:
            return None
        ours = info["Config"]["Labels"].get(INSTANCE_LABEL) == self._instance
        return dict(info) if ours else None

    def _is_foreign(self, name: str) -> bool:
        try:
            info = self._client().inspect_container(name)
        except docker.errors.NotFound:
            return False
        return bool(info["Config"]["Labels"].get(INSTANCE_LABEL) != self._instance)

    def _id(self, name: str) -> str:
        with translating():
            info = self._find(name)
        if info is None or not info["State"]["Running"] or info["State"]["Paused"]:
            raise WorkspaceStopped(f"{name} is not running")
        return str(info["Id"])

    def _change(self, name: str, act: Callable[[APIClient, str], object]) -> None:
        """Do ``act`` to the container if it is there."""
        self._forget(name)
        with translating():
            try:
                info = self._find(name)
            except requests.Timeout:  # it may keep a command from starting
                if not self._release(name):
                    raise
                info = self._find(name)
            if info is not None:
                with suppress(docker.errors.NotFound):
                    act(self._client(), info["Id"])
        self._forget(name)  # whoever looked meanwhile saw the old state

    def _release(self, name: str) -> bool:
        rows = self._client().containers(filters={"name": f"^/{name}$"})  # waits for no container
        return any(stuck.release(row["Id"]) for row in rows)

    def _lane(self, name: str) -> threading.Lock:
        """Return the lock under which ``name`` is made and removed.

        The engine alone would do for containers, but a run directory may not vanish between its
        making and the start of the container that mounts it.
        """
        return self._lanes[zlib.crc32(name.encode()) % _LANES]

    def _forget(self, name: str) -> None:
        self._dialer.forget(name)
        self._readings.forget(name)


def _until_gone(client: APIClient, ident: str) -> None:
    """Wait for a removal that somebody else has begun."""
    deadline = time.monotonic() + _RUN_SECONDS
    while time.monotonic() < deadline:
        client.inspect_container(ident)  # raises NotFound when it is done
        time.sleep(0.01)
    raise EngineError("The container engine does not finish removing a container")
