"""Where the git repositories of some folders keep what changes with every commit."""

import os
import stat
from collections.abc import Iterable, Iterator
from itertools import islice

NAMES = frozenset(
    (
        b"HEAD", b"index", b"packed-refs", b"config", b"ORIG_HEAD", b"FETCH_HEAD", b"MERGE_HEAD",
        b"CHERRY_PICK_HEAD", b"REVERT_HEAD", b"BISECT_LOG", b"rebase-merge", b"rebase-apply",
    )
)  # fmt: skip
"""In git's own folder: gitrepository-layout(5)."""
REFS_MOST = 200
_LINK_BYTES = 4096


def places_of(folders: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield the folders to watch, and whether each is git's own, of which only NAMES count."""
    tops = {git for folder in folders if (git := _git_of(folder)) is not None}
    for git in tops:
        common = _linked(git, b"commondir", b"") or git
        yield from ((path, True) for path in {git, common})
        refs = (path for path, _, _ in os.walk(os.path.join(common, b"refs")))
        yield from ((path, False) for path in islice(refs, REFS_MOST))


def _git_of(folder: bytes) -> bytes | None:
    """Return the git folder of the work tree that ``folder`` is in."""
    while True:
        git = os.path.join(folder, b".git")
        try:
            mode = os.stat(git).st_mode
        except OSError:
            mode = 0
        if stat.S_ISDIR(mode):
            return git
        if stat.S_ISREG(mode):  # of a worktree or a submodule
            return _linked(folder, b".git", b"gitdir: ")
        if folder in (b"/", b""):
            return None
        folder = os.path.dirname(folder)


def _linked(folder: bytes, name: bytes, prefix: bytes) -> bytes | None:
    """Return the folder that a file of git's names, if it does."""
    try:
        descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        text = os.read(descriptor, _LINK_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if not text.startswith(prefix):
        return None
    return os.path.normpath(os.path.join(folder, text.removeprefix(prefix).strip()))
