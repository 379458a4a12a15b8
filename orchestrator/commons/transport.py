"""git's smart HTTP protocol, as gitprotocol-http(5) has it: both ends stream, nothing is kept.

git itself speaks; here its two programs get the request's body and their answer goes out as it
comes. While a push waits in git's quarantine, a hook of ours asks the caller's ``judge``.
"""

import os
import re
import select
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from subprocess import DEVNULL
from typing import Protocol

from orchestrator.children import Child, Pipe
from orchestrator.commons.asking import Judge, Questions
from orchestrator.commons.checks import Update
from orchestrator.commons.git import CHUNK_BYTES, Git

FETCH_BODY_BYTES_MAX = 64 << 20
"""What a client wants and has: some 50 bytes a ref or commit."""
UPDATES_BYTES_MAX = 16 << 20
"""What a push says of refs, before its objects."""
_LEAVE_SECONDS = 5.0
_PROTOCOL = re.compile(r"[a-z0-9=.:]{1,100}", re.ASCII)
_LENIENT = (
    # Written by old programs into histories that nobody will write again.
    "receive.fsck.zeroPaddedFilemode=ignore",
    "receive.fsck.badTimezone=ignore",
    "receive.fsck.missingSpaceBeforeDate=ignore",
)


class Service(StrEnum):
    """What a client wants to talk to."""

    FETCH = "git-upload-pack"
    PUSH = "git-receive-pack"

    @property
    def command(self) -> str:
        return self.value.removeprefix("git-")


class Readable(Protocol):
    """A request's body."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a push is taken.

    ``judge`` decides once its objects are there; ``done`` learns which refs moved, if any. Both run
    in the thread that reads the answer.
    """

    hooks: Path
    bytes_max: int
    judge: Judge
    done: Callable[[Sequence[Update]], object]


def parse_protocol(text: str | None) -> str:
    """Return the client's ``Git-Protocol`` header when git shall see it, else an empty text."""
    return text if text and _PROTOCOL.fullmatch(text) else ""


def advertise(git: Git, repository: Path, service: Service, protocol: str) -> Iterator[bytes]:
    """Yield the answer to ``GET info/refs``."""
    if service is Service.PUSH or "version=2" not in protocol.split(":"):
        # As git's own http-backend does: version 2 needs no introduction.
        line = f"# service={service}\n".encode()
        yield b"%04x%s0000" % (len(line) + 4, line)
    with git.process(
        None, service.command, "--stateless-rpc", "--advertise-refs", str(repository),
        stdin=DEVNULL, environment={"GIT_PROTOCOL": protocol},
    ) as process:  # fmt: skip
        while piece := process.stdout.read(CHUNK_BYTES):
            yield piece


def fetch(git: Git, repository: Path, protocol: str, body: Readable) -> Iterator[bytes]:
    """Yield the answer to ``POST git-upload-pack``; closing the iterator ends git."""
    with (
        git.process(
            None, Service.FETCH.command, "--stateless-rpc", "--strict", str(repository),
            environment={"GIT_PROTOCOL": protocol},
        ) as process,
        _feeding(body, process, FETCH_BODY_BYTES_MAX),
    ):  # fmt: skip
        while piece := process.stdout.read(CHUNK_BYTES):
            yield piece


def push(
    git: Git, repository: Path, protocol: str, body: Readable, terms: Terms
) -> Iterator[bytes]:
    """Yield the answer to ``POST git-receive-pack``; closing the iterator ends git."""
    questions = Questions(terms.judge)
    with questions.asked_by(git.uid) as pipes:
        try:
            with (
                git.process(
                    None, Service.PUSH.command, "--stateless-rpc", str(repository),
                    environment={"GIT_PROTOCOL": protocol} | pipes.environment,
                    config=(
                        f"core.hooksPath={terms.hooks}",
                        f"receive.maxInputSize={max(1, terms.bytes_max)}",
                        *_LENIENT,
                    ),
                    pass_fds=pipes.inherited,
                ) as process,
                _feeding(body, process, terms.bytes_max + UPDATES_BYTES_MAX),
            ):  # fmt: skip
                pipes.hand_over()
                conversation = questions.conversation(process.stdout.fileno())
                try:
                    yield from conversation
                except GeneratorExit:
                    # The client is gone; refs that may move do so, all of them.
                    if questions.accepted:
                        for _ in questions.conversation(process.stdout.fileno()):
                            pass
                    raise
        finally:
            if questions.moved:
                terms.done(questions.moved)


@contextmanager
def _feeding(body: Readable, process: Child, most: int) -> Iterator[None]:
    """Send the body to git meanwhile, and read all of it: the connection may be used again."""
    feeder = threading.Thread(target=_feed, args=(body, process, most), daemon=True)
    feeder.start()
    try:
        yield
    except BaseException:
        _wind_down(process)
        raise
    finally:
        feeder.join()


def _feed(body: Readable, process: Child, most: int) -> None:
    assert process.stdin is not None
    listening = True
    try:
        while piece := body.read(CHUNK_BYTES):
            most -= len(piece)
            if listening and most >= 0:
                listening = _write(process.stdin, piece)
    except (OSError, EOFError, zlib.error):
        pass  # cut off, which git notices: a pack ends with a checksum
    finally:
        with suppress(OSError):
            process.stdin.close()


def _wind_down(process: Child) -> None:
    """Let git notice that nobody is there any more, and clean up; a signal would keep it from that.

    See git's commit "tmp-objdir: skip clean up when handling a signal".
    """
    poll = select.poll()
    poll.register(process.stdout.fileno(), select.POLLIN)
    deadline = time.monotonic() + _LEAVE_SECONDS
    while (left := deadline - time.monotonic()) > 0 and poll.poll(left * 1000):
        with suppress(BlockingIOError):
            if not os.read(process.stdout.fileno(), CHUNK_BYTES):
                break
    process.end()


def _write(pipe: Pipe, piece: bytes) -> bool:
    """Write all of it; return whether anybody reads."""
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[pipe.write(rest) :]
    except (OSError, ValueError):  # closed, by git or by its end()
        return False
    return True


class Inflated:
    """The content of a body that was sent with gzip; memory is bounded, whatever it holds."""

    def __init__(self, body: Readable) -> None:
        self._body = body
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._compressed = b""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes. Raises: zlib.error, EOFError."""
        while not self._gzip.eof:
            if not self._compressed:
                self._compressed = self._body.read(CHUNK_BYTES)
            if not self._compressed:
                raise EOFError("the compressed body is cut off")
            piece = self._gzip.decompress(self._compressed, size)
            self._compressed = self._gzip.unconsumed_tail
            if piece:
                return piece
        while self._body.read(CHUNK_BYTES):
            pass
        return b""
