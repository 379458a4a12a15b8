"""Homes as images: encrypted at rest with their own key, and no larger than their capacity.

One sparse file per home holds an ext4 whose one tree is encrypted by the kernel; while unlocked it
is mounted, and containers get it through the named volume of the home's name. Why so, and what an
image still tells: docs/explanation/homes.md.
"""

import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.errors import EngineError, HomeBusy, RootBloodError, StorageError
from orchestrator.spec import Mount
from orchestrator.storage import Feature, Home, Kind, ballast, freezing, mounts, ownership
from orchestrator.storage.commands import run, translating
from orchestrator.storage.image import Image
from orchestrator.storage.locks import Kept, holding
from orchestrator.storage.names import HOME_NAME, PROBE, STAGED, checked
from orchestrator.storage.place import place_of
from orchestrator.storage.takeover import Takeover
from orchestrator.storage.volumes import Volumes

_log = logging.getLogger(__name__)
_LOCKS = "locks"
_ADOPTED = ".adopted"
_ORPHAN_SECONDS = 2.0
"""Tools of a killed server end within this."""
_IMAGE = re.compile(rf"({HOME_NAME.pattern})(?:\{STAGED})?\.img(?:\.making|\.undo)?")


class VaultStorage:
    """Keeps images in ``directory`` and mounts them below ``mount_root``; needs root.

    The daemon at ``url`` runs on this machine and sees what is mounted. ``helper_image`` is an
    image that it has, for taking over homes of :class:`~orchestrator.storage.plain.PlainStorage`.
    """

    kind = Kind.VAULT
    features = frozenset({Feature.ENCRYPTED, Feature.CAPPED, Feature.FREEZES})
    reason = ""

    def __init__(
        self,
        directory: Path,
        mount_root: Path,
        url: str,
        *,
        helper_image: str,
        instance: str = "rootblood",
    ) -> None:
        self._directory = directory.resolve()
        self._mount_root = mount_root.resolve()
        self.volumes = Volumes(url, helper_image=helper_image, instance=instance)
        self._takeover = Takeover(self.volumes, self._directory)
        self._stages = Kept(self._directory / _LOCKS)
        self._bound: set[str] = set()

    @property
    def place(self) -> str:
        with translating():
            return place_of(self._directory)

    def is_place(self, text: str) -> bool:
        return text in (self.place, f"{socket.gethostname()}:{self._directory}")

    def unlock(self, home: Home, key: bytes) -> None:
        image = self._image(home.name)
        with translating():
            if self._is_ready(image, home, key):
                return
            with self._alone(home.name) as hold:
                self._open(image, home, key, hold)

    def lock(self, name: str) -> None:
        image = self._image(name)
        with self._alone(name) as hold, translating():
            if mounts.mounted_on(image.point) is None and not mounts.loops_of(image.file):
                return
            self.volumes.refuse_use(name)
            image.close(hold=hold)

    def unlocked(self) -> frozenset[str]:
        found = set()
        for mounted in mounts.table():
            name = mounted.point.name
            if mounted.point.parent == self._mount_root and HOME_NAME.fullmatch(name):
                image = self._image(name)
                if mounts.image_of(mounted.device) == image.file and image.has_key():
                    found.add(name)
        return frozenset(found)

    def is_unlocked(self, name: str) -> bool:
        image = self._image(name)
        with translating():
            return image.is_open()

    def mount(self, name: str, target: str) -> Mount:
        if name.endswith(STAGED):
            return Mount(source=str(self._staged(name.removesuffix(STAGED)).tree), target=target)
        # Looked at each time: in the place of a volume that is gone the engine would make an empty
        # one, unencrypted.
        self._bind(name, str(self._image(name).tree))
        return Mount(source=name, target=target, volume=True)

    def repository(self, home: Home, target: str) -> Mount:
        path = self._repository(home.name)
        with translating():
            path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
            if not ownership.give(path, home.owner):
                raise StorageError(f"{path} is not a directory")
        return Mount(source=str(path), target=target)

    def usage(self, name: str) -> int | None:
        image = self._image(name)
        with translating():
            return image.usage() if image.is_open() else None

    def capacity(self, name: str) -> int | None:
        image = self._image(name)
        with translating():
            return image.capacity() if image.is_open() else None

    def reserve(self, name: str, nbytes: int, *, partly: bool = False) -> None:
        image = self._image(name)
        with self._alone(name), translating():
            if image.is_open():  # else it is the next unlocking's to do
                ballast.reserve(image.point, nbytes, partly=partly)

    def brake(self, name: str, on: bool) -> None:
        point = self._image(name).point
        with translating():
            if mounts.device_on(point) is None or ballast.is_braked(point) == on:
                return
            # Who holds the lock may hold every write too; the next call is a few seconds away.
            with suppress(HomeBusy), self._alone(name, patience=0.0):
                if mounts.device_on(point) is not None:
                    ballast.brake(point, on)

    @contextmanager
    def frozen(self, name: str) -> Iterator[bool]:
        image = self._image(name)
        with self._alone(name):
            if not image.is_open():
                yield False
                return
            with freezing.frozen(image.point) as held:
                yield held

    def stage(self, home: Home, key: bytes) -> None:
        staged = self._staged(home.name)
        with self._alone(home.name) as hold, translating():
            self.volumes.refuse_use(str(staged.tree))
            self._stages.take(_stage(home.name), patience=_ORPHAN_SECONDS)
            self._drop_staged(home.name, hold)
            staged.make(home, key, hold=hold)
            ballast.reserve(staged.point, home.reserved_bytes, partly=True)

    def adopt(self, home: Home, key: bytes) -> None:
        image, staged = self._image(home.name), self._staged(home.name)
        with self._alone(home.name) as hold, translating():
            if not staged.file.exists():
                if self._adopted(home.name).exists():  # by who was killed, it may be
                    return
                raise StorageError(
                    "What was to take your home's place is gone",
                    hint="Your files are as they were. Try again.",
                )
            self.volumes.refuse_use(home.name)
            self.volumes.refuse_use(str(staged.tree))
            was_open = image.is_open()
            with self._stages.ending(_stage(home.name), patience=_ORPHAN_SECONDS):
                if staged.is_open():
                    staged.save(hold=hold)
                staged.close(hold=hold)
                image.close(hold=hold)
                run("sync", str(staged.file), hold=hold, long=True)
                self._adopted(home.name).touch()
                staged.file.replace(image.file)
                run("sync", str(self._directory), hold=hold)
            if was_open:
                self._open(image, home, key, hold)

    def discard(self, name: str) -> None:
        staged = self._staged(name)
        with self._alone(name) as hold, translating():
            self.volumes.refuse_use(str(staged.tree))
            with self._stages.ending(_stage(name), patience=_ORPHAN_SECONDS):
                self._drop_staged(name, hold)

    def destroy(self, name: str) -> None:
        image, staged = self._image(name), self._staged(name)
        with self._alone(name) as hold, translating():
            self.volumes.refuse_use(str(staged.tree))
            with self._stages.ending(_stage(name), patience=_ORPHAN_SECONDS):
                self.volumes.remove(name)  # first: it is this that refuses while somebody uses it
                self._bound.discard(name)
                self._drop_staged(name, hold)
            image.delete(hold=hold)
            run("rm", "-rf", "--", str(self._repository(name)), hold=hold, long=True)
            self._takeover.note(name).unlink(missing_ok=True)

    def reconcile(self) -> None:
        with translating():
            self._mount_root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in sorted(self._traces()):
                try:
                    with self._alone(name, patience=_ORPHAN_SECONDS) as hold:
                        self._mend(name, hold)
                except HomeBusy as busy:  # another server's, or a container's
                    _log.info("home.left-alone", extra={"home": name, "why": busy.message})
                except (RootBloodError, OSError) as error:
                    _log.warning("home.not-mended", extra={"home": name, "why": str(error)})

    def close(self) -> None:
        self._stages.drop_all()
        self.volumes.close()

    def _image(self, name: str, suffix: str = "") -> Image:
        whole = f"{checked(name)}{suffix}"
        return Image(self._directory / f"{whole}.img", self._mount_root / whole)

    def _staged(self, name: str) -> Image:
        return self._image(name, STAGED)

    def _repository(self, name: str) -> Path:
        return self._directory / "snapshots" / name

    def _adopted(self, name: str) -> Path:
        """Return the note that, with nothing staged, says that it took the home's place."""
        return self._directory / f"{name}{_ADOPTED}"

    @contextmanager
    def _alone(self, name: str, patience: float | None = None) -> Iterator[int]:
        with translating():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._mount_root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with holding(self._directory / _LOCKS, name, patience=patience) as hold:
            yield hold

    def _is_ready(self, image: Image, home: Home, key: bytes) -> bool:
        if home.name not in self._bound or not image.is_open() or image.is_stopped():
            return False
        image.give_key(key)
        reserved = ballast.reserved_bytes(image.point)
        return image.fits(home) and reserved == home.reserved_bytes

    def _open(self, image: Image, home: Home, key: bytes, hold: int) -> None:
        volume = self._takeover.find(home.name)
        if image.file.exists():
            if volume:
                self._takeover.finish(home.name, volume)
            if image.is_open() and image.is_stopped():  # opening it again mends it
                self.volumes.refuse_use(home.name)
                image.close(hold=hold)
            image.open(home, key, hold=hold)
            if not image.fits(home):
                image.grow(home, hold=hold)
        elif volume:
            image.make(home, key, self._takeover.begin(home.name, volume), hold=hold)
            self._takeover.finish(home.name, volume)
        elif home.known:
            raise StorageError("The image of your home is not there", hint=_missing(image.file))
        else:
            self.volumes.drop_copies(home.name)
            image.make(home, key, hold=hold)
        ballast.reserve(image.point, home.reserved_bytes, partly=True)
        self._bind(home.name, str(image.tree))

    def _bind(self, name: str, tree: str) -> None:
        """Let containers find the tree by the home's name."""
        # Without its device the engine refuses to start a container, where a path would be made.
        options = {"type": "none", "o": "bind,nosuid,nodev", "device": tree}
        volume = self.volumes.ensure(name, options)
        if (volume.get("Options") or {}).get("device") != tree:  # mounted elsewhere now
            self.volumes.release(name)
            self.volumes.ensure(name, options)
        self._bound.add(name)

    def _traces(self) -> set[str]:
        """Return every home that has a file, a mount or a loop device here."""
        files = [*self._directory.glob("*.img*"), *mounts.loops().values()]
        found = {
            match[1]
            for file in files
            if file.parent == self._directory and (match := _IMAGE.fullmatch(file.name))
        }
        points = self._mount_root.iterdir()
        return found | {p.name.removesuffix(STAGED) for p in points if HOME_NAME.match(p.name)}

    def _mend(self, name: str, hold: int) -> None:
        image, staged = self._image(name), self._staged(name)
        for one in (image, staged):
            if mounts.device_on(one.point) is not None:
                freezing.thaw_path(one.point)
        if image.making.exists():
            with suppress(EngineError):
                self.volumes.drop_copies(name)
        if name == PROBE:
            image.delete(hold=hold)
        elif not image.is_open():
            image.close(hold=hold)
            image.making.unlink(missing_ok=True)
        is_mounted = mounts.device_on(staged.point) is not None
        if is_mounted or staged.file.exists() or staged.making.exists():
            self.volumes.refuse_use(str(staged.tree))
            # Who staged it holds this for as long as he lives.
            stage = _stage(name)
            with holding(self._directory / _LOCKS, stage, patience=_ORPHAN_SECONDS):
                self._drop_staged(name, hold)

    def _drop_staged(self, name: str, hold: int) -> None:
        self._adopted(name).unlink(missing_ok=True)  # nothing staged, it would say: adopted
        self._staged(name).delete(hold=hold)


def _stage(name: str) -> str:
    """Name the lock on what is staged."""
    return f"{name}{STAGED}"


def _missing(file: Path) -> str:
    return (
        f"Nothing was deleted or made anew. An administrator has to bring back {file}: "
        "is the disk mounted that holds it?"
    )
