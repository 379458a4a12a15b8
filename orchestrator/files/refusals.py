"""What a refused request means to the person who asked for it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchestrator.errors import (
    AllowanceReached,
    AlreadyExists,
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    RootBloodError,
)
from orchestrator.files import paths
from orchestrator.files.sftp import Client, Refused
from orchestrator.files.sftp_wire import Code

_SHOWN = 200
_ROOM_BYTES = 64 << 10
"""A disk with less is full: a file system keeps a little back, and rounds."""

_MESSAGES: tuple[tuple[str, type[RootBloodError]], ...] = (
    ("No space left on device", AllowanceReached),
    ("Disk quota exceeded", AllowanceReached),
    ("Permission denied", Forbidden),
    ("Operation not permitted", Forbidden),
    ("Read-only file system", Forbidden),
    ("No such file or directory", NotFound),
    ("Not a directory", NotFound),
    ("Too many levels of symbolic links", NotFound),
    ("File exists", AlreadyExists),
    ("File name too long", BadInput),
)
"""Texts of strerror(3) in the C locale."""


def named(path: str) -> str:
    """Return a path as a message has it: whole names, and not too much of them."""
    text = paths.show(path)
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return f"'{clean}'" if len(clean) <= _SHOWN else f"'…{clean[-_SHOWN:]}'"


def absent(path: str) -> NotFound:
    """Return that there is nothing at ``path``."""
    return NotFound(f"There is no {named(path)}", hint="It may have been renamed or deleted.")


def denied(path: str) -> Forbidden:
    """Return that the user may not do that at ``path``, here or in a shell."""
    return Forbidden(
        f"You have no permission for {named(path)}",
        hint="Its mode or its owner forbids it, as it would in a shell.",
    )


def full() -> AllowanceReached:
    """Return that nothing more can be written."""
    return AllowanceReached("Your home is full", hint="Delete what you no longer need.")


@contextmanager
def explained(path: str, *, wrong: RootBloodError | None = None) -> Iterator[None]:
    """Turn Refused into what it means for ``path``; ``wrong`` is for other failures."""
    try:
        yield
    except Refused as refused:
        raise _meaning(refused.code, path, wrong) from refused


def _meaning(code: int, path: str, wrong: RootBloodError | None) -> RootBloodError:
    match code:
        case Code.NO_SUCH_FILE:
            return absent(path)
        case Code.PERMISSION_DENIED:
            return denied(path)
        case Code.BAD_MESSAGE:  # of ENAMETOOLONG and EINVAL: sftp-server.c, errno_to_portable
            return BadInput(f"{named(path)} cannot be used as a path", field="path")
        case _:
            return wrong or Conflict(
                f"That cannot be done with {named(path)}",
                hint="It may be in use, or on a disk that is read-only.",
            )


def raise_if_full(client: Client, folder: str) -> None:
    """Raise AllowanceReached where that is why a request failed: SFTP does not tell."""
    with suppress(Refused):
        left, files = client.room(folder)
        if left < _ROOM_BYTES or not files:
            raise full()


def of_program(output: str, path: str) -> RootBloodError:
    """Return what a program's last words mean, in the C locale."""
    line = next((one for one in reversed(output.splitlines()) if one.strip()), "no reason given")
    for text, kind in _MESSAGES:
        if text in output:
            if kind is AllowanceReached:
                return full()
            if kind is Forbidden:
                return denied(path)
            return absent(path) if kind is NotFound else kind(line[:_SHOWN])
    return Conflict(line[:_SHOWN])
