"""Images with an ext4 inside: made, measured, mended and resized while not mounted.

Superblock fields: Documentation/filesystems/ext4/super.rst.
"""

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import NoSpace, StorageError
from orchestrator.storage.commands import failure, run

BLOCK = 4096
_GROUP_BLOCKS = 32_768
_INODE_BYTES = 256
_BYTES_PER_INODE = 4096
"""As many inodes as blocks, so that files of any size run out of bytes first.

Tables of inodes that were never used are holes in the image.
"""
TOLERANCE = 200
"""A file system is left as it is when its size is wrong by less than this fraction."""
_CLEAN, _RECOVER = 1, 4
_MAGIC = 0xEF53
_NEEDS_HUMAN = "An administrator can look at it with e2fsck; nothing was deleted."


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the file system in an image says of itself; sizes in blocks."""

    blocks: int
    free: int
    clean: bool
    inodes_per_group: int
    spare_descriptors: int
    journal: int

    @property
    def usable_bytes(self) -> int:
        """What files and directories may take: what df calls the size."""
        return BLOCK * (self.blocks - self._overhead(self.blocks))

    @property
    def used_bytes(self) -> int:
        """What files, directories and ballast take; exact after a clean end."""
        return self.usable_bytes - BLOCK * self.free

    def blocks_for(self, capacity_bytes: int) -> int:
        """Return how many blocks leave ``capacity_bytes`` usable."""
        wanted = math.ceil(capacity_bytes / BLOCK)
        blocks = wanted
        # Each round adds the overhead of what the round before added.
        while (more := wanted + self._overhead(blocks)) != blocks and more > blocks:
            blocks = more
        return blocks

    def fits(self, capacity_bytes: int) -> bool:
        """Return whether what is usable is as good as ``capacity_bytes``."""
        return abs(self.usable_bytes - capacity_bytes) <= capacity_bytes // TOLERANCE

    def _overhead(self, blocks: int) -> int:
        groups = math.ceil(blocks / _GROUP_BLOCKS)
        descriptors = math.ceil(groups * 64 / BLOCK) + self.spare_descriptors
        tables = self.inodes_per_group * _INODE_BYTES // BLOCK
        return self.journal + groups * (tables + 2) + _copies(groups) * (1 + descriptors)


def _copies(groups: int) -> int:
    """Count the groups with a superblock: the first two and powers of 3, 5 and 7."""
    powers = {base**power for base in (3, 5, 7) for power in range(1, 20)}
    return min(groups, 2) + sum(1 for group in powers if group < groups)


def superblock(image: Path) -> Superblock:
    """Read the superblock. Raises: StorageError where there is none."""
    with image.open("rb") as file:
        file.seek(1024)
        raw = file.read(1024)
    if len(raw) < 1024 or struct.unpack_from("<H", raw, 0x38)[0] != _MAGIC:
        raise StorageError("The home's image has no readable file system", hint=_NEEDS_HUMAN)
    blocks, free = (
        struct.unpack_from("<I", raw, low)[0] | struct.unpack_from("<I", raw, high)[0] << 32
        for low, high in ((0x4, 0x150), (0xC, 0x158))
    )
    state, incompatible = (
        *struct.unpack_from("<H", raw, 0x3A),
        *struct.unpack_from("<I", raw, 0x60),
    )
    # A backup of the journal's inode: its last two words are the file's size.
    journal_bytes = struct.unpack_from("<I", raw, 0x10C + 16 * 4)[0]
    return Superblock(
        blocks=blocks,
        free=free,
        clean=state == _CLEAN and not incompatible & _RECOVER,
        inodes_per_group=struct.unpack_from("<I", raw, 0x28)[0],
        spare_descriptors=struct.unpack_from("<H", raw, 0xCE)[0],
        journal=journal_bytes // BLOCK,
    )


def make(image: Path, capacity_bytes: int, *, hold: int) -> None:
    """Write a file system with ``capacity_bytes`` for files; ``image`` is replaced."""
    journal = _journal_mib(capacity_bytes)
    guess = capacity_bytes + (journal << 20)
    _format(image, guess, journal, hold)
    blocks = superblock(image).blocks_for(capacity_bytes)
    # Its layout is known only once it is there; 15 ms more, once in a home's life.
    _format(image, blocks * BLOCK, journal, hold)


def _journal_mib(capacity_bytes: int) -> int:
    for least_mib, journal in ((4096, 64), (1024, 32), (512, 16), (128, 8)):
        if capacity_bytes >= least_mib << 20:
            return journal
    return 4


def _format(image: Path, size: int, journal: int, hold: int) -> None:
    image.unlink(missing_ok=True)
    set_size(image, size)
    # Sixteen groups' tables in front of one would keep it from shrinking below them.
    spread = ["-G", "1"]
    extended = "root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    options = ["-b", str(BLOCK), "-I", str(_INODE_BYTES), "-i", str(_BYTES_PER_INODE), "-m", "0"]
    options += ["-J", f"size={journal}", "-O", "encrypt", "-E", extended]
    run("mkfs.ext4", "-q", "-F", *options, *spread, "--", str(image), hold=hold)


def undo_file(image: Path) -> Path:
    """Return where the way back is kept while the image is resized."""
    return image.with_name(f"{image.name}.undo")


def mend(image: Path, device: str, *, hold: int) -> None:
    """Bring the unmounted image into order after whatever ended its last use.

    A resize that was cut short is undone. Raises: StorageError, nothing deleted, when a human has
    to look.
    """
    undo = undo_file(image)
    if undo.exists():
        # A shorter one was made before anything was written; e2undo knows one without its end.
        if undo.stat().st_size >= BLOCK:
            run("e2undo", str(undo), device, hold=hold, long=True)
        undo.unlink()
    elif superblock(image).clean:
        return
    check(device, hold=hold)


def check(device: str, *, hold: int) -> None:
    """Check all of it and repair what is safe to. Raises: StorageError."""
    done = run("e2fsck", "-f", "-p", device, hold=hold, ok=tuple(range(256)), long=True)
    if done.returncode >= 4:
        error = failure("e2fsck", done)
        if isinstance(error, NoSpace):
            raise error
        raise StorageError(error.message, hint=_NEEDS_HUMAN)


def resize(image: Path, device: str, capacity_bytes: int, *, hold: int) -> None:
    """Fit the unmounted image to ``capacity_bytes``; stays when its files would not fit.

    Killed in the middle, :func:`mend` brings back what was. Raises: NoSpace, StorageError.
    """
    blocks = superblock(image).blocks_for(capacity_bytes)
    check(device, hold=hold)
    size = blocks * BLOCK
    if size > image.stat().st_size:
        set_size(image, size)
        run("losetup", "--set-capacity", device, hold=hold)
    undo = undo_file(image)
    argv = ("resize2fs", "-z", str(undo), device, str(blocks))
    done = run(*argv, hold=hold, ok=tuple(range(256)), long=True)
    if done.returncode != 0:
        mend(image, device, hold=hold)
        raise failure("resize2fs", done)
    undo.unlink(missing_ok=True)
    trim(image, device, hold=hold)


def trim(image: Path, device: str, *, hold: int) -> None:
    """Cut off what lies beyond the file system's end."""
    end = superblock(image).blocks * BLOCK
    if image.stat().st_size > end:
        os.truncate(image, end)
        run("losetup", "--set-capacity", device, hold=hold)


def set_size(image: Path, size: int) -> None:
    """Make the file that long, without taking space for it."""
    descriptor = os.open(image, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)
