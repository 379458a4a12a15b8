"""How a repository came to be: commits, who wrote which line, what changed last."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from orchestrator.commons import reading
from orchestrator.commons.git import GitFailed, TookTooLong, TooLarge
from orchestrator.commons.names import parse_object, parse_path
from orchestrator.commons.reading import Kind, moment
from orchestrator.commons.source import READ_SECONDS, Source
from orchestrator.errors import Conflict, NotFound
from orchestrator.offload import offload

COMMITS_MAX = 500
BLAMED_BYTES_MAX = 512 << 10
WALKED_BYTES_MAX = 8 << 20
"""Of the commits between branches: some 80,000."""
LOOKED_AT = 400
"""Commits in which last_changes looks, unless it is told to look longer."""
CHANGES_SECONDS = 10.0
_FIELDS = ("%H", "%P", "%an", "%ae", "%at", "%cn", "%ct", "%s", "%b")
_FORMAT = f"--format={'%x00'.join(_FIELDS)}"
_TOO_LONG = "It takes too long to tell who wrote that file"
_BLAME_HEAD = re.compile(rb"([0-9a-f]{40}) \d+ (\d+)(?: \d+)?")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. ``at`` is the author's time, ``committed_at`` that of the committer."""

    id: str
    parents: tuple[str, ...]
    author: str
    email: str
    at: datetime
    committer: str
    committed_at: datetime
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Blamed:
    """Consecutive lines that one commit wrote. ``start`` is the first one's number, from 1."""

    commit: str
    author: str
    at: datetime
    subject: str
    start: int
    lines: tuple[str, ...]


def log(
    source: Source, commit: str, path: str = "", *, skip: int = 0, count: int = 30
) -> list[Commit]:
    """Return ``count`` commits that lead to ``commit``, newest first; of one path if given.

    No commit comes before one that it is a parent of, whatever their clocks said.
    """
    order = () if path else ("--date-order",)
    limits = (f"--skip={max(skip, 0)}", f"--max-count={min(max(count, 1), COMMITS_MAX)}")
    where = (parse_object(commit), "--", *([parse_path(path)] if path else []))
    return _commits(source.recall("log", "-z", _FORMAT, *order, *limits, *where))


def commit(source: Source, commit_id: str) -> Commit:
    """Return one commit. Raises: NotFound."""
    try:
        found = log(source, commit_id, count=1)
    except GitFailed as error:
        raise NotFound(f"There is no commit {commit_id[:40]}") from error
    return found[0]


def between(source: Source, base: str, head: str, count: int = 250) -> list[Commit]:
    """Return the commits that ``head`` has and ``base`` has not, newest first."""
    limits = ("--date-order", f"--max-count={min(max(count, 1), COMMITS_MAX)}")
    span = (parse_object(head), f"^{parse_object(base)}", "--")
    return _commits(source.recall("log", "-z", _FORMAT, *limits, *span))


def _commits(output: bytes) -> list[Commit]:
    fields = output.decode(errors="replace").split("\0")
    size = len(_FIELDS)
    found = []
    for start in range(0, len(fields) - size + 1, size):
        oid, parents, author, email, at, committer, committed, subject, body = fields[
            start : start + size
        ]
        found.append(
            Commit(
                id=oid,
                parents=tuple(parents.split()),
                author=author,
                email=email,
                at=moment(at),
                committer=committer,
                committed_at=moment(committed),
                subject=subject,
                body=body.rstrip("\n"),
            )
        )
    return found


def last_changes(
    source: Source, commit: str, path: str, names: Collection[str], *, look: int = LOOKED_AT
) -> dict[str, Commit]:
    """Return the commit that changed each of a folder's entries last.

    What did not change in the last ``look`` commits of the folder is left out; all is where
    finding them takes too long.
    """
    folder = parse_path(path)
    try:
        output = source.recall(
            "log", "-z", "--raw", "--no-renames", "--no-abbrev", f"--format=%x01%n{_FORMAT[9:]}",
            f"--max-count={look}", parse_object(commit), "--", *([folder] if folder else []),
            seconds=CHANGES_SECONDS,
        )  # fmt: skip
    except TookTooLong:
        return {}
    missing, found = set(names), dict[str, Commit]()
    start = f"{folder}/".encode() if folder else b""
    for block in output.split(b"\x01\n")[1:]:
        # The header's fields, then the changes as ":modes ids status" and a path by turns.
        parts = block.split(b"\0")
        size = len(_FIELDS)
        changed = {
            name[len(start) :].partition(b"/")[0].decode(errors="replace")
            for name in parts[size + 1 :: 2]
            if name.startswith(start)
        }
        if here := changed & missing:
            (one,) = _commits(b"\0".join(parts[:size]))
            found |= dict.fromkeys(here, one)
            missing -= here
            if not missing:
                break
    return found


def blame(source: Source, commit: str, path: str) -> list[Blamed]:
    """Return who wrote which lines of a file. Raises: NotFound, Conflict (too large)."""
    found = blame_within(READ_SECONDS, source, commit, path)
    if found is None:
        raise Conflict(_TOO_LONG)
    return found


def blame_within(seconds: float, source: Source, commit: str, path: str) -> list[Blamed] | None:
    """Return what :func:`blame` does, or None after so many seconds; it is found meanwhile."""
    found = reading.entry(source, commit, path)
    if found.kind is not Kind.FILE:
        raise NotFound(f"'{path[:200]}' is not a file")
    if (found.size or 0) > BLAMED_BYTES_MAX:
        raise Conflict("That file is too large to tell who wrote it")
    # Asked of the last commit that changed it, the answer outlives pushes that do not.
    (last,) = log(source, commit, path, count=1)
    try:
        output = source.expect(seconds, "blame", "--porcelain", last.id, "--", parse_path(path))
    except (GitFailed, TooLarge) as error:
        raise Conflict(_TOO_LONG) from error
    return None if output is None else _blamed(output)


def _blamed(output: bytes) -> list[Blamed]:
    known: dict[str, dict[bytes, str]] = {}
    runs: list[tuple[str, int, list[str]]] = []
    oid, number = "", 0
    for line in output.split(b"\n"):
        if line.startswith(b"\t"):
            if runs and runs[-1][0] == oid:
                runs[-1][2].append(line[1:].decode(errors="replace"))
            else:
                runs.append((oid, number, [line[1:].decode(errors="replace")]))
        elif match := _BLAME_HEAD.fullmatch(line):
            oid, number = match[1].decode(), int(match[2])
            known.setdefault(oid, {})
        elif line:
            key, _, value = line.partition(b" ")
            known[oid][key] = value.decode(errors="replace")
    return [
        Blamed(
            commit=oid,
            author=known[oid].get(b"author", ""),
            at=moment(known[oid].get(b"author-time", "0")),
            subject=known[oid].get(b"summary", ""),
            start=number,
            lines=tuple(lines),
        )
        for oid, number, lines in runs
    ]


def merge_base(source: Source, one: str, other: str) -> str | None:
    """Return the best common ancestor; None where histories are unrelated."""
    try:
        found = source.recall("merge-base", parse_object(one), parse_object(other))
    except GitFailed as error:
        if error.code == 1:
            return None
        raise
    return found.decode().strip()


def ahead_behind(source: Source, base: str, head: str) -> tuple[int, int]:
    """Return how many commits only ``head`` has, and how many only ``base`` has."""
    span = f"{parse_object(base)}...{parse_object(head)}"
    behind, ahead = source.recall("rev-list", "--count", "--left-right", span, "--").split()
    return int(ahead), int(behind)


def distances(source: Source, base: str, heads: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return what :func:`ahead_behind` does for many heads, found in one walk.

    It is empty where histories are unrelated or too long to count.
    """
    tips = [parse_object(tip) for tip in (base, *sorted(set(heads) - {base}))]
    key = (source.id, ("distances", *tips))
    if (counted := source.kept.get(key)) is None:
        try:
            shared = parse_object(source.recall("merge-base", "--octopus", *tips).decode().strip())
            walked = source.ask(
                "rev-list", "--topo-order", "--parents", *tips, f"^{shared}", "--",
                most=WALKED_BYTES_MAX,
            )  # fmt: skip
        except (GitFailed, TooLarge):
            return {}
        source.kept.put(key, counted := offload(_count, tips, walked))
    numbers = [int(number) for number in counted.split()]
    return dict(zip(tips, zip(numbers[::2], numbers[1::2], strict=True), strict=True))


def _count(tips: list[str], walked: bytes) -> bytes:
    """Return how far each tip is ahead and behind, of commits by the tips that lead to them."""
    leading = defaultdict[str, int](int)
    for place, tip in enumerate(tips):
        leading[tip] |= 1 << place
    counts = Counter[int]()
    for line in walked.decode().splitlines():
        commit_id, *parents = line.split(" ")
        mask = leading.pop(commit_id)
        counts[mask] += 1
        for parent in parents:
            leading[parent] |= mask
    found = []
    for mine in (1 << place for place in range(len(tips))):
        ahead = sum(number for mask, number in counts.items() if mask & mine and not mask & 1)
        behind = sum(number for mask, number in counts.items() if mask & 1 and not mask & mine)
        found.append(b"%d %d" % (ahead, behind))
    return b"\n".join(found)
