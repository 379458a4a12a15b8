"""Repositories with something in them, pushed without HTTP."""

from collections.abc import Callable
from dataclasses import dataclass

from models import Method, Proposal, Repository, User, utcnow
from orchestrator.commons import (
    accepting,
    finding,
    history,
    proposals,
    pushed,
    reading,
    repositories,
    source,
)  # fmt: skip
from orchestrator.commons.checks import Update
from orchestrator.commons.finding import Query
from orchestrator.commons.proposals import Offer
from orchestrator.platform import Platform
from tests.orchestrator.commons.git_client import Client

NOTHING = "0" * 40


@dataclass(frozen=True)
class Work:
    """A person's work tree, and how what is committed in it gets into the commons."""

    platform: Platform
    user: User
    tree: Client

    def commit(self, message: str = "Change it", **files: str | bytes) -> str:
        """Commit files; ``_`` in names is ``.``."""
        return self.tree.commit(message, **files)

    def push(self, row: Repository, branch: str = "main", commit: str = "HEAD") -> str:
        """Push a commit, by force, and do what the server does after a push."""
        path = source.path_of(self.platform, row)
        old = Client(path).run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
        new = self.tree.ok("rev-parse", commit)
        self.tree.ok("push", "--quiet", "--force", str(path), f"{new}:refs/heads/{branch}")
        before = old.stdout.decode().strip() or NOTHING
        self.noted(row, Update(before, new, f"refs/heads/{branch}"))
        return new

    def delete(self, row: Repository, branch: str) -> None:
        """Delete a branch."""
        path = source.path_of(self.platform, row)
        old = Client(path).ok("rev-parse", f"refs/heads/{branch}")
        self.tree.ok("push", "--quiet", str(path), f":refs/heads/{branch}")
        self.noted(row, Update(old, NOTHING, f"refs/heads/{branch}"))

    def noted(self, row: Repository, update: Update) -> None:
        pushed.note(self.platform, self.user, utcnow(), row.id, [update])


def create(platform: Platform, user: User, name: str = "hello", **given: object) -> Repository:
    """Make an empty repository."""
    return repositories.create(platform, user, utcnow(), name, **given)


def names(viewer: User, **query: object) -> list[str]:
    """Return what a search finds, as ``owner/name``."""
    return [one.row.slug for one in finding.search(viewer, Query(**query)).found]


def offer(
    platform: Platform, user: User, row: Repository, origin: Repository, branch: str = "fix"
) -> Proposal:
    """Offer a branch to ``main`` of a repository."""
    made = Offer(origin, branch, "main", "Make it better", "Because.")
    return proposals.create(platform, user, utcnow(), row, made)


def merge(
    platform: Platform, user: User, proposal: Proposal, method: Method = Method.MERGE
) -> Proposal:
    """Merge a proposal."""
    return accepting.merge(platform, user, utcnow(), proposal, method)


def on_main(platform: Platform, row: Repository) -> list[history.Commit]:
    """Return the commits of the default branch, newest first."""
    here = source.of(platform, row)
    head = reading.head(here, row)
    assert head is not None
    return history.log(here, head)


def sound(platform: Platform, row: Repository) -> None:
    """git finds nothing wrong with the repository, alone."""
    done = Client(source.path_of(platform, row)).run("fsck", "--strict", "--no-dangling")
    assert (done.returncode, done.stderr) == (0, b"")


MakeWork = Callable[[User], Work]
