"""Search and replace in a workspace's files, and all their names, by programs that run there."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from models import Workspace
from orchestrator.engines import Process
from orchestrator.errors import BadInput, EngineError
from orchestrator.inside import bundle, naming, replacing, ripgrep, searching
from orchestrator.platform import Platform

QUERY_LONGEST = 1000
LETTERS_MOST = 100
GLOBS_MOST = 50
GLOB_LONGEST = 200
MATCHES_MOST = 20_000
NAMES_MOST = 200_000
REPLACEMENT_LONGEST = 10_000
FILES_MOST = 5000
STALL_SECONDS = 30.0
"""A program in the workspace may stop the one that searches: then the answer ends."""
CHUNK_BYTES = 65536
ANSWER_BYTES = 4 << 20
NAMES_BYTES = 32 << 20

SEARCH = bundle.command(searching, ripgrep)
NAMES = bundle.command(naming, ripgrep)
REPLACE = bundle.command(replacing, ripgrep)


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, and where; ``path`` has been parsed (see files/paths.py).

    Patterns are those of ripgrep's ``--glob``, against names seen from ``path``.
    """

    text: str
    path: str
    regex: bool = False
    case: bool = False
    word: bool = False
    globs: tuple[str, ...] = ()

    def checked(self) -> "Query":
        """Return itself when it can be asked. Raises: BadInput."""
        _one_line(self.text, "q", QUERY_LONGEST)
        if not self.text:
            raise BadInput("Say what to look for", field="q")
        if len(self.globs) > GLOBS_MOST:
            raise BadInput(f"Give at most {GLOBS_MOST} patterns", field="glob")
        for pattern in self.globs:
            _one_line(pattern, "glob", GLOB_LONGEST)
        return self

    def as_request(self) -> dict[str, Any]:
        return {
            "query": self.text, "path": self.path, "regex": self.regex, "case": self.case,
            "word": self.word, "globs": self.globs,
        }  # fmt: skip


def _one_line(text: str, field: str, longest: int) -> None:
    broken = any(character in text for character in "\0\r\n")
    if len(text) > longest or broken or not _is_unicode(text):
        raise BadInput(f"Use one line of at most {longest} characters", field=field)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Replaced:
    """How many matches were replaced in which file, and why others were left as they are."""

    counts: dict[str, int]
    skipped: dict[str, str]


class Output:
    """What a program writes, in pieces. :meth:`close` ends it, finished or not."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __iter__(self) -> Iterator[bytes]:
        # The answer has begun: that it has no last line is all that can be said of a failure.
        with suppress(OSError):
            while chunk := self._process.read(CHUNK_BYTES):
                yield chunk

    def close(self) -> None:
        self._process.close()


def search(platform: Platform, workspace: Workspace, query: Query, most: int) -> Output:
    """Search; lines of JSON come out while matches are found. The caller closes it.

    A match is ``path``, ``line`` and ``column`` from 1 on, ``length``, ``text`` (the line, cut to
    what is around the match) and ``at``, where in it the match begins; columns and lengths count
    UTF-16 code units. ``error`` says why ripgrep refused. The last line is ``done``. Lines with
    ``matches`` and ``files`` alone say how far it has come. Raises: BadInput, WorkspaceStopped.
    """
    asked = query.checked().as_request() | {"most": min(most, MATCHES_MOST)}
    return Output(_started(platform, workspace, SEARCH, asked))


def names(
    platform: Platform, workspace: Workspace, path: str, letters: str, most: int, *, gzip: bool
) -> bytes:
    """List files below a folder, relative to it: JSON, ``{"names": [...], "truncated": false}``.

    All of them, or of those that have ``letters`` in their order the best. What git ignores is left
    out. Raises: BadInput, WorkspaceStopped.
    """
    _one_line(letters, "q", LETTERS_MOST)
    asked = {
        "path": path, "globs": [], "letters": letters, "most": min(most, NAMES_MOST), "gzip": gzip
    }  # fmt: skip
    return _all_of(_started(platform, workspace, NAMES, asked), NAMES_BYTES)


def replace(
    platform: Platform,
    workspace: Workspace,
    query: Query,
    into: str,
    files: Sequence[str] | None,
    *,
    dry: bool,
) -> Replaced:
    """Replace every match, in ``files`` alone where they are named; ``dry`` only counts.

    In ``into`` a regular expression's groups are ``$1`` and ``${name}``. Raises: BadInput, also
    where ripgrep refuses; WorkspaceStopped.
    """
    if len(into) > REPLACEMENT_LONGEST or "\0" in into or not _is_unicode(into):
        raise BadInput(f"Use at most {REPLACEMENT_LONGEST} characters", field="with")
    if files is not None and len(files) > FILES_MOST:
        raise BadInput(f"Name at most {FILES_MOST} files", field="files")
    asked = query.checked().as_request() | {"with": into, "files": files, "dry": dry}
    return _replaced(_all_of(_started(platform, workspace, REPLACE, asked), ANSWER_BYTES))


def _replaced(text: bytes) -> Replaced:
    told = Replaced({}, {})
    done = False
    for line in text.decode(errors="replace").splitlines():
        match json.loads(line):
            case {"error": str(why)}:
                raise BadInput(why, field="q")
            case {"path": str(path), "skipped": str(why)}:
                told.skipped[path] = why
            case {"path": str(path), "count": int(count)}:
                told.counts[path] = count
            case {"done": True}:
                done = True
    if not done:
        raise EngineError("The program in the workspace ended early", hint="Look what it has done.")
    return told


def _all_of(process: Process, most_bytes: int) -> bytes:
    """Return all that a program writes. Raises: EngineError."""
    text = bytearray()
    try:
        while chunk := process.read(CHUNK_BYTES):
            text += chunk
            if len(text) > most_bytes:
                raise EngineError("The program in the workspace says too much")
    except TimeoutError as error:
        raise EngineError("The program in the workspace does not answer") from error
    finally:
        process.close()
    if not text:
        raise EngineError("The program in the workspace ended early")
    return bytes(text)


def _started(
    platform: Platform, workspace: Workspace, program: tuple[str, ...], asked: dict[str, Any]
) -> Process:
    process = platform.engine.spawn(workspace.container, program)
    try:
        process.settimeout(STALL_SECONDS)
        process.write(json.dumps(asked).encode() + b"\n")
    except BaseException as error:
        process.close()
        if isinstance(error, OSError):
            raise EngineError("The program in the workspace ended early") from error
        raise
    return process
