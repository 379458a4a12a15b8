"""Run git: as the commons' own user, without anybody's configuration, hooks or terminal.

Arguments are lists. What people named stands in them only after its parser and behind
``--end-of-options`` or ``--``; text that git shall read otherwise (messages, names of authors)
goes in by ``stdin`` or ``environment``.
"""

import os
import shutil
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE

from orchestrator import children
from orchestrator.children import Child
from orchestrator.errors import RootBloodError

SECONDS = 60.0
OUTPUT_BYTES_MAX = 64 << 20
CHUNK_BYTES = 128 << 10
_CPU_SECONDS = 1800
_FILE_BYTES = 16 << 30
_MEMORY_BYTES = 1 << 30
"""Of one process, files that it maps aside: some bytes of deltas or trees unfold to any number."""
_PROCESSES = 2000
"""Of all that git does at once: the kernel counts by user."""
_LIMITS = (
    "prlimit",
    f"--cpu={_CPU_SECONDS}",
    f"--fsize={_FILE_BYTES}",
    f"--data={_MEMORY_BYTES}",
    f"--nproc={_PROCESSES}",
    "--core=0",
)
_SETTLED = ("sh", "-c", 'umask 022 && cd / && unset OLDPWD && exec "$@"', "sh")
_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    # A bare repository that somebody committed into a tree is never taken for one of ours.
    "safe.bareRepository=explicit",
    "safe.directory=*",  # whoever may read a repository is decided before git runs
    "protocol.allow=never",
    "credential.helper=",
    "gc.autoDetach=true",
    "transfer.fsckObjects=true",
    "receive.fsckObjects=true",
    "uploadpack.allowFilter=true",
    "pack.threads=2",
    "pack.windowMemory=256m",
    "core.bigFileThreshold=32m",
)
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_PAGER": "cat",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}


class GitFailed(RootBloodError):
    """git ended with an error: ``code`` and the end of its standard error."""

    slug = "git-failed"
    title = "git could not do that"

    def __init__(self, code: int, stderr: str) -> None:
        super().__init__(stderr.strip()[-500:] or f"git ended with {code}")
        self.code = code
        self.stderr = stderr


class TooLarge(RootBloodError):
    """git wrote more than the caller takes."""

    slug = "too-large"
    title = "That is too large to show"
    default_hint = "Clone the repository to see all of it."


class TookTooLong(GitFailed, TooLarge):
    """git had not ended in time, and was ended."""

    slug = "took-too-long"
    title = "That takes too long to find out"

    def __init__(self, code: int, stderr: str) -> None:
        super().__init__(code, stderr)
        self.message = self.title  # what git said until then explains nothing


@dataclass(frozen=True, slots=True)
class Git:
    """Runs git as ``uid`` (and the gid of the same number); None is whoever the server is."""

    uid: int | None = None

    def run(
        self,
        repository: Path | None,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
        most: int = OUTPUT_BYTES_MAX,
    ) -> bytes:
        """Run ``git <arguments>`` on the bare ``repository`` and return what it wrote.

        Raises: GitFailed; TookTooLong, when it takes longer than ``seconds``; TooLarge.
        """
        with (
            _memory(stdin) as source,
            _memory() as complaints,
            self.process(
                repository, *arguments, stdin=source, stderr=complaints, environment=environment
            ) as process,
        ):
            try:
                answer = _all(process, most, time.monotonic() + seconds)
            except TimeoutError as error:
                process.end()
                raise TookTooLong(process.wait(), _tail(complaints)) from error
            if (code := process.wait()) != 0:
                raise GitFailed(code, _tail(complaints))
            return answer

    def text(self, repository: Path | None, *arguments: str) -> str:
        """Run git and return its output as text without the last newline. Raises: GitFailed."""
        return self.run(repository, *arguments).decode(errors="replace").removesuffix("\n")

    def stream(
        self,
        repository: Path | None,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Generator[bytes, None, None]:
        """Run git and yield what it writes; closing the iterator ends it.

        Raises: GitFailed; TookTooLong, when it has not ended after so many ``seconds``.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        with (
            _memory() as complaints,
            self.process(
                repository, *arguments, stdin=DEVNULL, stderr=complaints,
                environment=environment,
            ) as process,
        ):  # fmt: skip
            try:
                while piece := process.stdout.read(CHUNK_BYTES, _left(deadline)):
                    yield piece
            except TimeoutError as error:
                process.end()
                raise TookTooLong(process.wait(), _tail(complaints)) from error
            if (code := process.wait()) != 0:
                raise GitFailed(code, _tail(complaints))

    @contextmanager
    def process(
        self,
        repository: Path | None,
        *arguments: str,
        stdin: int = PIPE,
        stderr: int = DEVNULL,
        environment: Mapping[str, str] | None = None,
        config: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
    ) -> Iterator[Child]:
        """Run git with unbuffered pipes for the time of the block, then end it and its children."""
        process = self.start(
            repository, *arguments, stdin=stdin, stderr=stderr,
            environment=environment, config=config, pass_fds=pass_fds,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.end()

    def start(
        self,
        repository: Path | None,
        *arguments: str,
        stdin: int = PIPE,
        stderr: int = DEVNULL,
        environment: Mapping[str, str] | None = None,
        config: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
    ) -> Child:
        """Start git for as long as the caller wants, who calls its ``end``."""
        where = [] if repository is None else [f"--git-dir={repository}"]
        settings = [part for line in (*_CONFIG, *config) for part in ("-c", line)]
        return children.start(
            [*self._confined(), "git", *settings, *where, *arguments],
            _ENVIRONMENT | dict(environment or {}),
            stdin=stdin,
            stderr=stderr,
            inherited=pass_fds,
        )

    def _confined(self) -> list[str]:
        # Programs rather than a preexec_fn: that would run our code after a fork beside threads.
        confined = ["setpriv", "--no-new-privs"]
        if self.uid is not None:
            confined += [f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        return [*_LIMITS, *confined, "--", *_SETTLED]


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else deadline - time.monotonic()


def _all(process: Child, most: int, deadline: float) -> bytes:
    """Return what it writes until it ends. Raises: TooLarge, TimeoutError."""
    pieces, size = [], 0
    while piece := process.stdout.read(CHUNK_BYTES, deadline - time.monotonic()):
        size += len(piece)
        if size > most:
            raise TooLarge
        pieces.append(piece)
    if not process.has_ended(deadline - time.monotonic()):
        raise TimeoutError
    return b"".join(pieces)


@contextmanager
def _memory(content: bytes = b"") -> Iterator[int]:
    # A file rather than a pipe: neither side can wait for the other.
    descriptor = os.memfd_create("git", os.MFD_CLOEXEC)
    try:
        if content:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(content)
            os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _tail(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, 4096, max(0, size - 4096)).decode(errors="replace")


def missing_programs() -> list[str]:
    """Return which of the programs that running git needs are not on this machine."""
    needed = ("git", "prlimit", "setpriv", "sh")
    return [name for name in needed if shutil.which(name, path=_ENVIRONMENT["PATH"]) is None]
