"""Lay the commons out on the disk: directories, the user that git runs as, the way to them.

The data directory is closed to everybody, and may lie below others that are. So that git, as a
user of its own, reaches the repositories in it and nothing else there, they are mounted a second
time at a place that everybody can walk to.
"""

import ctypes
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from orchestrator.commons.git import Git
from orchestrator.commons.store import Store
from orchestrator.errors import RootBloodError

_LIBC = ctypes.CDLL(None, use_errno=True)
_MS_BIND = 4096  # <sys/mount.h>
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8


def prepare(root: Path, *, uid: int | None, run_root: Path) -> Store:
    """Make the commons at ``root``, empty at first; idempotent and crash-safe.

    With a ``uid`` git runs as that user, and reaches ``root`` through a mount below ``run_root``.
    Raises: RootBloodError.
    """
    root = root.absolute()
    _move_old(root.parent / "global", root / "global")
    store = Store.at(root, Git())
    if uid is not None:
        store = Store.at(_reachable(root, run_root), Git(uid), root)
    return store


def _move_old(old: Path, place: Path) -> None:
    # Where it lay before repositories could be private.
    if old.is_dir() and not place.exists():
        place.parent.mkdir(mode=0o711, exist_ok=True)
        old.rename(place)


def _reachable(root: Path, run_root: Path) -> Path:
    """Mount ``root`` at a place of its own below ``run_root`` and return it. Idempotent."""
    place = run_root / f"commons-{sha256(os.fsencode(root)).hexdigest()[:12]}"
    try:
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
        # What is mounted there may be a directory that was since deleted and made anew.
        while not place.samefile(root) and _unmounted(place):
            pass
        if not place.samefile(root):
            _call(_LIBC.mount(os.fsencode(root), os.fsencode(place), None, _MS_BIND, None), place)
    except OSError as error:
        raise RootBloodError(
            f"Cannot mount the commons at {place}: {error.strerror}",
            hint="Run RootBlood as root, with the right to mount.",
        ) from error
    return place


def unmount(store: Store) -> None:
    """Take the second way to the commons away again; no error where there was none."""
    _unmounted(store.root)
    with suppress(OSError):  # it is the directory itself
        store.root.rmdir()


def _unmounted(place: Path) -> bool:
    """Take one mount away from ``place``; return whether there was one."""
    return int(_LIBC.umount2(os.fsencode(place), _MNT_DETACH | _UMOUNT_NOFOLLOW)) == 0


def sweep(run_root: Path) -> None:
    """Take away every such way below ``run_root``: of servers that are gone for good."""
    for place in run_root.glob("commons-*"):
        unmount(Store(place, Git(), place))
    with suppress(OSError):
        run_root.rmdir()


def _call(result: int, path: Path) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
