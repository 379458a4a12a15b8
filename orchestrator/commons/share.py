"""Files that are not git: ``/global/<owner>/share``, published whole, counted by the allowance."""

import os
import tempfile
from datetime import datetime
from pathlib import Path

from models import Deed, User, writing
from orchestrator.commons import activity, quota
from orchestrator.commons.git import CHUNK_BYTES
from orchestrator.commons.names import PATH_MAX
from orchestrator.commons.transport import Readable
from orchestrator.errors import AllowanceReached, BadInput, Conflict, NotFound
from orchestrator.offload import offload
from orchestrator.platform import Platform

DEPTH_MAX = 16
_PART_BYTES_MAX = 200


def parse_path(text: object) -> Path:
    """Return ``text`` as a relative path when a shared file can have it. Raises: BadInput."""
    if isinstance(text, str) and len(text) <= PATH_MAX:
        parts = text.split("/")
        if len(parts) <= DEPTH_MAX and all(map(_is_part, parts)):
            return Path(*parts)
    raise BadInput(
        "That is not a name for a shared file",
        field="path",
        hint=f"Use printable names of at most {_PART_BYTES_MAX} bytes, none beginning with a dot, "
        f"in at most {DEPTH_MAX - 1} directories.",
    )


def _is_part(part: str) -> bool:
    return (
        part != ""
        and not part.startswith(".")
        and part.isprintable()
        and len(part.encode(errors="replace")) <= _PART_BYTES_MAX
    )


def publish(platform: Platform, user: User, now: datetime, path: Path, body: Readable) -> int:
    """Put a file into the user's share, or in the place of the one there; return its size.

    Raises: AllowanceReached, Conflict (a directory has that name, or a file that of one).
    """
    room = quota.left(platform, user)
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=platform.store.private)
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            size = 0
            while piece := body.read(CHUNK_BYTES):
                size += len(piece)
                if size > room:
                    raise AllowanceReached(
                        f"Your allowance has {room / (1 << 20):,.1f} MiB left, less than that file"
                    )
                offload(file.write, piece)
        platform.store.publish(fresh, user.username, path)
    except (IsADirectoryError, NotADirectoryError, FileExistsError):
        raise Conflict(
            "A directory and a file cannot have one name", hint="Choose another name."
        ) from None
    finally:
        fresh.unlink(missing_ok=True)
    with writing():
        activity.record(now, user, Deed.SHARE, None, path=str(path))
    activity.publish(platform)
    return size


def remove(platform: Platform, user: User, path: Path) -> None:
    """Delete a file of the user's share. Raises: NotFound."""
    if not platform.store.withdraw(user.username, path):
        raise NotFound("You share no such file")
