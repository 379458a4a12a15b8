"""The program that writes a zip: python3 runs its text in the workspace, with paths as arguments.

It walks by open folders and follows no link, so that nothing gets in which was swapped for
something else on the way. A zip is written from front to back, in constant memory.
"""

import os
import stat
import sys
import time
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

CHUNK_BYTES = 1 << 18
DEPTH_MAX = 200
"""Each folder on the way is open."""
UNREADABLE = "UNREADABLE.txt"
_OLDEST = (1980, 1, 1, 0, 0, 0)
_YOUNGEST = (2107, 12, 31, 23, 59, 58)
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Packer:
    """Writes what it is given to ``archive`` and notes what it could not read."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.unreadable: list[str] = []

    def add(self, name: bytes, shown: str, folder: int) -> None:
        """Add what ``name`` is in the open ``folder``, under the name ``shown``."""
        if shown.count("/") > DEPTH_MAX:
            self.unreadable.append(f"{shown}: too deep")
            return
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                target = os.readlink(name, dir_fd=folder)
                self.archive.writestr(_described(shown, found), target)
            elif stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode):
                self._add_opened(name, shown, folder)
            else:
                self.unreadable.append(f"{shown}: neither a file nor a folder")
        except OSError as error:
            self.unreadable.append(f"{shown}: {error.strerror}")

    def _add_opened(self, name: bytes, shown: str, folder: int) -> None:
        descriptor = os.open(name, _FLAGS, dir_fd=folder)
        try:
            found = os.fstat(descriptor)
            if stat.S_ISDIR(found.st_mode):
                self.archive.writestr(_described(f"{shown}/", found), b"")
                for one in sorted(_names(descriptor)):
                    self.add(one, f"{shown}/{_text(one)}", descriptor)
            elif stat.S_ISREG(found.st_mode):
                with open(descriptor, "rb", closefd=False) as file:
                    self._add_file(file, _described(shown, found))
        finally:
            os.close(descriptor)

    def _add_file(self, file: BinaryIO, described: zipfile.ZipInfo) -> None:
        described.compress_type = zipfile.ZIP_DEFLATED
        with self.archive.open(described, "w", force_zip64=True) as entry:
            while chunk := file.read(CHUNK_BYTES):
                entry.write(chunk)


def _names(descriptor: int) -> Iterator[bytes]:
    with os.scandir(descriptor) as entries:
        yield from (os.fsencode(entry.name) for entry in entries)


def _text(name: bytes) -> str:
    return name.decode(errors="replace")


def _described(shown: str, found: os.stat_result) -> zipfile.ZipInfo:
    changed = time.localtime(found.st_mtime)[:6]
    described = zipfile.ZipInfo(shown, min(max(changed, _OLDEST), _YOUNGEST))
    described.create_system = 3  # Unix: the mode is in the upper half
    described.external_attr = (found.st_mode & 0xFFFF) << 16
    return described


def main() -> None:
    """Write a zip of the paths that are the program's arguments."""
    with zipfile.ZipFile(sys.stdout.buffer, "w", compresslevel=1) as archive:
        packer = Packer(archive)
        for path in map(os.fsencode, sys.argv[1:]):
            above, _, name = path.rpartition(b"/")
            folder = os.open(above or b"/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                packer.add(name or b".", _text(name) or "root", folder)
            finally:
                os.close(folder)
        if packer.unreadable:
            archive.writestr(UNREADABLE, "\n".join(packer.unreadable) + "\n")


if __name__ == "__main__":
    main()
