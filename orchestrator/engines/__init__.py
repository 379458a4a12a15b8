"""Where things run: the contract of every engine.

The conformance suite in ``tests/orchestrator/engines/test_conformance.py`` is the other half of
this text; an engine is done when it passes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from orchestrator.spec import Spec
from orchestrator.stream import Stream


class Phase(StrEnum):
    """What a container is doing, as far as its engine can tell."""

    ABSENT = "absent"
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"


class Feature(StrEnum):
    """What an engine can do beyond the contract's minimum."""

    PAUSE = "pause"
    UNIX_SOCKETS = "unix-sockets"
    EGRESS_RULES = "egress-rules"


@dataclass(frozen=True, slots=True)
class Status:
    """One observation. ``reason`` explains ``pending``, ``failed`` and ``lost``."""

    name: str
    phase: Phase
    reason: str = ""
    digest: str = ""
    """:meth:`Spec.digest` of what runs, to recognise an outdated container."""
    started_at: datetime | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished command left behind."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """Counters since the container's start; ``memory_bytes`` and ``pids`` are of this moment."""

    cpu_seconds: float
    memory_bytes: int
    pids: int
    net_rx_bytes: int
    net_tx_bytes: int
    block_bytes: int
    """Bytes read from and written to block devices."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP port on which something in a container waits for connections."""

    port: int
    address: str
    """Where it is bound: ``127.0.0.1``, ``::``, ..."""
    command: str = ""
    """How its program was started, one printable line that it may have chosen; "" unknown."""


class Process(Protocol):
    """A command that runs inside a container with its standard streams attached."""

    def read(self, nbytes: int, /) -> bytes:
        """Return up to ``nbytes`` of standard output; ``b""`` when the command closed it."""

    def write(self, data: bytes, /) -> None:
        """Send ``data`` to standard input."""

    def settimeout(self, seconds: float | None, /) -> None:
        """Bound each read and write from here on; beyond it they raise ``TimeoutError``."""

    def wait(self) -> int:
        """Return the exit code once standard output has ended."""

    def close(self) -> None:
        """End the command, with its children, if it still runs; closing twice is allowed."""


class Engine(Protocol):
    """Runs containers by name. Every method may raise ``EngineUnreachable``."""

    features: frozenset[Feature]

    def run(self, spec: Spec) -> Status:
        """Make the container of ``spec.name`` run as described, and return its status.

        Idempotent by name: a running container with the same digest is left alone, a stopped one
        is started, a paused one resumed, and one with another digest, or a stopped one whose
        image's name means another image by now, is replaced.

        Raises: ImageMissing, NoSpace, StartFailed, EngineError.
        """

    def stop(self, name: str, *, grace: float = 10.0) -> None:
        """Ask the container to end, force it after ``grace`` seconds. Absent is success."""

    def pause(self, name: str) -> None:
        """Freeze every process; :meth:`run` resumes. Needs ``Feature.PAUSE``."""

    def remove(self, name: str) -> None:
        """Remove the container and its run directory, running or not. Absent is success."""

    def inspect(self, name: str) -> Status:
        """Return the container's status; a missing one is ``Phase.ABSENT``, not an error."""

    def census(self) -> Iterator[Status]:
        """Yield the status of every container that carries our label."""

    def exec(
        self, name: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Result:
        """Run ``argv`` in the container as its user and return what it wrote.

        Raises: WorkspaceStopped when it does not run; EngineError after ``timeout`` seconds.
        """

    def spawn(self, name: str, argv: Sequence[str]) -> Process:
        """Start ``argv`` in the container as its user, streams attached. The caller closes it.

        Raises: WorkspaceStopped when it does not run.
        """

    def dial(self, name: str, port: int, *, timeout: float = 5.0) -> Stream:
        """Connect to ``port`` inside the container. The caller closes the stream.

        An engine may know a shorter way, such as a unix socket (:attr:`Spec.sockets`).

        Raises: DialFailed when nothing answers within ``timeout`` seconds; WorkspaceStopped.
        """

    def listeners(self, name: str) -> list[Listener]:
        """Return what :meth:`dial` would reach over TCP, by port, each port once, at most 200.

        Runs nothing in the container. Empty when it does not run, or cannot be looked into.
        """

    def usage(self, name: str) -> Usage | None:
        """Return the container's counters, or None when it does not run."""

    def logs(self, name: str, *, lines: int = 20) -> str:
        """Return the last lines the container's main process wrote; empty when absent."""

    def prepare(self) -> None:
        """Make ready what every container needs: the network and its rules. Idempotent.

        Raises: EngineError with a hint when the rules cannot be put in place.
        """

    def verify(self) -> None:
        """Look whether what :meth:`prepare` made is still there, and change nothing.

        Raises: EgressUnprotected.
        """

    def watch(self) -> Iterator[Status]:
        """Yield the status of every container that changes from this call on.

        Raises: EngineUnreachable when the connection is lost: take a census, then watch again.
        """

    def images(self) -> frozenset[str]:
        """Return the references of all images that can be run."""
