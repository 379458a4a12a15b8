"""Named volumes of the Docker daemon, and containers that copy from one place to another."""

import contextlib
from collections.abc import Iterator
from typing import Any

import docker.errors
from docker import APIClient

from orchestrator.engines.docker_client import LazyClient
from orchestrator.engines.docker_errors import translating
from orchestrator.engines.docker_spec import INSTANCE_LABEL, mount_entry, text_of_log
from orchestrator.errors import AllowanceReached, EngineError, HomeBusy, StorageError
from orchestrator.spec import Mount

HELPER_LABEL = "rootblood.helper"
_COPY_SECONDS = 6 * 3600
_LAST_LINES = 5
# The trailing dots copy what is in a directory, with its own mode and owner. A redone copy starts
# from nothing again.
_COPY = r"""
find /to -mindepth 1 -delete && cp -a --reflink=auto /from/. /to/ && exit 0
code=$?; echo "needs=$(du -s -B1 /from | cut -f1)"; exit $code
"""
# What lies in a home belongs to its owner, who may have shut it to himself.
_COPY_CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]


class Volumes:
    """The volumes of one installation at the daemon at ``url``."""

    def __init__(self, url: str, *, helper_image: str, instance: str) -> None:
        self.client = LazyClient(url)
        self._helper_image = helper_image
        self._instance = instance

    def find(self, name: str) -> dict[str, Any] | None:
        """Inspect the volume; None when there is none. Raises: EngineError when it is not ours."""
        with translating():
            try:
                volume = dict(self.client().inspect_volume(name))
            except docker.errors.NotFound:
                return None
        if (volume.get("Labels") or {}).get(INSTANCE_LABEL) != self._instance:
            raise EngineError(
                f"The volume {name} is not one of {self._instance}'s",
                hint="It belongs to another installation, or was made by hand.",
            )
        return volume

    def ensure(self, name: str, options: dict[str, str] | None = None) -> dict[str, Any]:
        """Return the volume, made where there is none; ``options`` are the local driver's."""
        if found := self.find(name):
            return found
        with translating():
            labels = {INSTANCE_LABEL: self._instance}
            return dict(
                self.client().create_volume(
                    name, driver="local", driver_opts=options or {}, labels=labels
                )
            )

    def all(self) -> list[dict[str, Any]]:
        """Return every volume of the installation, as inspected."""
        label = f"{INSTANCE_LABEL}={self._instance}"
        with translating():
            return list(self.client().volumes(filters={"label": label})["Volumes"] or [])

    def remove(self, name: str) -> None:
        """Delete the volume; absent is success. Raises: HomeBusy while a container refers to it."""
        if self.find(name) is None:
            return
        with translating():
            try:
                self.client().remove_volume(name)
            except docker.errors.NotFound:
                pass
            except docker.errors.APIError as error:
                if error.status_code != 409:
                    raise
                raise HomeBusy(
                    "The home is in use by a workspace", hint="Delete its workspaces first."
                ) from error

    def release(self, name: str) -> None:
        """Delete the volume and the ended containers of the installation that refer to it.

        A workspace's container is made anew at its next start. Raises: HomeBusy while one runs.
        """
        self.refuse_use(name)
        filters = {"volume": name, "label": f"{INSTANCE_LABEL}={self._instance}"}
        with translating():
            for container in self.client().containers(all=True, filters=filters):
                self.client().remove_container(container["Id"])
        self.remove(name)

    def in_use(self, source: str) -> bool:
        """Return whether a running container mounts the volume, or the host's path, ``source``."""
        with translating():
            return bool(self.client().containers(filters={"volume": source}))

    def refuse_use(self, source: str) -> None:
        """Do nothing, unless :meth:`in_use`. Raises: HomeBusy."""
        if self.in_use(source):
            raise HomeBusy("The home is in use by a workspace", hint="Stop its workspaces first.")

    @contextlib.contextmanager
    def container(self, name: str, *mounts: Mount, run: str = "") -> Iterator[str]:
        """Make a container that sees ``mounts`` and the shell script ``run``; yields its id.

        It is not started, has no network, and is gone afterwards.
        """
        with translating(image=self._helper_image):
            self._remove_container(name)
            body = self._body(mounts, run)
            client = self.client()
            made = client.create_container_from_config(body, name)  # type: ignore[no-untyped-call]
            try:
                yield str(made["Id"])
            finally:
                self._remove_container(str(made["Id"]))

    def copy(self, home: str, source: Mount, target: Mount) -> None:
        """Make ``target`` hold just what ``source`` does, which nobody may be changing.

        Raises: AllowanceReached when it does not fit.
        """
        mounts = (
            Mount(source.source, "/from", read_only=True, volume=source.volume),
            Mount(target.source, "/to", volume=target.volume),
        )
        with self.container(f"{home}.copy", *mounts, run=_COPY) as container:
            client = self.client()
            client.start(container)
            code = int(client.wait(container, timeout=_COPY_SECONDS)["StatusCode"])
            if code != 0:
                raise _failure(client, container)

    def drop_copies(self, home: str) -> None:
        """End a copy that a killed server began. Absent is success."""
        with translating():
            self._remove_container(f"{home}.copy")

    def close(self) -> None:
        """Close the connections to the daemon; others are opened when needed."""
        self.client.close()

    def _remove_container(self, container: str) -> None:
        with contextlib.suppress(docker.errors.NotFound):
            self.client().remove_container(container, force=True)

    def _body(self, mounts: tuple[Mount, ...], run: str) -> dict[str, Any]:
        return {
            "Image": self._helper_image,
            "Entrypoint": ["/bin/sh", "-c", run or "exit 1"],
            "User": "0:0",
            "Labels": {HELPER_LABEL: self._instance},
            "HostConfig": {
                "NetworkMode": "none",
                "CapDrop": ["ALL"],
                "CapAdd": _COPY_CAPABILITIES if run else [],
                "SecurityOpt": ["no-new-privileges:true"],
                "ReadonlyRootfs": bool(run),
                "Mounts": [mount_entry(mount) for mount in mounts],
            },
        }


def _failure(client: APIClient, container: str) -> Exception:
    text = text_of_log(client.logs(container, tail=_LAST_LINES))
    if "No space left on device" in text:
        needs = text.rpartition("needs=")[2].strip()
        return AllowanceReached(
            f"The files take {needs} bytes, which is more than the home may hold",
            hint="An administrator can raise the allowance. The files are where they were.",
        )
    return StorageError(f"The files could not be copied: {text.strip()}")
