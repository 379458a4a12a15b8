"""Keep a program that nobody's terminal holds: what it wrote last, and how it ended.

Whoever asks about it comes and goes. What is known of it stands in a folder of its own:

    alive    locked for as long as the keeper lives
    pid      of the program, which leads a session
    log      what it wrote last
    ended    its exit code; of what a signal ended, its number below zero
    ready    is there once it has answered
    stopped  is there once it was asked to end
"""

import fcntl
import os
import signal
import subprocess
import threading
from contextlib import suppress
from io import FileIO

LOG_BYTES = 256 << 10
KEPT_BYTES = 64 << 10
"""Of a log that has grown beyond its bound: it takes of the workspace's memory."""
TOLD_BYTES = 4096
LINES = 20
LAST_WORDS_SECONDS = 0.5
_CHUNK_BYTES = 16384
# A login shell: a program finds what people put on their path in ~/.profile.
_SHELL = ("/bin/sh", "-lc", 'exec "$@"', "app")


def begin(folder: str, command: list[str]) -> None:
    """Start ``command`` in the user's home, with a keeper.

    Raises: BlockingIOError when one is kept there already.
    """
    os.makedirs(folder, 0o700, exist_ok=True)
    # The lock is let go when the last process that has this file open is gone.
    alive = os.open(f"{folder}/alive", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    started, telling = os.pipe()
    try:
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name in ("pid", "ended", "ready", "stopped"):
            with suppress(FileNotFoundError):
                os.unlink(f"{folder}/{name}")
        if os.fork() == 0:
            try:
                _keep(folder, command, alive, telling)
            finally:
                os._exit(0)
        os.close(telling)
        telling = -1
        os.read(started, 1)
    finally:
        for descriptor in (alive, started, telling):
            if descriptor >= 0:
                os.close(descriptor)


def _keep(folder: str, command: list[str], alive: int, telling: int) -> None:
    os.setsid()
    # What whoever started it has open is its own: it holds a lock, too.
    for descriptor in sorted({int(one) for one in os.listdir("/proc/self/fd")} - {alive, telling}):
        with suppress(OSError):
            os.close(descriptor)
    for _ in range(3):  # the lowest numbers are given first: these become the standard streams
        os.open(os.devnull, os.O_RDWR)
    log = open(f"{folder}/log", "wb+", buffering=0)  # noqa: SIM115  # for as long as it lives
    program = subprocess.Popen(
        (*_SHELL, *command), cwd=os.path.expanduser("~"), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
    )  # fmt: skip
    write(folder, "pid", str(program.pid))
    os.close(telling)
    # A workspace that stops asks all of its programs to end. This one does when the other has.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    assert program.stdout is not None
    words = threading.Thread(target=_write_down, args=(program.stdout.fileno(), log), daemon=True)
    words.start()
    code = program.wait()
    words.join(LAST_WORDS_SECONDS)  # what it started may hold its output for longer than it lived
    write(folder, "ended", str(code))


def _write_down(output: int, log: FileIO) -> None:
    while chunk := os.read(output, _CHUNK_BYTES):
        log.write(chunk)
        if log.tell() > LOG_BYTES:
            log.seek(-KEPT_BYTES, os.SEEK_END)
            kept = log.read()
            log.seek(0)
            log.write(kept)
            log.truncate()


def write(folder: str, name: str, text: str) -> None:
    """Put a small file in place, whole."""
    with open(f"{folder}/.{name}", "w") as file:
        file.write(text)
    os.rename(f"{folder}/.{name}", f"{folder}/{name}")


def read(folder: str, name: str) -> int | None:
    """Return the number that a small file has, None where there is none."""
    try:
        with open(f"{folder}/{name}") as file:
            return int(file.read(20))
    except (OSError, ValueError):
        return None


def is_alive(folder: str) -> bool:
    """Return whether something is kept there."""
    try:
        alive = os.open(f"{folder}/alive", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(alive)
    return False


def last_words(folder: str) -> str:
    """Return the last lines that the program wrote."""
    try:
        with open(f"{folder}/log", "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TOLD_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-LINES:])
