"""Directories that belong to a home's owner."""

import os
from pathlib import Path

HOME_MODE = 0o700


def give(root: Path, owner: tuple[int, int]) -> bool:
    """Give the directory to ``owner``; False when it cannot be seen from here."""
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        found = os.fstat(descriptor)
        if (found.st_uid, found.st_gid) != owner:
            # The mode only on this occasion: afterwards it is its owner's to choose.
            os.fchmod(descriptor, HOME_MODE)
            os.fchown(descriptor, *owner)
    finally:
        os.close(descriptor)
    return True
