"""Names of homes, which become file names, volume names and parts of command lines."""

import re

from orchestrator.errors import StorageError

HOME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
STAGED = ".staged"
PROBE = "probe"
"""A home of nobody's, made to see whether that works here."""


def checked(name: str) -> str:
    """Return ``name`` if it can name a home. Raises: StorageError."""
    if not HOME_NAME.fullmatch(name):
        raise StorageError(f"{name!r} cannot name a home")
    return name
