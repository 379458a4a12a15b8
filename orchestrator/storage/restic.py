"""The words of restic: command lines, what it prints, what its failures mean. Pure.

For restic 0.14 and later: https://restic.readthedocs.io/en/stable/075_scripting.html. What people
name is never an option and never a pattern: see :func:`pattern`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from orchestrator.errors import (
    AllowanceReached,
    Conflict,
    NoSpace,
    NotFound,
    RootBloodError,
    SnapshotError,
)

Type = Literal["file", "dir", "symlink", "other"]

REPOSITORY = "/repository"
"""Where the container sees a repository that is kept beside the home."""
ENVIRONMENT = (
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("HOME", "/tmp"),
    ("GOGC", "20"),  # a fifth of the memory for a tenth more time
    ("RESTIC_PROGRESS_FPS", "2"),
    ("TMPDIR", "/tmp"),
)
INCOMPLETE = 3
"""Exit code: the snapshot was taken, without some files that could not be read."""
NOTHING = "There is nothing in your home that could be kept"
"""restic takes no empty snapshots."""
ABSENT, LINKED, SPOILT, GROWN, SHORT = 64, 65, 67, 68, 69
"""Codes of restic_calls.py."""
_ID = re.compile(r"[0-9a-f]{8}(?:[0-9a-f]{56})?", re.ASCII)
_SETUID, _SETGID, _STICKY = 1 << 23, 1 << 22, 1 << 20  # Go's io/fs.FileMode
_TYPES: dict[str, Type] = {"file": "file", "dir": "dir", "symlink": "symlink"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot as the repository has it."""

    id: str
    taken_at: datetime
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a backup says of itself at its end; ``id`` is the beginning of the snapshot's."""

    id: str
    files: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a folder in a snapshot; ``tree`` names a folder's own entries."""

    name: str
    type: Type
    size_bytes: int
    mode: int
    """Permissions with setuid, setgid and sticky, as chmod(2) has them."""
    modified_at: datetime
    tree: str = ""


COMMAND = ("restic", "--no-cache", "--password-file", "/dev/stdin")
"""How restic is called. Its repository's address, which may hold a password, is no word of it:
command lines are shown to every user of the host."""


def redacted(said: str, repository: str) -> str:
    """Return what restic said without what only the address of the repository should hold."""
    credentials, at, _ = repository.partition("@")
    secret = credentials.rpartition("://")[2].partition(":")[2] if at else ""
    return said.replace(repository, "the repository").replace(secret, "***") if secret else said


def init() -> tuple[str, ...]:
    return ("init", "--quiet", "--repository-version", "2")


def backup(tag: str, *, largest_bytes: int, parent: str = "") -> tuple[str, ...]:
    """Take a snapshot of the working directory, whose entries become those of its root."""
    return (
        "backup", "--json", "--host", "home", "--one-file-system", "--tag", tag,
        "--exclude-larger-than", str(largest_bytes), "--exclude", "/**/.rootblood-restore-*",
        *(("--parent", parent) if parent else ()), "--", ".",
    )  # fmt: skip


def snapshots() -> tuple[str, ...]:
    return ("snapshots", "--json", "--no-lock")


def forget(ids: Iterable[str]) -> tuple[str, ...]:
    return ("forget", "--quiet", "--", *map(checked, ids))


def forget_by_age(tag: str, hours: int, days: int, weeks: int) -> tuple[str, ...]:
    """Forget what is older than the rules keep; the newest always stays."""
    keep = (("hourly", hours), ("daily", days), ("weekly", weeks))
    kept = [word for name, count in keep if count for word in (f"--keep-{name}", str(count))]
    return ("forget", "--quiet", "--group-by", "", "--tag", tag, "--keep-last", "1", *kept)


def prune() -> tuple[str, ...]:
    return ("prune", "--quiet", "--max-unused", "5%")


def sweep() -> tuple[str, ...]:
    """Delete what nothing refers to, writing nothing anew: needs no space."""
    return ("prune", "--quiet", "--max-unused", "unlimited")


def unlock() -> tuple[str, ...]:
    return ("unlock", "--quiet", "--remove-all")


def restore(id: str, path: str = "") -> tuple[str, ...]:
    """Restore ``path``, or everything; the target is added by whoever runs it."""
    include = ("--include", pattern(path)) if path else ()
    return ("restore", "--quiet", "--no-lock", *include, checked(id))


def dump(id: str, path: str) -> tuple[str, ...]:
    return ("dump", "--quiet", "--no-lock", "--archive", "tar", "--", checked(id), f"/{path}")


def find(path: str) -> tuple[str, ...]:
    """Look for exactly ``path`` in all snapshots."""
    return ("find", "--json", "--no-lock", "--", pattern(path))


def checked(id: str) -> str:
    """Return ``id`` when it is the id of a snapshot, whole or as restic abbreviates it."""
    if not _ID.fullmatch(id):
        raise SnapshotError("That is not the id of a snapshot")
    return id


def pattern(path: str) -> str:
    """Return a pattern that matches nothing but ``path``: see Go's path/filepath.Match."""
    return "/" + re.sub(r"([*?\[\]\\])", r"\\\1", path)


def parse_snapshots(events: Sequence[Any]) -> list[Kept]:
    """Read what :func:`snapshots` prints, oldest first."""
    found = [row for event in events if isinstance(event, list) for row in event]
    kept = [Kept(checked(row["id"]), moment(row["time"]), tuple(row.get("tags") or ()))
            for row in found]  # fmt: skip
    return sorted(kept, key=lambda one: one.taken_at)


def parse_summary(event: Mapping[str, Any]) -> Taken:
    """Read the last line of :func:`backup`."""
    return Taken(
        str(event["snapshot_id"]),
        int(event["total_files_processed"]),
        int(event["total_bytes_processed"]),
    )


def parse_entry(node: Mapping[str, Any]) -> Entry:
    """Read an entry of a tree, or a match of :func:`find`."""
    mode = int(node.get("mode", 0))
    special = ((_SETUID, 0o4000), (_SETGID, 0o2000), (_STICKY, 0o1000))
    return Entry(
        name=str(node.get("name", "")),
        type=_TYPES.get(str(node["type"]), "other"),
        size_bytes=max(0, int(node.get("size", 0))),
        mode=(mode & 0o777) | sum(bit for flag, bit in special if mode & flag),
        modified_at=moment(str(node.get("mtime", ""))),
        tree=str(node.get("subtree", "")),
    )


def parse_found(events: Sequence[Any]) -> dict[str, Entry]:
    """Read what :func:`find` prints: what was found, by the snapshot's id."""
    rows = [row for event in events if isinstance(event, list) for row in event]
    return {str(row["snapshot"]): parse_entry(row["matches"][0]) for row in rows if row["matches"]}


def moment(text: str) -> datetime:
    """Read a time of restic's; an impossible one, which files may have, is that of 1970."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, UTC)


def missing_repository(said: str) -> bool:
    """Tell whether restic found no repository."""
    return "unable to open config file" in said or "Is there a repository" in said


def home_is_full(said: str) -> bool:
    return "no space left on device" in said.lower() or "disk quota exceeded" in said.lower()


def failure(code: int, said: str) -> RootBloodError:
    """Return the error that a failed command stands for."""
    if code == ABSENT or "not found in snapshot" in said:
        return NotFound("There is nothing at that path")
    if code == LINKED:
        return SnapshotError(
            "A folder on the way to that path is a link now, or no folder",
            hint="Move it away first, or restore to where the link points.",
        )
    if code == SPOILT:
        first = said.strip().split("\n")[0].removeprefix("ignoring error for ")
        return SnapshotError(
            f"Not all of it could be read from the snapshot: {first}",
            hint="Nothing was changed. Another snapshot may have it whole; tell an administrator.",
        )
    if code == GROWN:
        return AllowanceReached(
            "The snapshot would take more than your allowance",
            hint="Something grew while it was read. Stop what writes, then try again.",
        )
    if code == SHORT:
        return NoSpace("The server's disk has less left than its reserve")
    if "snapshot is empty" in said:
        return Conflict(NOTHING)
    if "wrong password" in said:
        return SnapshotError(
            "The key of your home does not open its snapshots",
            hint="Nothing was changed. Were the snapshots replaced by another account's?",
        )
    if missing_repository(said):
        return SnapshotError("The repository of your snapshots is not where it was")
    lines = [line for line in said.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if line.startswith("Fatal:")), lines[-1:])
    text = last if isinstance(last, str) else "".join(last)
    return SnapshotError(f"restic: {text.removeprefix('Fatal:').strip() or f'exit code {code}'}")
