"""A diff as its pages show it: numbered files, coloured lines, what was said beside them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup

from models import ProposalComment, Side
from orchestrator.commons.diffs import Diff, FileDiff, Hunk, Line
from orchestrator.offload import offload
from web import highlight

COLOURED_CHARS_MAX = 16_000
"""Of all lines of one diff together, some 50 ms of work: what comes later is plain."""
OPEN_LINES_MAX = 400
"""A file with more lines begins closed."""
_WORDS = {"A": "added", "D": "deleted", "R": "renamed", "C": "copied", "T": "type changed"}
Spoken = dict[tuple[str, Side, int], list[ProposalComment]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line with its HTML and what was said about it."""

    line: Line
    html: Markup
    said: list[ProposalComment]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a diff. ``ratio`` is the share of added lines in percent."""

    diff: FileDiff
    anchor: str
    word: str
    ratio: int
    open: bool
    hunks: list[tuple[Hunk, list[Row]]]


def files(diff: Diff, said: Iterable[ProposalComment] = ()) -> list[File]:
    """Return the files of a diff for the page, with comments on lines at their lines."""
    spoken: Spoken = defaultdict(list)
    for comment in said:
        if comment.path is not None and comment.side is not None and comment.line is not None:
            spoken[comment.path, comment.side, comment.line].append(comment)
    return offload(_files, diff, spoken)


def _files(diff: Diff, spoken: Spoken) -> list[File]:
    left, made = COLOURED_CHARS_MAX, []
    for number, file in enumerate(diff.files):
        hunks = []
        for hunk in file.hunks:
            size = sum(len(line.text) for line in hunk.lines)
            hunks.append((hunk, _rows(file, hunk, spoken, coloured=size <= left)))
            left -= size
        changed = file.added + file.removed
        lines = sum(len(hunk.lines) for hunk in file.hunks)
        made.append(
            File(
                diff=file,
                anchor=f"file-{number + 1}",
                word=_WORDS.get(file.status, ""),
                ratio=round(100 * file.added / changed) if changed else 0,
                open=lines <= OPEN_LINES_MAX,
                hunks=hunks,
            )
        )
    return made


def _rows(file: FileDiff, hunk: Hunk, spoken: Spoken, *, coloured: bool) -> list[Row]:
    # A line of a hunk is one line here, whatever separators are in it.
    text = "\n".join(line.text.replace("\n", " ").removesuffix("\r") for line in hunk.lines)
    html = _coloured(text, file.path) if coloured else highlight.lines(text + "\n")
    return [
        Row(line, shown, _said(file, line, spoken))
        for line, shown in zip(hunk.lines, html, strict=True)
    ]


@lru_cache(maxsize=256)
def _coloured(text: str, path: str) -> list[Markup]:
    return highlight.lines(text + "\n", path)


def _said(file: FileDiff, line: Line, spoken: Spoken) -> list[ProposalComment]:
    if not spoken:
        return []
    said: list[ProposalComment] = []
    if line.old is not None and line.kind != "+":
        said += spoken.get((file.old_path or file.path, Side.OLD, line.old), [])
    if line.new is not None and line.kind != "-":
        said += spoken.get((file.path, Side.NEW, line.new), [])
    return said
