"""The shared space ``/global``: one directory of bare git repositories that everyone can read.

How people write to it is not decided here; it begins with one repository that says what it is.
"""

import shutil
import tempfile
from pathlib import Path

from git import Actor, Repo

OWNER = "rootblood"
WELCOME = f"{OWNER}/welcome.git"

_README = """# Welcome to /global

This is the commons of this server: git repositories that every workspace can clone at the speed
of the local disk.

    git clone /global/rootblood/welcome.git

It is read-only from inside a workspace.
"""


def prepare(root: Path) -> Path:
    """Make the commons at ``root`` with its welcome repository; idempotent and crash-safe.

    Returns the absolute path that workspaces mount at ``/global``.
    """
    root = root.absolute()
    (root / OWNER).mkdir(mode=0o755, parents=True, exist_ok=True)
    if not (root / WELCOME).exists():
        _make_welcome(root / WELCOME)
    return root


def _make_welcome(target: Path) -> None:
    # Built beside its place and moved there whole, so that a crash leaves no half repository.
    workplace = Path(tempfile.mkdtemp(prefix=".welcome-", dir=target.parent))
    try:
        author = Actor("RootBlood", "welcome@rootblood.local")
        with Repo.init(workplace / "tree", initial_branch="main") as repo:
            (workplace / "tree" / "README.md").write_text(_README)
            repo.index.add(["README.md"])
            repo.index.commit("Say what the commons is", author=author, committer=author)
            repo.clone(str(workplace / "bare"), bare=True, no_hardlinks=True).close()
        (workplace / "bare").rename(target)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
