"""The same image by hand: what the vault is compared with, and what a run leaves mounted."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.storage import fscrypt


@contextmanager
def by_hand(directory: Path, size: int, uid: int, key: bytes | None) -> Iterator[Path]:
    """Yield a directory of ``uid`` in an ext4 image, encrypted where there is a key."""
    directory.mkdir()
    image, mount = directory / "image", directory / "mount"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", "-F", "-m", "0", "-i", "16384", "-O", "encrypt", str(image))
    device = _run("losetup", "-f", "--show", "--direct-io=on", str(image)).strip()
    try:
        _run("mount", "-o", "nosuid,nodev,noatime,discard", device, str(mount))
    finally:
        _run("losetup", "-d", device)
    try:
        home = mount / "home"
        home.mkdir(0o700)
        if key is not None:
            fscrypt.set_policy(home, fscrypt.add_key(mount, key))
        os.chown(home, uid, uid)
        yield home
    finally:
        _run("umount", str(mount))


def detach_below(directory: Path) -> None:
    """Unmount what is mounted below ``directory``, deepest first."""
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    for point in sorted((line.split()[4] for line in table), reverse=True):
        if point.startswith(f"{directory}/"):
            subprocess.run(["umount", "-l", point], check=False)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
