"""Run the workspace's git, as the user, so that no text of anybody's is taken for an option."""

import re
import time
from collections.abc import Iterator, Sequence

from models import Workspace
from orchestrator.engines import Process
from orchestrator.errors import BadInput, Conflict, EngineError
from orchestrator.files import programs
from orchestrator.names import parse_home_path
from orchestrator.platform import Platform

READ_SECONDS = 30.0
CHANGE_SECONDS = 120.0
"""A commit may run hooks."""
SAID_LONGEST = 2000
CHUNK_BYTES = 65536

_ENVIRONMENT = (
    "GIT_TERMINAL_PROMPT=0",
    "GIT_EDITOR=true",
    "GIT_PAGER=cat",
    "GIT_LITERAL_PATHSPECS=1",  # a file may have the name '*'
    "LC_ALL=C.UTF-8",
)
# A folder of a repository that somebody gave away can look like a bare repository, whose settings
# name programs (git-config(1), safe.bareRepository); so can those of a monitor.
_SETTINGS = ("-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false")

_COMMIT = re.compile(r"(?:HEAD|[0-9a-f]{4,64})\^?", re.ASCII)
_BRANCH = re.compile(r"[^-\s~^:?*\[\\\x00-\x1f\x7f][^\s~^:?*\[\\\x00-\x1f\x7f]{0,199}")


def reading(root: str, *words: str) -> tuple[str, ...]:
    """Return the command line of a git that changes nothing: not even the index is refreshed."""
    return ("env", "GIT_OPTIONAL_LOCKS=0", *_ENVIRONMENT, "git", *_SETTINGS, "-C", root, *words)


def changing(root: str, *words: str) -> tuple[str, ...]:
    """Return the command line of a git that changes something."""
    return ("env", *_ENVIRONMENT, "git", *_SETTINGS, "-C", root, *words)


def run(
    platform: Platform,
    workspace: Workspace,
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    seconds: float = CHANGE_SECONDS,
) -> bytes:
    """Run a command line to its end; return what it wrote.

    Raises: Conflict with what git says where it refuses; WorkspaceStopped, EngineError.
    """
    command = programs.sendable(argv)
    result = platform.engine.exec(workspace.container, command, stdin=stdin, timeout=seconds)
    if result.exit_code:
        raise Conflict(said(result.stderr or result.stdout), hint="That is what git says.")
    return result.stdout


def run_on(
    platform: Platform, workspace: Workspace, argv: Sequence[str], paths: Sequence[str]
) -> bytes:
    """Run a command line with paths behind it, as :func:`run`; split where it becomes too long.

    They travel on standard input: the engine's command lines are Unicode, and names are bytes.
    """
    names = b"".join(path.encode(errors="surrogateescape") + b"\0" for path in paths)
    return run(platform, workspace, ("xargs", "-0", "-r", *argv, "--"), stdin=names)


def said(text: bytes) -> str:
    """Return what git complained about, to be shown."""
    lines = text.decode(errors="replace").strip()[:SAID_LONGEST]
    return re.sub(r"^(?:fatal|error): ", "", lines) or "git refused without a reason"


def started(
    platform: Platform, workspace: Workspace, argv: Sequence[str], stdin: bytes = b""
) -> Process:
    """Start a command line whose output is read as it comes. The caller closes it."""
    process = platform.engine.spawn(workspace.container, programs.sendable(argv))
    try:
        process.settimeout(READ_SECONDS)
        if stdin:
            process.write(stdin)
    except BaseException as error:
        process.close()
        if isinstance(error, OSError):
            raise EngineError("git ended early") from error
        raise
    return process


def bounded(process: Process, most_bytes: int) -> tuple[bytes, bool]:
    """Read a process to its end or so many bytes, and close it; true when there was more."""
    text = b"".join(_pieces(process, most_bytes))
    return text[:most_bytes], len(text) > most_bytes


def _pieces(process: Process, most_bytes: int) -> Iterator[bytes]:
    deadline, left = time.monotonic() + READ_SECONDS, most_bytes
    try:
        while left >= 0 and (chunk := process.read(CHUNK_BYTES)):
            left -= len(chunk)
            yield chunk
            if time.monotonic() > deadline:
                raise EngineError("git takes too long")
    except TimeoutError as error:
        raise EngineError("git takes too long") from error
    finally:
        process.close()


def parse_commit(text: str) -> str:
    """Return ``text`` when it is HEAD or a commit's id, or the first parent of one by "^"."""
    if not _COMMIT.fullmatch(text):
        raise BadInput("That is not a commit", field="at", hint="Give HEAD or the id of a commit.")
    return text


def parse_branch(text: str) -> str:
    """Return ``text`` when it could name a branch; git itself is the judge. Raises: BadInput."""
    try:
        text.encode()
        sound = bool(_BRANCH.fullmatch(text))
    except UnicodeEncodeError:
        sound = False
    if not sound:
        raise BadInput("That cannot be the name of a branch", field="branch")
    return text


def inner(path: str, root: str, *, field: str = "path") -> str:
    """Return a path as seen from ``root``, "." for itself; an absolute one is below it.

    Raises: BadInput.
    """
    if path.startswith("/"):
        if path != root and not path.startswith(f"{root.rstrip('/')}/"):
            raise BadInput("That path is not in the repository", field=field)
        path = path[len(root) :]
    return "." if path == "." else parse_home_path(path, root=True) or "."
