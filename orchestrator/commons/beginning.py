"""Repositories that begin with a README, so that they can be cloned and browsed at once.

GitPython writes the first commit itself: no git runs, and nothing that people named is more than
the content of an object.
"""

from datetime import datetime
from io import BytesIO
from pathlib import Path

from git import Actor, Commit, Head, Repo, Tree
from git.objects.fun import tree_to_stream
from gitdb import IStream

from models import Repository, User, Visibility
from orchestrator.commons import pushed, repositories
from orchestrator.commons.checks import Update
from orchestrator.commons.names import parse_repository
from orchestrator.commons.store import DEFAULT_BRANCH
from orchestrator.platform import Platform
from orchestrator.policy import EMAIL_DOMAIN

_NOTHING = "0" * 40
_FILE_MODE = 0o100644


def create_with_readme(
    platform: Platform,
    user: User,
    now: datetime,
    name: str,
    *,
    description: str = "",
    visibility: Visibility = Visibility.PUBLIC,
    address: str = "",
) -> Repository:
    """Create a repository of the user's own whose README says its name and description.

    Raises: BadInput, AlreadyExists, AllowanceReached.
    """
    title, said = parse_repository(name), repositories.parse_description(description)
    readme = f"# {title}\n" + (f"\n{said}\n" if said else "")
    author = Actor(user.username, f"{user.username}@{EMAIL_DOMAIN}")
    with platform.store.workplace() as built:
        commit = _commit(built, readme.encode(), author, now)
        platform.store.give(built)
        row = repositories.create(
            platform, user, now, title,
            description=said, visibility=visibility, built=built, address=address,
        )  # fmt: skip
    update = Update(_NOTHING, commit, f"refs/heads/{DEFAULT_BRANCH}")
    pushed.note(platform, user, now, row.id, [update])
    return row


def _commit(bare: Path, readme: bytes, author: Actor, now: datetime) -> str:
    """Make the first commit of an empty repository and return its id."""
    with Repo(bare) as repo:
        blob = _stored(repo, "blob", readme)
        entries = BytesIO()
        tree_to_stream([(blob, _FILE_MODE, "README.md")], entries.write)
        commit = Commit.create_from_tree(
            repo, Tree(repo, _stored(repo, "tree", entries.getvalue())), "Begin",
            parent_commits=[], author=author, committer=author, author_date=now, commit_date=now,
        )  # fmt: skip
        Head(repo, f"refs/heads/{DEFAULT_BRANCH}").set_commit(commit)
        return commit.hexsha


def _stored(repo: Repo, kind: str, content: bytes) -> bytes:
    stored = repo.odb.store(IStream(kind, len(content), BytesIO(content)))
    return bytes(stored.binsha)
