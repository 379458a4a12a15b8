"""Homes as Docker named volumes: nothing to set up, no size limit, not encrypted."""

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import docker.errors

from orchestrator.engines.docker_client import LazyClient
from orchestrator.engines.docker_errors import translating
from orchestrator.engines.docker_spec import INSTANCE_LABEL
from orchestrator.errors import Busy, EngineError
from orchestrator.spec import Mount

_HOME_MODE = 0o700
_HELPER_TARGET = "home"


class PlainStorage:
    """Keeps each home in a volume of the daemon at ``url``.

    ``helper_image`` is an image that the daemon has; nothing in it is ever run. ``instance`` as in
    :class:`orchestrator.engines.docker.DockerEngine`. Without ``reach_volumes`` the volumes' files
    are never touched from here but through the daemon, as when it runs on another machine.
    """

    def __init__(
        self,
        url: str,
        *,
        helper_image: str,
        instance: str = "rootblood",
        reach_volumes: bool = True,
    ) -> None:
        self._client = LazyClient(url)
        self._instance = instance
        self._helper_image = helper_image
        self._reach_volumes = reach_volumes and os.geteuid() == 0
        self._owned: dict[str, tuple[int, int]] = {}

    def unlock(self, home: str, *, owner: tuple[int, int], target: str) -> Mount:
        mount = Mount(source=home, target=target, volume=True)
        with translating(image=self._helper_image):
            volume = self._ours(home) or self._client().create_volume(
                home, driver="local", labels={INSTANCE_LABEL: self._instance}
            )
            # Looked at each time: a crash may have come between making the volume and giving it.
            if self._reach_volumes and _own(Path(str(volume["Mountpoint"])), owner):
                return mount
            if self._owned.get(home) != owner:
                self._own_through_daemon(home, owner)
                self._owned[home] = owner
        return mount

    def usage(self, home: str) -> int | None:
        return None  # the daemon walks every file of every volume to tell

    def destroy(self, home: str) -> None:
        self._owned.pop(home, None)
        with translating():
            if self._ours(home) is None:
                return
            try:
                self._client().remove_volume(home)
            except docker.errors.NotFound:
                pass
            except docker.errors.APIError as error:
                if error.status_code != 409:
                    raise
                raise Busy(
                    "The home is in use by a workspace", hint="Delete its workspaces first."
                ) from error

    def close(self) -> None:
        """Close the connections to the daemon; the storage opens others when used again."""
        self._client.close()

    def _ours(self, home: str) -> dict[str, Any] | None:
        """Inspect the volume; None when there is none. Raises: EngineError when it is not ours."""
        try:
            volume = dict(self._client().inspect_volume(home))
        except docker.errors.NotFound:
            return None
        if (volume.get("Labels") or {}).get(INSTANCE_LABEL) != self._instance:
            raise EngineError(
                f"The volume {home} is not one of {self._instance}'s",
                hint="It belongs to another installation, or was made by hand.",
            )
        return volume

    def _own_through_daemon(self, home: str, owner: tuple[int, int]) -> None:
        """Change the owner of the volume's root by unpacking an entry for it.

        The container is never started, so no program of the image runs.
        """
        client = self._client()
        made: dict[str, Any] = client.create_container_from_config(  # type: ignore[no-untyped-call]
            {
                "Image": self._helper_image,
                "Cmd": ["never-run"],
                "Labels": {"rootblood.helper": self._instance},
                "HostConfig": {
                    "NetworkMode": "none",
                    "Mounts": [
                        {
                            "Type": "volume",
                            "Source": home,
                            "Target": f"/{_HELPER_TARGET}",
                            "VolumeOptions": {"NoCopy": True},
                        }
                    ],
                },
            }
        )
        try:
            client.put_archive(made["Id"], "/", _directory_entry(_HELPER_TARGET, owner))
        finally:
            client.remove_container(made["Id"], force=True)


def _own(root: Path, owner: tuple[int, int]) -> bool:
    """Give the volume's root to ``owner``; False when it cannot be seen from here."""
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        found = os.fstat(descriptor)
        if (found.st_uid, found.st_gid) != owner:
            # The mode only on this occasion: afterwards it is its owner's to choose.
            os.fchmod(descriptor, _HOME_MODE)
            os.fchown(descriptor, *owner)
    finally:
        os.close(descriptor)
    return True


def _directory_entry(name: str, owner: tuple[int, int]) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    entry.mode = _HOME_MODE
    entry.uid, entry.gid = owner
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(entry)
    return archive.getvalue()
