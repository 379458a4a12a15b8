"""What is mounted where, and on which loop device an image hangs.

Read from /proc and /sys, where looking is cheap; changed by system calls and the system's tools.
"""

import ctypes
import errno
import fcntl
import os
import re
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import HomeBusy
from orchestrator.offload import offload
from orchestrator.storage.commands import run

_LIBC = ctypes.CDLL(None, use_errno=True)
_FLAGS = 2 | 4 | 1024  # MS_NOSUID, MS_NODEV, MS_NOATIME: <sys/mount.h>
_OPTIONS = b"errors=remount-ro,discard"
_BLOCK, _NUMBERS = Path("/sys/block"), Path("/sys/dev/block")
_LOOP_CLR_FD = 0x4C01  # <linux/loop.h>
_STOPPED = frozenset({b"ro", b"emergency_ro", b"shutdown"})
# <linux/loop.h>: struct loop_config up to info.lo_flags, and the rest, which is zero.
_LOOP_CONFIG = struct.Struct("=I4x52xI240x")
_LOOP_CONTROL = Path("/dev/loop-control")
_LOOP_GET_FREE, _LOOP_CONFIGURE = 0x4C82, 0x4C0A
_DIRECT_IO = 16
_SETTLE_SECONDS = 3.0
_CLAIM_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Mounted:
    """A line of mountinfo; ``device`` is ``major:minor``."""

    device: str
    point: Path
    is_stopped: bool
    """The kernel writes nothing more to it, after an error; younger ones have words for that."""


def table() -> list[Mounted]:
    """Return every mount of this process's namespace, in the order they were made."""
    with open("/proc/self/mountinfo", "rb") as lines:
        return [_mounted(line) for line in lines]


def _mounted(line: bytes) -> Mounted:
    field = line.split(b" ", 5)
    options = line.rsplit(b" ", 1)[1].strip().split(b",")
    is_stopped = not _STOPPED.isdisjoint(options)
    return Mounted(field[2].decode(), _unescaped(field[4]), is_stopped)


def _unescaped(field: bytes) -> Path:
    """Undo mountinfo's octal escapes of space, tab, newline and backslash."""
    return Path(os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), field)))


def mounted_on(point: Path) -> Mounted | None:
    """Return what is mounted on ``point``."""
    return next((one for one in reversed(table()) if one.point == point), None)


def device_on(point: Path) -> str | None:
    """Return the device ``major:minor`` of what is mounted on ``point``: cheaper than the table."""
    with suppress(FileNotFoundError):
        device = os.stat(point).st_dev
        if device != os.stat(point.parent).st_dev:
            return f"{os.major(device)}:{os.minor(device)}"
    return None


def mount(device: str, point: Path) -> None:
    """Mount the ext4 of ``device`` there: by the system call, because a start waits for it."""
    point.mkdir(mode=0o700, exist_ok=True)
    deadline = time.monotonic() + _SETTLE_SECONDS
    while number := offload(_mount, os.fsencode(device), os.fsencode(point)):
        # Somebody's losetup may look at it just now.
        if number != errno.EBUSY or time.monotonic() >= deadline:
            raise OSError(number, os.strerror(number), device)
        time.sleep(0.005)


def _mount(device: bytes, point: bytes) -> int:
    failed: int = _LIBC.mount(device, point, b"ext4", _FLAGS, _OPTIONS)
    return ctypes.get_errno() if failed else 0


def in_use(device: str) -> bool:
    """Return whether the loop device is mounted, in whatever namespace."""
    deadline = time.monotonic() + _CLAIM_SECONDS
    while _is_claimed(device):
        if time.monotonic() >= deadline:
            return True
        time.sleep(0.002)
    return False


def _is_claimed(device: str) -> bool:
    """Return whether somebody has the device to himself (open(2), O_EXCL).

    Who mounts it does; and for a moment does each losetup that finds it taken.
    """
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return True
    return False


def unmount(point: Path, *, hold: int) -> None:
    """Unmount what is mounted on ``point``, everywhere in this namespace. Raises: HomeBusy.

    Nothing being mounted there is success. The caller holds the home's lock.
    """
    mounted = mounted_on(point)
    if mounted is None:
        return
    deadline = time.monotonic() + _SETTLE_SECONDS
    # With its last mount the device would go on to the next home, and that be unmounted, too. While
    # somebody has it open, it does not.
    with _opened(_node(mounted.device), os.O_RDONLY):
        while held := [one for one in table() if one.device == mounted.device]:
            # Somebody who only looks at it, such as a census of disks, is gone in a moment.
            if time.monotonic() >= deadline:
                raise HomeBusy("The home is in use on the server")
            done = run("umount", "--", str(held[-1].point), hold=hold, ok=(0, 1, 32), long=True)
            if done.returncode != 0:
                time.sleep(0.02)


def _node(device: str) -> Path:
    """Return the node of the block device ``major:minor``."""
    return Path("/dev") / (_NUMBERS / device).resolve().name


def loops_of(image: Path) -> list[str]:
    """Return the loop devices that hold the image, as ``/dev/loop3``."""
    return [device for device, file in loops().items() if file == image]


def loops() -> dict[str, Path]:
    """Return which file each loop device in use holds."""
    found = {}
    for file in _BLOCK.glob("loop*/loop/backing_file"):
        if (image := _backing(file)) is not None:
            found[f"/dev/{file.parts[3]}"] = image
    return found


def image_of(device: str) -> Path | None:
    """Return which file the loop device ``major:minor`` holds; None when it is not one."""
    return _backing(_NUMBERS / device / "loop" / "backing_file")


def _backing(file: Path) -> Path | None:
    try:
        text = file.read_bytes().rstrip(b"\n")
    except OSError:  # none, or let go of in this moment
        return None
    return Path(os.fsdecode(text.removesuffix(b" (deleted)")))


def attach(image: Path) -> str:
    """Return the one loop device that holds the image; the caller holds the home's lock.

    Two would let it be mounted twice at once, and ruin it. By ioctl(2), as :func:`mount`. Where
    the image's file system has no direct I/O, the kernel does without.
    """
    if held := loops_of(image):
        return held[0]
    deadline = time.monotonic() + _SETTLE_SECONDS
    with _opened(image, os.O_RDWR) as file:
        wanted = _LOOP_CONFIG.pack(file, _DIRECT_IO)
        while True:
            with _opened(_LOOP_CONTROL, os.O_RDWR) as control:
                device = f"/dev/loop{fcntl.ioctl(control, _LOOP_GET_FREE)}"
            try:
                with _opened(Path(device), os.O_RDWR) as descriptor:
                    fcntl.ioctl(descriptor, _LOOP_CONFIGURE, wanted)
                return device
            except OSError as error:  # somebody was faster, or its node is still being made
                late = time.monotonic() >= deadline
                if late or error.errno not in (errno.EBUSY, errno.ENOENT, errno.ENXIO):
                    raise
                time.sleep(0.002)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def detach(device: str, image: Path) -> None:
    """Let go of the image, now or when its last mount goes. Not holding it is success."""
    descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Open, the device keeps its image; before, it might have gone on to another one.
        if _backing(_BLOCK / Path(device).name / "loop" / "backing_file") == image:
            fcntl.ioctl(descriptor, _LOOP_CLR_FD)
    except OSError as error:
        if error.errno != errno.ENXIO:  # let go of meanwhile
            raise
    finally:
        os.close(descriptor)


def let_go(image: Path) -> None:
    """Return when no loop device holds the image, which must not be mounted here. Raises: HomeBusy.

    One may be held by a mount in another namespace, such as a container's that did not end.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS
    while held := loops_of(image):
        if time.monotonic() >= deadline:
            raise HomeBusy("The home's image is still in use by a container")
        for device in held:
            detach(device, image)
        time.sleep(0.005)
