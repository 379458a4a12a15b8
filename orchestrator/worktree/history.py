"""Branches and commits of a work tree's repository."""

from dataclasses import dataclass
from datetime import UTC, datetime

from models import Workspace
from orchestrator.platform import Platform
from orchestrator.worktree import git

BRANCHES_MOST = 1000
COMMITS_MOST = 500
OUTPUT_BYTES = 4 << 20

_REF = (
    "%(refname)%00%(objectname)%00%(upstream:short)%00%(committerdate:unix)%00%(HEAD)%00%(subject)"
)
_COMMIT = "%H%x00%P%x00%an%x00%ae%x00%at%x00%D%x00%s%x00%b"


@dataclass(frozen=True, slots=True)
class Branch:
    """``remote`` is one that a remote repository had when it was last asked."""

    name: str
    remote: bool
    current: bool
    commit: str
    upstream: str
    at: datetime | None
    subject: str


@dataclass(frozen=True, slots=True)
class Commit:
    """``refs`` are the branches and tags that point at it."""

    id: str
    parents: list[str]
    author: str
    email: str
    at: datetime | None
    refs: list[str]
    subject: str
    body: str


def branches(platform: Platform, workspace: Workspace, root: str) -> list[Branch]:
    """Return the branches, the latest first. Raises: Conflict where there is no repository."""
    words = ("for-each-ref", f"--format={_REF}", f"--count={BRANCHES_MOST}",
             "--sort=-committerdate", "refs/heads", "refs/remotes")  # fmt: skip
    text = git.run(platform, workspace, git.reading(root, *words), seconds=git.READ_SECONDS)
    found = []
    for line in text.decode(errors="replace").split("\n")[:-1]:
        ref, commit, upstream, at, current, subject = line.split("\0")
        _, kind, name = ref.split("/", 2)
        if not (kind == "remotes" and name.endswith("/HEAD")):
            remote, here = kind == "remotes", current == "*"
            found.append(Branch(name, remote, here, commit, upstream, _moment(at), subject))
    return found


def log(
    platform: Platform, workspace: Workspace, root: str, path: str, *, skip: int, count: int
) -> list[Commit]:
    """Return the commits that lead to HEAD, newest first; those that changed ``path`` if given.

    Raises: BadInput.
    """
    words = ("log", "-z", f"--format={_COMMIT}", f"--skip={skip}",
             f"--max-count={min(count, COMMITS_MOST)}", "--no-show-signature", "--no-mailmap",
             "--", git.inner(path, root))  # fmt: skip
    text, _ = git.bounded(git.started(platform, workspace, git.reading(root, *words)), OUTPUT_BYTES)
    fields = text.decode(errors="replace").split("\0")
    # Eight of each; a repository without commits has none.
    return [
        Commit(
            id=id,
            parents=parents.split(),
            author=author,
            email=email,
            at=_moment(at),
            refs=[ref for ref in refs.split(", ") if ref],
            subject=subject,
            body=body.rstrip(),
        )
        for id, parents, author, email, at, refs, subject, body in zip(
            *(fields[start::8] for start in range(8)), strict=False
        )
    ]


def _moment(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):  # a commit may say that it is of any time
        return None
