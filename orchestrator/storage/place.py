"""What a directory of homes is called, wherever it is moved or mounted: a random id kept in it.

A path and a host's name would stay the same while the disk that holds the homes is not mounted, and
change where nothing else does.
"""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import StorageError

_ID = re.compile(r"[0-9a-f]{32}\n")


def place_of(directory: Path) -> str:
    """Return the directory's id, made on first use. Raises: StorageError."""
    file = directory / "id"
    if not file.exists():
        _make(file)
    text = file.read_text()
    if not _ID.fullmatch(text):
        raise StorageError(
            f"{file} holds no id", hint="An administrator has to bring back what was in it."
        )
    return text.strip()


def _make(file: Path) -> None:
    """Write a new id, whole or not at all; of several at once one wins."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".id-{secrets.token_hex(8)}")
    try:
        with draft.open("x") as opened:
            opened.write(f"{secrets.token_hex(16)}\n")
            opened.flush()
            os.fsync(opened.fileno())
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
