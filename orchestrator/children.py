"""Programs of the system that run beside the server, started without copying the server.

To fork a large process costs tens of milliseconds, in which nobody else is served. ``posix_spawn``
does not copy, and all of a child's ends are waited for by what the loop makes cooperative.

Who is told of a child's end depends on the loop: one that reaps whatever ends, as libev does, has
the only copy of the exit code. ``app.py`` installs such a loop with :func:`use`; without one the
kernel is asked.
"""

import os
import select
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from subprocess import DEVNULL, PIPE
from typing import Any, Protocol

_HEED_SECONDS = 2.0
"""For a program to clean up after it was asked to end."""
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them, which a child would inherit (subprocess, ``restore_signals``)."""


class ChildWatcher(Protocol):
    """Waits for one process."""

    @property
    def rstatus(self) -> int:
        """What waitpid(2) says of it, once it ended."""

    def start(self, callback: Callable[..., Any], /, *args: Any) -> Any:
        """Call ``callback(*args)`` once it ended."""

    def close(self) -> Any:
        """Free the loop's side of it."""


class ReapingLoop(Protocol):
    """A loop that waits for all children of its process (libev, ``ev_child``)."""

    def install_sigchld(self) -> Any:
        """Begin to reap."""

    def child(self, pid: int, /) -> ChildWatcher:
        """Watch a child that nobody reaped so far."""


_loop: ReapingLoop | None = None


def use(loop: ReapingLoop) -> None:
    """Learn from ``loop`` how children end. They are then started in its thread alone."""
    global _loop
    loop.install_sigchld()  # before there is a child: the first may end at once
    _loop = loop


class Pipe:
    """Our end of a pipe, unbuffered. Several may use it; it is closed when the last is done."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._users = 0
        self._closing = False
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor, which never blocks."""
        return self._descriptor

    def read(self, size: int, seconds: float | None = None) -> bytes:
        """Return up to ``size`` bytes; none is the end. Raises: ValueError, TimeoutError."""
        with self._used() as descriptor:
            while True:
                with suppress(BlockingIOError):
                    return os.read(descriptor, size)
                self._wait(descriptor, select.POLLIN, seconds)

    def write(self, data: bytes | memoryview) -> int:
        """Write some of ``data``; return how much. Raises: ValueError (closed), OSError."""
        with self._used() as descriptor:
            while True:
                with suppress(BlockingIOError):
                    return os.write(descriptor, data)
                self._wait(descriptor, select.POLLOUT, None)

    def close(self) -> None:
        """Close it, at the latest when those who wait for it are woken. Idempotent."""
        with self._lock:
            self._closing = True
            self._let_go()

    @contextmanager
    def _used(self) -> Iterator[int]:
        with self._lock:
            if self._closing:
                raise ValueError("the pipe is closed")
            self._users += 1
        try:
            yield self._descriptor
        finally:
            with self._lock:
                self._users -= 1
                self._let_go()

    def _let_go(self) -> None:
        # Not below somebody who waits: the number would soon be that of another file.
        if self._closing and not self._users and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @staticmethod
    def _wait(descriptor: int, event: int, seconds: float | None) -> None:
        if not _ready(descriptor, event, seconds):
            raise TimeoutError


class Child:
    """A process that leads a session of its own. Whoever started it calls :meth:`end`."""

    def __init__(self, pid: int, stdin: Pipe | None, stdout: Pipe) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self.returncode: int | None = None
        self._ended = threading.Event()
        self._watched = _loop is not None
        self._descriptor = -1
        if _loop is not None:
            watcher = _loop.child(pid)
            watcher.start(self._reaped, watcher)
        else:
            self._descriptor = os.pidfd_open(pid)

    def has_ended(self, seconds: float | None = 0) -> bool:
        """Return whether it ended, or does within ``seconds``; None is for as long as it takes."""
        if self.returncode is None:
            if self._watched:
                self._ended.wait(seconds)
            elif _ready(self._descriptor, select.POLLIN, seconds):
                self._reap()
        return self.returncode is not None

    def wait(self) -> int:
        """Return the exit code once it ended; of what a signal ended, its number below zero."""
        self.has_ended(None)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """Ask it and all that it started to end, then make them."""
        # TERM first: git removes its locks and temporary files.
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.has_ended():
                return
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            self.has_ended(_HEED_SECONDS if number is signal.SIGTERM else None)

    def end(self) -> None:
        """Let go of its pipes, and end what did not end by itself. Idempotent."""
        for pipe in (self.stdin, self.stdout):
            if pipe is not None:
                pipe.close()
        self.kill()

    def _reaped(self, watcher: ChildWatcher) -> None:
        self.returncode = os.waitstatus_to_exitcode(watcher.rstatus)
        watcher.close()
        self._ended.set()

    def _reap(self) -> None:
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._descriptor)


def start(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int = PIPE,
    stderr: int = DEVNULL,
    inherited: Sequence[int] = (),
) -> Child:
    """Start a program that writes to a pipe; it is looked for in its own ``PATH``.

    ``stdin`` and ``stderr`` are descriptors, or ``PIPE`` (stdin) and ``DEVNULL`` of subprocess.
    The ``inherited`` ones keep their numbers. Raises: OSError.
    """
    program = shutil.which(argv[0], path=environment["PATH"])
    if program is None:
        raise FileNotFoundError(f"There is no program {argv[0]}")
    with ExitStack() as ours, ExitStack() as theirs:
        source, into = stdin, None
        if stdin == PIPE:
            source, into = _pipe(theirs, ours)
        output, sink = _pipe(ours, theirs)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        theirs.callback(os.close, null)
        standard = (source, sink, stderr)
        # Ours are all closed on exec: a child gets these, dup2(2) on itself is to keep one.
        places = [(null if one == DEVNULL else one, place) for place, one in enumerate(standard)]
        pid = os.posix_spawn(
            program,
            list(argv),
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, one, place)
                for one, place in (*places, *((one, one) for one in inherited))
            ],
            setsid=True,
            setsigdef=_DEFAULT_SIGNALS,
        )
        ours.pop_all()  # the child's from here on
        return Child(pid, None if into is None else Pipe(into), Pipe(output))


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """Return a pipe's ends, each to be closed by a stack of its own."""
    read, write = os.pipe()
    reader.callback(os.close, read)
    writer.callback(os.close, write)
    return read, write


def _ready(descriptor: int, event: int, seconds: float | None) -> bool:
    """Wait until something can be done with a descriptor; return whether that was in time."""
    poll = select.poll()
    poll.register(descriptor, event)
    deadline = None if seconds is None else time.monotonic() + seconds
    while not poll.poll(None if deadline is None else max(0, deadline - time.monotonic()) * 1000):
        if deadline is not None and time.monotonic() >= deadline:
            return False
    return True
