"""What a person does in a work tree: stage, discard, commit, switch."""

from collections.abc import Sequence

from models import Workspace
from orchestrator.errors import BadInput
from orchestrator.platform import Platform
from orchestrator.worktree import git

PATHS_MOST = 5000
MESSAGE_LONGEST = 100_000


def stage(platform: Platform, workspace: Workspace, root: str, paths: Sequence[str]) -> None:
    """Put files into the index as they are; deleted ones leave it. Raises: BadInput, Conflict."""
    git.run_on(platform, workspace, git.changing(root, "add", "-A"), _inner(paths, root))


def unstage(platform: Platform, workspace: Workspace, root: str, paths: Sequence[str]) -> None:
    """Make the index what HEAD is; files stay as they are. Raises: BadInput, Conflict."""
    git.run_on(platform, workspace, git.changing(root, "reset", "-q"), _inner(paths, root))


def discard(platform: Platform, workspace: Workspace, root: str, paths: Sequence[str]) -> None:
    """Make files what the index has; those that git does not know are deleted.

    What git ignores stays. Raises: BadInput, Conflict.
    """
    inner = _inner(paths, root)
    listing = git.reading(root, "ls-files", "-z", "--cached")
    listed = git.run_on(platform, workspace, listing, inner).decode(errors="surrogateescape")
    names = listed.split("\0")[:-1]
    known = [path for path in inner if _any_below(path, names)]
    git.run_on(platform, workspace, git.changing(root, "restore", "--worktree"), known)
    git.run_on(platform, workspace, git.changing(root, "clean", "-f", "-d", "-q"), inner)


def commit(
    platform: Platform, workspace: Workspace, root: str, message: str, *, amend: bool
) -> None:
    """Commit what is staged; an amended commit keeps its message where none is given.

    Raises: BadInput; Conflict with what git or a hook says.
    """
    if len(message) > MESSAGE_LONGEST or "\0" in message:
        raise BadInput(f"Use at most {MESSAGE_LONGEST} characters", field="message")
    if not message.strip() and not amend:
        raise BadInput("Say what the commit does", field="message")
    words = ("--file=-",) if message.strip() else ("--no-edit",)
    argv = git.changing(root, "commit", "-q", *(("--amend",) if amend else ()), *words)
    git.run(platform, workspace, argv, stdin=message.encode(errors="replace"))


def switch(
    platform: Platform, workspace: Workspace, root: str, branch: str, *, create: bool
) -> None:
    """Switch to a branch, made from where HEAD is with ``create``; one of a remote is followed.

    Raises: BadInput; Conflict, for one where changes would be lost.
    """
    name = git.parse_branch(branch)
    words = ("switch", "-q", *(("--create",) if create else ()), name)
    git.run(platform, workspace, git.changing(root, *words))


def init(platform: Platform, workspace: Workspace, root: str) -> None:
    """Make a folder a repository; one that is stays as it is. Raises: Conflict."""
    git.run(platform, workspace, git.changing(root, "init", "-q"))


def _inner(paths: Sequence[str], root: str) -> list[str]:
    if not 0 < len(paths) <= PATHS_MOST:
        raise BadInput(f"Name 1 to {PATHS_MOST} paths", field="paths")
    return [git.inner(path, root, field="paths") for path in paths]


def _any_below(path: str, names: Sequence[str]) -> bool:
    return any(path in (".", name) or name.startswith(f"{path}/") for name in names)
