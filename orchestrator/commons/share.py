"""Files that are not git: ``/global/<owner>/share``, published whole, counted by the allowance."""

import os
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from models import Deed, User, writing
from orchestrator.commons import activity, quota, settling
from orchestrator.commons.git import CHUNK_BYTES
from orchestrator.commons.names import PATH_MAX
from orchestrator.commons.transport import Readable
from orchestrator.errors import AllowanceReached, BadInput, Conflict, NotFound
from orchestrator.offload import offload
from orchestrator.platform import Platform

DEPTH_MAX = 16
_PART_BYTES_MAX = 200
_STEP_BYTES = 8 << 20
"""Of the allowance, taken at once for a file whose size nobody has told."""


def parse_path(text: object) -> Path:
    """Return ``text`` as a relative path when a shared file can have it. Raises: BadInput."""
    if isinstance(text, str) and len(text) <= PATH_MAX:
        parts = text.split("/")
        if len(parts) <= DEPTH_MAX and all(map(is_part, parts)):
            return Path(*parts)
    raise BadInput(
        "That is not a name for a shared file",
        field="path",
        hint=f"Use printable names of at most {_PART_BYTES_MAX} bytes, none beginning with a dot, "
        f"in at most {DEPTH_MAX - 1} directories.",
    )


def parse_directory(text: object) -> Path:
    """Return ``text`` as the path of a directory; the share itself is empty. Raises: BadInput."""
    return Path() if text == "" else parse_path(text)


def is_part(part: str) -> bool:
    """Return whether a shared file or a directory above it can have that name."""
    return (
        part != ""
        and not part.startswith(".")
        and part.isprintable()
        and len(part.encode(errors="replace")) <= _PART_BYTES_MAX
    )


def publish(
    platform: Platform, user: User, now: datetime, path: Path, body: Readable, expected: int = 0
) -> int:
    """Put a file into the user's share, or in the place of the one there; return its size.

    Where ``expected`` bytes are too many, nothing is read.
    Raises: AllowanceReached, Conflict (a directory has that name, or a file that of one).
    """
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=platform.store.private)
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file, quota.holding(platform, user, expected) as hold:
            size, held = 0, expected
            while piece := body.read(CHUNK_BYTES):
                size += len(piece)
                if size > held:
                    held = _grow(hold, size)
                offload(file.write, piece)
            file.flush()
            platform.store.publish(fresh, user.username, path)
    except (IsADirectoryError, NotADirectoryError, FileExistsError):
        raise Conflict(
            "A directory and a file cannot have one name", hint="Choose another name."
        ) from None
    finally:
        fresh.unlink(missing_ok=True)
    settling.settle(platform, user)
    with writing():
        activity.record(now, user, Deed.SHARE, None, path=str(path))
    activity.publish(platform)
    return size


def _grow(hold: quota.Hold, needed: int) -> int:
    """Keep some more than is needed so far, as far as there is; return how much is kept."""
    with suppress(AllowanceReached):
        hold.grow(needed + _STEP_BYTES)
        return needed + _STEP_BYTES
    hold.grow(needed)
    return needed


def remove(platform: Platform, user: User, path: Path) -> None:
    """Delete a file of the user's share. Raises: NotFound."""
    if not platform.store.withdraw(user.username, path):
        raise NotFound("You share no such file")
    settling.settle(platform, user)
