"""What changed between two commits, as lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from orchestrator.commons.names import parse_object
from orchestrator.commons.source import Source
from orchestrator.offload import offload

DIFF_BYTES_MAX = 1 << 20
FILES_MAX = 300
FILE_LINES_MAX = 2000
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""What git calls a folder without anything in it, in every repository (sha1)."""
_OPTIONS = (
    "-M", "-l200", "--no-ext-diff", "--no-textconv", "--no-color", "--no-abbrev", "--full-index"
)  # fmt: skip
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a hunk: ``kind`` is " ", "+" or "-"; it has a number on each side it is on."""

    kind: str
    old: int | None
    new: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that belong together; ``heading`` is what git found them in, such as a function."""

    old_start: int
    new_start: int
    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """How one file changed. ``status`` is A, D, M, R, C or T, as in ``git diff --raw``.

    ``omitted``: there are too many lines to show; the counts are right all the same.
    """

    path: str
    old_path: str
    status: str
    binary: bool
    omitted: bool
    added: int
    removed: int
    hunks: tuple[Hunk, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """All files that differ. ``truncated``: there are more than were looked at."""

    files: tuple[FileDiff, ...]
    truncated: bool
    added: int
    removed: int


def diff(source: Source, old: str | None, new: str) -> Diff:
    """Return what changed from ``old`` (None: nothing at all) to ``new``."""
    span = (_EMPTY_TREE if old is None else parse_object(old), parse_object(new))
    listed, all_listed = source.begin(
        "diff-tree", "-r", "-z", "--raw", "--numstat", *_OPTIONS, *span, most=DIFF_BYTES_MAX
    )
    # -z does not reach a patch's file names, so patches are told apart by their order alone.
    patches, all_read = source.begin("diff-tree", "-r", "-p", *_OPTIONS, *span, most=DIFF_BYTES_MAX)
    return offload(_diff, listed, all_listed, patches, all_read)


def of_commit(source: Source, commit: str, parent: str | None) -> Diff:
    """Return what a commit changed, compared with its first ``parent``."""
    return diff(source, parent, commit)


def _diff(listed: bytes, all_listed: bool, patches: bytes, all_read: bool) -> Diff:
    changes = list(_changes(listed.decode(errors="replace"), whole=all_listed))
    texts = _texts(patches.decode(errors="replace"), whole=all_read)
    files = [
        # What became a link, or was one, is first taken away and then added.
        _file(change, list(islice(texts, 2 if change.status == "T" else 1)))
        for change in changes[:FILES_MAX]
    ]
    return Diff(
        files=tuple(files),
        truncated=not all_listed or len(changes) > FILES_MAX,
        added=sum(change.added or 0 for change in changes),
        removed=sum(change.removed or 0 for change in changes),
    )


@dataclass(frozen=True, slots=True)
class _Change:
    status: str
    path: str
    old_path: str
    added: int | None
    removed: int | None


def _changes(text: str, *, whole: bool) -> Iterator[_Change]:
    """Read ``--raw --numstat -z``: all of the one, then all of the other, in the same order."""
    parts = text.split("\0")[:-1]
    statuses: list[tuple[str, str, str]] = []
    at = 0
    while at < len(parts) and parts[at].startswith(":"):
        status = parts[at].rpartition(" ")[2][:1]
        names = parts[at + 1 : at + 3] if status in "RC" else parts[at + 1 : at + 2] * 2
        if len(names) < 2:
            return
        statuses.append((status, names[0], names[1]))
        at += 3 if status in "RC" else 2
    for status, old_path, path in statuses:
        added, removed = None, None
        if at < len(parts):
            counts = parts[at].split("\t", 2)
            if len(counts) == 3 and counts[0] != "-":
                added, removed = int(counts[0]), int(counts[1])
            at += 3 if status in "RC" else 1
        yield _Change(status, path, old_path, added, removed)


def _texts(patches: str, *, whole: bool) -> Iterator[str]:
    """Yield each file's patch. Lines of files begin with another sign than git's own do."""
    starts = [match.start() for match in re.finditer(r"^diff --git ", patches, re.MULTILINE)]
    ends = [*starts[1:], len(patches)]
    for start, end in zip(starts, ends, strict=True):
        if whole or end != len(patches):  # the last one may be cut off
            yield patches[start:end]


def _file(change: _Change, texts: list[str]) -> FileDiff:
    hunks = [hunk for text in texts for hunk in _hunks(text)]
    lines = sum(len(hunk.lines) for hunk in hunks)
    omitted = not texts or lines > FILE_LINES_MAX
    return FileDiff(
        path=change.path,
        old_path=change.old_path,
        status=change.status,
        binary=change.added is None,
        omitted=omitted,
        added=change.added or 0,
        removed=change.removed or 0,
        hunks=() if omitted else tuple(hunks),
    )


def _hunks(patch: str) -> Iterator[Hunk]:
    head: re.Match[str] | None = None
    lines: list[Line] = []
    old = new = 0
    for text in patch.split("\n"):
        if text.startswith("@@") and (match := _HUNK.fullmatch(text)):
            if head is not None:
                yield _hunk(head, lines)
            head, lines, old, new = match, [], int(match[1]), int(match[2])
        elif head is not None and text[:1] in (" ", "+", "-") and text:
            kind = text[0]
            lines.append(
                Line(
                    kind,
                    None if kind == "+" else old,
                    None if kind == "-" else new,
                    text[1:],
                )
            )
            old += kind != "+"
            new += kind != "-"
    if head is not None:
        yield _hunk(head, lines)


def _hunk(head: re.Match[str], lines: list[Line]) -> Hunk:
    return Hunk(int(head[1]), int(head[2]), head[3], tuple(lines))
