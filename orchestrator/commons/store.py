"""Where repositories lie on the disk, and how they come, move and go.

Public ones lie below ``global``, which workspaces see at ``/global``, private ones below
``private``, which nobody but git sees. Rows decide what exists: make the row first, then call the
store, which replaces what a crash left under the same name; delete the row first, too.

Everything appears and vanishes by one rename, so that a crash leaves no half repository.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.commons.git import Git
from orchestrator.commons.names import RepoName, parse_full_name
from orchestrator.errors import BadInput
from orchestrator.offload import offload

DEFAULT_BRANCH = "main"
SHARE = "share"
"""The directory beside an owner's public repositories that holds what is not git."""
STALE_SECONDS = 3600.0
"""After which nobody can be at work on what has not changed since."""
_MARK = "rootblood-id"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HOOK = Path(__file__).parent / "hooks" / "pre-receive"


@dataclass(frozen=True, slots=True)
class Store:
    """The repositories of one server; paths are as git, in its own confinement, reaches them."""

    root: Path
    git: Git
    origin: Path
    """``root`` by its lasting name: what containers mount must outlive a reboot."""

    @classmethod
    def at(cls, root: Path, git: Git, origin: Path | None = None) -> "Store":
        """Return the store at ``root``, with its directories made."""
        store = cls(root, git, origin or root)
        root.mkdir(parents=True, exist_ok=True)
        modes = {root: 0o711, store.public: 0o755, store.private: 0o711, store.hooks: 0o755}
        for directory, mode in modes.items():
            directory.mkdir(exist_ok=True)
            directory.chmod(mode)
        for hook in ("pre-receive", "post-receive"):
            _install(_HOOK, store.hooks / hook)
        return store

    @property
    def hooks(self) -> Path:
        """Return the directory of our own hooks; those of repositories never run."""
        return self.root / "hooks"

    @property
    def public(self) -> Path:
        """Return the directory of public repositories and shared files."""
        return self.root / "global"

    @property
    def mounted(self) -> Path:
        """Return what workspaces mount at ``/global``: the public directory."""
        return self.origin / "global"

    @property
    def private(self) -> Path:
        """Return the directory of private repositories and of what is being built."""
        return self.root / "private"

    def path(self, name: RepoName, *, private: bool) -> Path:
        """Return where the repository lies, or would."""
        return (self.private if private else self.public) / name.directory

    def share(self, owner: str) -> Path:
        """Return the directory of an owner's published files, or where it would be."""
        return self.public / owner / SHARE

    def shares(self) -> dict[str, int]:
        """Return the bytes of shared files, of each owner who has some."""
        return {path.parent.name: tree_bytes(path) for path in self.public.glob(f"*/{SHARE}")}

    def create(
        self, name: RepoName, *, private: bool, default_branch: str = DEFAULT_BRANCH
    ) -> Path:
        """Make an empty repository and return its path."""
        with self._making(name, private=private) as fresh:
            self._init(fresh, default_branch)
        return self.path(name, private=private)

    def fork(
        self, source: RepoName, target: RepoName, *, source_private: bool, private: bool
    ) -> Path:
        """Copy a repository's branches and tags; on one disk its objects are shared links."""
        origin = self.path(source, private=source_private)
        with self._making(target, private=private) as fresh:
            self.git.run(
                None, "-c", "protocol.file.allow=always", "clone", "--bare", "--local",
                "--quiet", "--template=", "--", str(origin), str(fresh), seconds=600.0,
            )  # fmt: skip
            self.git.run(fresh, "remote", "remove", "origin")
        return self.path(target, private=private)

    def adopt(self, built: Path, name: RepoName, *, private: bool) -> Path:
        """Move a repository that :meth:`workplace` holds into its place and return its path."""
        target = self.path(name, private=private)
        self._owner_directory(target.parent, private=private)
        self._clear(target)
        built.rename(target)
        return target

    def move(
        self, name: RepoName, *, private: bool, to: RepoName | None = None, to_private: bool
    ) -> Path:
        """Rename a repository, make it private or public, and return its path. Idempotent."""
        source = self.path(name, private=private)
        target = self.path(to or name, private=to_private)
        if source != target and source.exists():
            self._owner_directory(target.parent, private=to_private)
            self._clear(target)
            source.rename(target)
        if to_private != private and target.exists():
            # Moved out of sight is not enough: whoever stands in a directory keeps standing there.
            directory = os.open(target, _DIRECTORY)
            try:
                _set_modes(directory, 0o700 if to_private else 0o755)
            finally:
                os.close(directory)
        return target

    def mark(self, path: Path, row_id: int) -> None:
        """Write into a repository whose it is, for :meth:`places` after a crash."""
        directory = os.open(path, _DIRECTORY)
        fresh = f"{_MARK}.{secrets.token_hex(4)}"
        try:
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory)
            with os.fdopen(file, "w") as mark:
                mark.write(f"{row_id}\n")
            if self.git.uid is not None:
                os.chown(fresh, self.git.uid, self.git.uid, dir_fd=directory, follow_symlinks=False)
            os.rename(fresh, _MARK, src_dir_fd=directory, dst_dir_fd=directory)
        finally:
            os.close(directory)

    def places(self) -> Iterator[tuple[RepoName, bool, int | None]]:
        """Yield every repository on the disk: its name there, whether private, and its mark."""
        for private in (False, True):
            root = self.private if private else self.public
            for path in sorted(root.glob("[!.]*/*.git")):
                with suppress(BadInput):
                    yield parse_full_name(path.parent.name, path.name), private, _marked(path)

    def set_aside(self, name: RepoName, *, private: bool) -> Path:
        """Move what is nobody's out of everybody's sight and reach, and return its path."""
        lost = self.root / "lost"
        lost.mkdir(mode=0o700, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f"{name.owner}--{name.name}-", dir=lost))
        self.path(name, private=private).rename(place / "repository.git")
        return place

    def sweep(self) -> None:
        """Delete what a crash left of making and deleting repositories."""
        before = time.time() - STALE_SECONDS
        for left in (*self.private.glob(".new-*"), *self.private.glob(".gone-*")):
            if _changed(left) < before:
                offload(_remove, left) if left.is_dir() else left.unlink(missing_ok=True)

    def delete(self, name: RepoName, *, private: bool) -> None:
        """Delete a repository. Absent is success."""
        self._clear(self.path(name, private=private))

    def tidy(self, path: Path) -> None:
        """Delete what a git that was killed left in a repository: arrived objects and locks."""
        offload(_tidy, path, time.time() - STALE_SECONDS)

    def delete_owner(self, owner: str) -> None:
        """Delete all that an owner has: repositories of both kinds and shared files."""
        for root in (self.public, self.private):
            self._clear(root / owner)

    def size(self, name: RepoName, *, private: bool) -> int:
        """Return the bytes that a repository's files have; links to others' objects count too."""
        return offload(tree_bytes, self.path(name, private=private))

    def publish(self, fresh: Path, owner: str, path: Path) -> None:
        """Move a file below ``private`` to ``path`` in an owner's share. Raises: OSError."""
        share = self.share(owner)
        target = share / path
        self._owner_directory(share.parent, private=False)
        for parent in reversed(path.parents):  # of which the last is the share itself
            (share / parent).mkdir(mode=0o755, exist_ok=True)
            (share / parent).chmod(0o755)
        self._give(fresh)
        fresh.chmod(0o644)
        fresh.rename(target)

    def withdraw(self, owner: str, path: Path) -> bool:
        """Delete a file of an owner's share, and directories that it leaves empty.

        Return whether there was one.
        """
        share = self.share(owner)
        target = share / path
        try:
            target.unlink()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return False
        for parent in target.parents:
            try:
                parent.rmdir()
            except OSError:  # not empty
                break
            if parent == share:
                break
        return True

    @contextmanager
    def workplace(self, default_branch: str = DEFAULT_BRANCH) -> Iterator[Path]:
        """Yield an empty repository out of everybody's sight, for :meth:`adopt`; else deleted."""
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=self.private))
        try:
            self._give(fresh)
            built = fresh / "new.git"
            self._init(built, default_branch)
            yield built
        finally:
            offload(_remove, fresh)

    def _init(self, path: Path, default_branch: str) -> None:
        self.git.run(
            None, "init", "--bare", "--quiet", "--template=",
            f"--initial-branch={default_branch}", "--", str(path),
        )  # fmt: skip

    @contextmanager
    def _making(self, name: RepoName, *, private: bool) -> Iterator[Path]:
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=self.private))
        try:
            self._give(fresh)
            yield fresh / "new.git"
            self.adopt(fresh / "new.git", name, private=private)
        finally:
            offload(_remove, fresh)

    def _owner_directory(self, path: Path, *, private: bool) -> None:
        path.mkdir(exist_ok=True)
        self._give(path)
        path.chmod(0o700 if private else 0o755)

    def give(self, path: Path) -> None:
        """Make git's own what others wrote into a :meth:`workplace`."""
        for directory, _, files in os.walk(path):
            for entry in (directory, *(os.path.join(directory, file) for file in files)):
                self._give(Path(entry))

    def _give(self, path: Path) -> None:
        if self.git.uid is not None:
            os.chown(path, self.git.uid, self.git.uid, follow_symlinks=False)

    def _clear(self, path: Path) -> None:
        """Take what lies there out of sight at once, then delete it."""
        if not path.is_symlink() and not path.exists():
            return
        grave = Path(tempfile.mkdtemp(prefix=".gone-", dir=self.private))
        path.rename(grave / "gone")
        offload(_remove, grave)


def _install(source: Path, target: Path) -> None:
    # Copied: git's user may not be able to walk to where the server is installed.
    fresh = target.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(source.read_bytes())
    fresh.chmod(0o755)
    fresh.rename(target)


def _set_modes(directory: int, mode: int) -> None:
    # From the top, each before it is listed: what git makes meanwhile lies behind a shut one. No
    # link is followed: git's user may write there, who has read what strangers sent.
    os.fchmod(directory, mode)
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    for name in names:
        with suppress(FileNotFoundError, NotADirectoryError):  # git has just done with it
            below = os.open(name, _DIRECTORY, dir_fd=directory)
            try:
                _set_modes(below, mode)
            finally:
                os.close(below)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _tidy(path: Path, before: float) -> None:
    arrived = [*path.glob("objects/tmp_objdir-*")]
    locks = [*path.glob("*.lock"), *path.glob("refs/**/*.lock"), *path.glob("objects/**/*.lock")]
    for left in (*arrived, *locks):
        newest = max((_changed(file) for file in (left, *left.rglob("*"))), default=0.0)
        if newest < before:
            _remove(left) if left in arrived else left.unlink(missing_ok=True)


def _marked(path: Path) -> int | None:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path / _MARK, flags)) as mark:
            return int(mark.read(20))
    except (OSError, ValueError):
        return None


def _changed(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def tree_bytes(path: Path) -> int:
    """Return the bytes of all files below ``path``, each of at least one block on the disk."""
    total = 0
    for directory, _, files in os.walk(path):
        for file in files:
            try:
                total += os.lstat(os.path.join(directory, file)).st_size
            except FileNotFoundError:  # git has just renamed it
                continue
    return total
