"""Homes as Docker named volumes: nothing to set up, no size limit, not encrypted."""

import io
import os
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.engines.docker_errors import translating
from orchestrator.errors import StorageError
from orchestrator.spec import Mount
from orchestrator.storage import Feature, Home, Kind, ownership
from orchestrator.storage.names import HOME_NAME, STAGED, checked
from orchestrator.storage.volumes import Volumes

_HELPER_TARGET = "home"
_ADOPTING = ".adopting"
_HOME, _REPOSITORY = "home_", "snapshots_"


class PlainStorage:
    """Keeps each home in a volume of the daemon at ``url``.

    ``helper_image`` is an image that the daemon has, in whose containers files are copied.
    ``instance`` as in :class:`orchestrator.engines.docker.DockerEngine`. Without ``reach_volumes``
    the volumes' files are never touched from here but through the daemon, as when it runs on
    another machine. ``reason`` says why homes are not kept better.
    """

    kind = Kind.PLAIN
    features: frozenset[Feature] = frozenset()

    def __init__(
        self,
        url: str,
        *,
        helper_image: str,
        instance: str = "rootblood",
        reach_volumes: bool = True,
        reason: str = "",
    ) -> None:
        self._volumes = Volumes(url, helper_image=helper_image, instance=instance)
        self._reach_volumes = reach_volumes and os.geteuid() == 0
        self._owned: dict[str, tuple[int, int]] = {}
        self._adopted: set[str] = set()
        self.place = url
        self.reason = reason

    def is_place(self, text: str) -> bool:
        # Once a host's name came first; of another host's homes none is found here.
        return text == self.place or text.partition(":")[2] == self.place

    def unlock(self, home: Home, key: bytes) -> None:
        self._finish_adoption(checked(home.name))
        if home.known and self._volumes.find(home.name) is None:
            raise StorageError(
                "The volume of your home is not there",
                hint="Nothing was deleted or made anew. An administrator has to bring back the "
                f"engine's volume {home.name}: is it the same engine as before?",
            )
        self._make(home.name, home.owner)

    def lock(self, name: str) -> None:
        """Change nothing: there is no key to take away."""

    def unlocked(self) -> frozenset[str]:
        found = {volume["Name"]: volume for volume in self._volumes.all()}
        return frozenset(
            name
            for name, volume in found.items()
            if name.startswith(_HOME)
            and HOME_NAME.fullmatch(name)
            and f"{name}{_ADOPTING}" not in found
            and self._is_usable(name, volume)
        )

    def is_unlocked(self, name: str) -> bool:
        volume = self._volumes.find(name)
        return (
            volume is not None
            and self._is_usable(name, volume)
            and self._volumes.find(f"{name}{_ADOPTING}") is None
        )

    def mount(self, name: str, target: str) -> Mount:
        return Mount(source=name, target=target, volume=True)

    def repository(self, home: Home, target: str) -> Mount:
        name = _repository(home.name)
        self._make(name, home.owner)
        return Mount(source=name, target=target, volume=True)

    def usage(self, name: str) -> int | None:
        return None  # the daemon walks every file of every volume to tell

    def capacity(self, name: str) -> int | None:
        return None

    def reserve(self, name: str, nbytes: int, *, partly: bool = False) -> None:
        """Change nothing: there is no limit to reserve from."""

    def brake(self, name: str, on: bool) -> None:
        """Change nothing: nothing of a volume is lost on a full disk but what is refused."""

    @contextmanager
    def frozen(self, name: str) -> Iterator[bool]:
        yield False

    def stage(self, home: Home, key: bytes) -> None:
        self._finish_adoption(home.name)
        self._adopted.discard(home.name)
        self._volumes.remove(f"{home.name}{STAGED}")
        self._owned.pop(f"{home.name}{STAGED}", None)
        self._make(f"{home.name}{STAGED}", home.owner)

    def adopt(self, home: Home, key: bytes) -> None:
        name = home.name
        if self._volumes.find(f"{name}{STAGED}") is not None:
            for volume in (name, f"{name}{STAGED}"):
                self._volumes.refuse_use(volume)
            self._volumes.ensure(f"{name}{_ADOPTING}")  # from here on there is no way back
        self._finish_adoption(name)
        if name not in self._adopted:
            raise StorageError(
                "What was to take your home's place is gone",
                hint="Your files are as they were. Try again.",
            )

    def discard(self, name: str) -> None:
        self._finish_adoption(name)
        self._adopted.discard(name)
        self._volumes.remove(f"{name}{STAGED}")

    def destroy(self, name: str) -> None:
        self._owned.pop(checked(name), None)
        self._owned.pop(_repository(name), None)
        self._adopted.discard(name)
        # The home first: it is this that refuses while somebody uses it.
        for volume in (name, _repository(name), f"{name}{STAGED}", f"{name}{_ADOPTING}"):
            self._volumes.remove(volume)

    def reconcile(self) -> None:
        names = {str(volume["Name"]) for volume in self._volumes.all()}
        for name in sorted(names):
            if name.endswith(_ADOPTING):
                self._finish_adoption(name.removesuffix(_ADOPTING))
            elif name.endswith(STAGED):
                home = name.removesuffix(STAGED)
                if f"{home}{_ADOPTING}" not in names and not self._volumes.in_use(name):
                    self._volumes.release(name)

    def close(self) -> None:
        self._volumes.close()

    def _finish_adoption(self, name: str) -> None:
        """Copy again from the start what a crash may have left half copied."""
        if self._volumes.find(f"{name}{_ADOPTING}") is None:
            return
        staged = f"{name}{STAGED}"
        if self._volumes.find(staged) is not None:
            self._volumes.ensure(name)
            self._volumes.copy(name, Mount(staged, "", volume=True), Mount(name, "", volume=True))
            self._adopted.add(name)
        self._volumes.remove(f"{name}{_ADOPTING}")
        self._volumes.remove(staged)

    def _is_usable(self, name: str, volume: dict[str, Any]) -> bool:
        return name in self._owned or (self._reach_volumes and _is_given(volume))

    def _make(self, name: str, owner: tuple[int, int]) -> None:
        volume = self._volumes.ensure(name)
        if (volume.get("Options") or {}).get("device"):
            raise StorageError(
                f"The home {name} is kept in a vault",
                hint="Start the server with ROOTBLOOD_STORAGE=vault.",
            )
        # Looked at each time: a crash may have come between making the volume and giving it.
        if self._reach_volumes and ownership.give(Path(str(volume["Mountpoint"])), owner):
            self._owned[name] = owner
        elif self._owned.get(name) != owner:
            self._own_through_daemon(name, owner)
            self._owned[name] = owner

    def _own_through_daemon(self, name: str, owner: tuple[int, int]) -> None:
        """Change the owner of the volume's root by unpacking an entry for it.

        The container is never started, so no program of the image runs.
        """
        seen = Mount(name, f"/{_HELPER_TARGET}", volume=True)
        with (
            self._volumes.container(f"{name}.own-{secrets.token_hex(4)}", seen) as container,
            translating(),
        ):
            entry = _directory_entry(_HELPER_TARGET, owner)
            self._volumes.client().put_archive(container, "/", entry)


def _repository(name: str) -> str:
    return f"{_REPOSITORY}{name.removeprefix(_HOME)}"


def _is_given(volume: dict[str, Any]) -> bool:
    try:
        return os.stat(volume["Mountpoint"], follow_symlinks=False).st_uid != 0
    except OSError:
        return False


def _directory_entry(name: str, owner: tuple[int, int]) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    entry.mode = ownership.HOME_MODE
    entry.uid, entry.gid = owner
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(entry)
    return archive.getvalue()
