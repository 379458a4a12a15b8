"""The system's own tools for images and mounts, run with fixed arguments."""

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.errors import NoSpace, StorageError

_SECONDS = 120.0
_LONG_SECONDS = 3600.0
# Nothing of our own environment: it may hold the database's password.
_ENVIRONMENT = {
    "LC_ALL": "C",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


def run(
    *argv: str, hold: int | None = None, ok: tuple[int, ...] = (0,), long: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a tool and return what it said; exit codes outside ``ok`` are errors.

    ``hold`` is the descriptor of a lock that the tool keeps: should this process be killed, the
    tool works on for a moment, and nobody else may touch the same image until it ends.

    Raises: NoSpace, StorageError with the tool's last line.
    """
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            env=_ENVIRONMENT,
            timeout=_LONG_SECONDS if long else _SECONDS,
            pass_fds=() if hold is None else (hold,),
        )
    except FileNotFoundError as error:
        raise StorageError(
            f"The program {argv[0]} is not installed",
            hint="script/setup installs it; on Debian it is in e2fsprogs or util-linux.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise StorageError(f"{argv[0]} did not end in time") from error
    if done.returncode not in ok:
        raise failure(argv[0], done)
    return done


def failure(tool: str, done: subprocess.CompletedProcess[str]) -> StorageError | NoSpace:
    """Return the error that stands for what the tool said last."""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    said = [line for line in lines if "dmesg(1)" not in line]  # mount's advice comes last
    if "no space left on device" in done.stderr.lower():
        return NoSpace()
    return StorageError(f"{tool}: {said[-1].strip() if said else f'exit code {done.returncode}'}")


@contextmanager
def translating() -> Iterator[None]:
    """Raise our errors for the kernel's."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace() from error
        raise StorageError(f"The home's image: {error.strerror or error}") from error
