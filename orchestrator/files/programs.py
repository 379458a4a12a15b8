"""Programs that do in one go what would take SFTP many requests, each with a race in between.

rm(1) walks by open folders, so that one which is swapped for a link on the way leads it nowhere.
"""

import time
from collections.abc import Sequence

from orchestrator.engines import Process
from orchestrator.errors import EngineError
from orchestrator.files import refusals
from orchestrator.files.sftp import Spawn

SECONDS_MAX = 900.0
_KEPT_BYTES = 64 << 10
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:+,@ ")

# An engine may carry arguments as JSON, which has no bytes: they travel as octal escapes. The
# underscore keeps newlines at the end of a name from being dropped.
_DECODE = r"""
n=$#
while [ "$n" -gt 0 ]; do
  v=$(printf '%b_' "$1"); shift; set -- "$@" "${v%_}"; n=$((n - 1))
done
LC_ALL=C; export LC_ALL
"""


def argv(*command: str, before: str = 'exec "$@"') -> tuple[str, ...]:
    """Return a command whose arguments may be any bytes; ``before`` is the shell's part in it."""
    return ("/bin/sh", "-c", _DECODE + before, "sh", *map(_escaped, command))


def sendable(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command as it is, or behind a shell where one of its arguments is no text."""
    try:
        "".join(command).encode()
    except UnicodeEncodeError:
        return argv(*command)
    return tuple(command)


def _escaped(argument: str) -> str:
    raw = argument.encode(errors="surrogateescape")
    return "".join(chr(byte) if byte in _PLAIN else f"\\0{byte:03o}" for byte in raw)


def run(spawn: Spawn, path: str, *command: str) -> None:
    """Run a command to its end. Raises: what it says is wrong, about ``path``."""
    process = spawn(argv(*command, before='exec "$@" 2>&1'))
    try:
        output, code = _collected(process)
    except TimeoutError as error:
        raise EngineError("That takes too long", hint="Do it in the terminal.") from error
    finally:
        process.close()
    if code:
        raise refusals.of_program(output, path)


def _collected(process: Process) -> tuple[str, int]:
    """Return the end of the output and the exit code. Raises: TimeoutError."""
    deadline, output = time.monotonic() + SECONDS_MAX, bytearray()
    while True:
        process.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = process.read(4096)
        if not chunk:
            return output.decode(errors="replace"), process.wait()
        output += chunk
        del output[:-_KEPT_BYTES]


def remove(spawn: Spawn, path: str) -> None:
    """Remove what is at ``path`` with all that is below it."""
    run(spawn, path, "rm", "-rf", "--one-file-system", "--", path)


def copy(spawn: Spawn, source: str, target: str, *, overwrite: bool) -> None:
    """Copy with all that is below, links and times as they are."""
    how: Sequence[str] = ("--force",) if overwrite else ("--no-clobber",)
    run(spawn, source, "cp", "-a", "--no-target-directory", *how, "--", source, target)


def move(spawn: Spawn, source: str, target: str, *, overwrite: bool) -> None:
    """Move, also to another file system."""
    how: Sequence[str] = ("--force",) if overwrite else ("--no-clobber",)
    run(spawn, source, "mv", "--no-target-directory", *how, "--", source, target)
