"""One home's image: a file with an encrypted ext4, from first use to last.

Below the mount point lies ``home``, the one encrypted tree that containers see; ballast lies beside
it, where nobody but root comes.
"""

import errno
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import HomeBusy, NoSpace, RootBloodError, StorageError, WrongKey
from orchestrator.offload import offload
from orchestrator.storage import Home, ballast, ext4, fscrypt, mounts
from orchestrator.storage.commands import run
from orchestrator.storage.fscrypt import KeyState
from orchestrator.storage.keys import derive

_log = logging.getLogger(__name__)
_PURPOSE = "fscrypt"
_MAKING = ".making"
_BUSY_SECONDS = 2.0
_SPARE_SHARE = 400
"""ext4 keeps up to 2 % from everybody for its own trees; this fraction is enough."""
_CAP_SYS_RESOURCE = 24  # <linux/capability.h>


@dataclass(frozen=True, slots=True)
class Image:
    """The image ``file``, mounted at ``point`` while open.

    Methods with ``hold`` are called under the home's lock, whose descriptor it is.
    """

    file: Path
    point: Path

    @property
    def tree(self) -> Path:
        """What containers see."""
        return self.point / "home"

    @property
    def making(self) -> Path:
        """The image before it is whole."""
        return self.file.with_name(f"{self.file.name}{_MAKING}")

    def is_open(self) -> bool:
        """Return whether the home is mounted and its key is there."""
        return self._is_mounted() and self.has_key()

    def has_key(self) -> bool:
        """Return whether the mounted home's key is there."""
        try:
            return self._key_state() is KeyState.PRESENT
        except (OSError, StorageError):  # unmounted in this moment, or never finished
            return False

    def is_stopped(self) -> bool:
        """Return whether the kernel stopped writing to the mounted image, after an error."""
        mounted = mounts.mounted_on(self.point)
        return mounted is not None and mounted.is_stopped

    def open(self, home: Home, key: bytes, *, hold: int) -> None:
        """Mount the image, which exists, and fit it to the home's capacity.

        Raises: WrongKey, which leaves a closed image closed.
        """
        try:
            if not self._is_mounted():
                self.close(hold=hold)  # what a killed server may have left there
                self._mount(self.file, home, hold)
                ballast.brake(self.point, False)  # a power cut leaves it in the image
            self.give_key(key)
        except BaseException:
            with suppress(RootBloodError, OSError):
                if not self.is_open():
                    self.close(hold=hold)
            raise

    def make(
        self, home: Home, key: bytes, fill: Callable[[Path], None] | None = None, *, hold: int
    ) -> None:
        """Make the image and open it; it exists once ``fill`` has put its first files into it."""
        self.close(hold=hold)
        try:
            ext4.make(self.making, home.capacity_bytes, hold=hold)
            self._mount(self.making, home, hold)
            self.point.chmod(0o700)
            self.tree.mkdir(mode=0o700)
            # The policy wants an empty directory of its caller's own.
            fscrypt.set_policy(self.tree, fscrypt.add_key(self.point, derive(key, _PURPOSE)))
            os.chown(self.tree, *home.owner)
            if fill:
                fill(self.tree)
            self.save(hold=hold)
            self.making.rename(self.file)
            run("sync", str(self.file.parent), hold=hold)
        except BaseException:
            with suppress(RootBloodError, OSError):
                self.close(hold=hold)
                self.making.unlink(missing_ok=True)
            raise

    def give_key(self, key: bytes) -> None:
        """Make the mounted tree readable. Raises: WrongKey, changing nothing."""
        wanted = self._policy()
        identifier = fscrypt.add_key(self.point, derive(key, _PURPOSE))
        if identifier != wanted:  # the kernel takes any key
            fscrypt.remove_key(self.point, identifier)
            raise WrongKey()
        if self._key_state() is not KeyState.PRESENT:
            raise StorageError("The kernel did not keep the home's key")

    def save(self, *, hold: int) -> None:
        """Write all that is open to the host's disk. Raises: NoSpace, StorageError."""
        run("sync", "-f", str(self.point), hold=hold, long=True)

    def close(self, *, hold: int) -> None:
        """Take the key away and unmount; closed is success. Raises: HomeBusy."""
        if mounts.mounted_on(self.point) is not None:
            try:
                self._forget_key(hold)
            except OSError as error:
                # The kernel has shut a file system that it could not write to; nothing reads it
                # any more, and its key goes with the mount.
                if error.errno not in (errno.EIO, errno.EROFS):
                    raise
            mounts.unmount(self.point, hold=hold)
        for file in (self.file, self.making):
            mounts.let_go(file)
        with suppress(OSError):
            self.point.rmdir()

    def delete(self, *, hold: int) -> None:
        """Close the image and delete it; absent is success. Raises: HomeBusy."""
        self.close(hold=hold)
        files = (self.file, self.making, ext4.undo_file(self.file))
        if found := [str(file) for file in files if file.exists()]:
            run("rm", "-f", "--", *found, hold=hold, long=True)

    def fits(self, home: Home) -> bool:
        """Return whether the open image is as large as it can be made while open."""
        missing = home.capacity_bytes - self.capacity()
        return missing <= home.capacity_bytes // ext4.TOLERANCE or not _may_grow_mounted()

    def grow(self, home: Home, *, hold: int) -> None:
        """Fit the open image to a larger capacity; what the kernel refuses waits for its opening.

        Raises: NoSpace.
        """
        (device,) = mounts.loops_of(self.file)
        size = ext4.superblock(self.file).blocks_for(home.capacity_bytes) * ext4.BLOCK
        if size > self.file.stat().st_size:
            ext4.set_size(self.file, size)
        run("losetup", "--set-capacity", device, hold=hold)
        with suppress(StorageError):
            run("resize2fs", device, hold=hold, long=True)

    def capacity(self) -> int:
        """Return the bytes that files and ballast may take in the open image."""
        found = os.statvfs(self.point)
        return found.f_blocks * found.f_frsize

    def usage(self) -> int:
        """Return the bytes that files take in the open image, or their number if that is more.

        Their number counts as the same share of what files may take.
        """
        found = os.statvfs(self.point)
        taken = (found.f_blocks - found.f_bfree) * found.f_frsize
        theirs = found.f_blocks * found.f_frsize - ballast.reserved_bytes(self.point)
        by_number = theirs * (found.f_files - found.f_ffree) // found.f_files
        return max(0, taken - ballast.held_bytes(self.point), by_number)

    def _is_mounted(self) -> bool:
        device = mounts.device_on(self.point)
        return device is not None and mounts.image_of(device) == self.file

    def _mount(self, file: Path, home: Home, hold: int) -> None:
        device = mounts.attach(file)
        # One that another namespace still has mounted is in order, and must not be touched.
        if not mounts.in_use(device):
            ext4.mend(file, device, hold=hold)
            _fit(file, device, home, hold)
        mounts.mount(device, self.point)
        mounts.detach(device, file)  # it goes with the last mount
        _spare_less(device, self.capacity())

    def _forget_key(self, hold: int) -> None:
        policy = fscrypt.policy_of(self.tree) if self.tree.is_dir() else None
        if policy is None:
            return
        if self._key_state() is KeyState.PRESENT and not self.is_stopped():
            ballast.drop(self.point)  # what files may take is the next opening's to say
            try:
                self.save(hold=hold)
            except (NoSpace, StorageError) as error:
                # The kernel has given those writes up: staying open would not bring them back.
                _log.warning("home.not-saved", extra={"home": self.point.name, "why": str(error)})
        deadline = time.monotonic() + _BUSY_SECONDS
        # It throws every cached file out before it returns: 0.7 s for 60,000 of them.
        while not offload(fscrypt.remove_key, self.point, policy):
            if time.monotonic() >= deadline:
                raise HomeBusy("Files of the home are still open on the server")
            time.sleep(0.01)

    def _policy(self) -> bytes:
        policy = fscrypt.policy_of(self.tree)
        if policy is None:
            raise StorageError("The home's image holds no encrypted tree")
        return policy

    def _key_state(self) -> KeyState:
        return fscrypt.key_state(self.point, self._policy())


def _fit(file: Path, device: str, home: Home, hold: int) -> None:
    ext4.trim(file, device, hold=hold)
    found = ext4.superblock(file)
    if found.fits(home.capacity_bytes):
        return
    grows = home.capacity_bytes > found.usable_bytes
    if not grows and found.used_bytes > home.capacity_bytes:
        return
    try:
        ext4.resize(file, device, home.capacity_bytes, hold=hold)
    except StorageError:
        if grows:
            raise


def _spare_less(device: str, capacity_bytes: int) -> None:
    file = Path("/sys/fs/ext4") / Path(device).name / "reserved_clusters"
    with suppress(OSError, ValueError):  # in a container /sys is often read-only
        spare = capacity_bytes // ext4.BLOCK // _SPARE_SHARE
        if int(file.read_text()) > spare:
            file.write_text(str(spare))


def _may_grow_mounted() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_SYS_RESOURCE & 1)
    return False
