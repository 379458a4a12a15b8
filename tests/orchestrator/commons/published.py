"""Repositories with something in them, pushed without HTTP."""

from dataclasses import dataclass

from models import Repository, User, utcnow
from orchestrator.commons import pushed, source
from orchestrator.commons.checks import Update
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
