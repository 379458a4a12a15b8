"""What differs from what: git's status, as it stands."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from models import Workspace
from orchestrator.names import show_home_path
from orchestrator.platform import Platform
from orchestrator.worktree import git

MOST = 5000
MOST_BYTES = 4 << 20

_STATES = {
    "rebase-merge": "rebasing",
    "rebase-apply": "rebasing",
    "MERGE_HEAD": "merging",
    "CHERRY_PICK_HEAD": "cherry-picking",
    "REVERT_HEAD": "reverting",
    "BISECT_LOG": "bisecting",
}
# $1 is a folder, or a file in one. Everything is ended by NUL: a path may have newlines, which
# "$(...)" would strip from its end.
_SCRIPT = r"""
cd -- "$1" 2>/dev/null || cd -- "${1%/*}/" 2>/dev/null || exit 3
shift
top=$("$@" rev-parse --show-toplevel 2>/dev/null; echo x)
top=${top%x}
[ -n "$top" ] || exit 3
printf '%s\0' "${top%?}"
git=$("$@" rev-parse --absolute-git-dir; echo x)
git=${git%?x}
for state in rebase-merge rebase-apply MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD BISECT_LOG; do
    [ -e "$git/$state" ] && break
    state=
done
printf '%s\0' "$state"
exec "$@" status --porcelain=v2 -z --branch --untracked-files=all --ignore-submodules=dirty
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs: ``index`` from HEAD, ``work`` from the index; letters are git's.

    ``origin`` is where it was renamed or copied from. "U" is unmerged, "?" unknown to git.
    """

    path: str
    index: str
    work: str
    origin: str = ""


@dataclass(slots=True)
class Status:
    """A work tree. ``root`` is absolute and as the system has it, paths are shown ones."""

    root: str
    state: str = ""
    branch: str | None = None
    head: str | None = None
    upstream: str | None = None
    ahead: int = 0
    behind: int = 0
    changes: list[Change] = field(default_factory=list)
    truncated: bool = False


def status(platform: Platform, workspace: Workspace, path: str) -> Status | None:
    """Return the status of the work tree that ``path`` is in; None where there is none."""
    argv = ("sh", "-c", _SCRIPT, "status", path, *git.reading(".")[:-2])
    text, cut = git.bounded(git.started(platform, workspace, argv), MOST_BYTES)
    return parsed(text, cut=cut)


def parsed(text: bytes, *, cut: bool = False) -> Status | None:
    """Read what the script writes: git-status(1), "Porcelain Format Version 2"."""
    words = iter(text.decode(errors="surrogateescape").split("\0")[:-1])
    root = next(words, "")
    if not root:
        return None
    found = Status(root, state=_STATES.get(next(words, ""), ""), truncated=cut)
    for word in words:
        if word.startswith("# "):
            _note(found, word[2:])
        elif len(found.changes) >= MOST:
            found.truncated = True
            break
        else:
            found.changes += _changes(word, words)
    return found


def _note(found: Status, header: str) -> None:
    name, _, value = header.partition(" ")
    match name:
        case "branch.oid":
            found.head = None if value == "(initial)" else value
        case "branch.head":
            found.branch = None if value == "(detached)" else value
        case "branch.upstream":
            found.upstream = value
        case "branch.ab":
            ahead, _, behind = value.partition(" ")
            found.ahead, found.behind = abs(int(ahead)), abs(int(behind))


def _changes(word: str, more: Iterator[str]) -> Iterator[Change]:
    kind, _, rest = word.partition(" ")
    # Fields before the path, by kind: those of the manual.
    fields = rest.split(" ", {"1": 7, "2": 8, "u": 9}.get(kind, 0))
    path = show_home_path(fields[-1])
    if kind in ("1", "2", "u") and len(fields[0]) == 2:
        pair = "UU" if kind == "u" else fields[0].replace(".", " ")
        origin = show_home_path(next(more, "")) if kind == "2" else ""
        yield Change(path, pair[0], pair[1], origin)
    elif kind == "?":
        yield Change(path, "?", "?")
