"""Run directories: one small host directory per container, for the sockets it serves on.

A workspace's user owns the directory and may put anything there. So it is a tmpfs of its own (it
cannot fill the host's disk), and :func:`connect` trusts nothing in it: a socket that is replaced by
a link to ``/var/run/docker.sock`` would otherwise hand the server's privileges to the user.
"""

import ctypes
import errno
import fcntl
import os
import secrets
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.errors import EngineError, NoSpace

_LIBC = ctypes.CDLL(None, use_errno=True)
# <sys/mount.h>
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_BACKLOG = 64
_SIZE_LIMIT = "size=256k,nr_inodes=64"


class UnsafeSocketError(OSError):
    """What lies under the socket's name is not a socket of the container's own user."""


class RunDirs:
    """Makes, removes and connects into ``<root>/<name>/``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._privileged = os.geteuid() == 0

    def path(self, name: str) -> Path:
        """Return the directory of ``name``, which is one path component."""
        if not name or "/" in name or name.startswith("."):
            raise EngineError(f"{name!r} cannot name a run directory")
        return self._root / name

    def make(self, name: str, owner: tuple[int, int]) -> Path:
        """Make the directory as ``owner``'s alone and return it. Idempotent, also after a reboot.

        Raises: EngineError, NoSpace.
        """
        path = self.path(name)
        try:
            self._root.mkdir(mode=0o711, parents=True, exist_ok=True)
            with self._alone():
                path.mkdir(mode=0o700, exist_ok=True)
                if self._privileged:
                    _mount_tmpfs(path, owner)
                _own(path, owner)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise NoSpace() from error
            raise EngineError(
                f"Cannot prepare the run directory {path}: {error.strerror}",
                hint="Run RootBlood as root: each workspace's sockets belong to its own uid.",
            ) from error
        return path

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep starters, in whatever process, from mounting one over the other's directory."""
        descriptor = os.open(self._root / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        """Unmount and delete the directory; absent is success."""
        path = self.path(name)
        if not path.exists():
            return
        try:
            with self._alone():
                while _is_mounted(path):
                    # Lazily: a container in the middle of its removal may still hold it.
                    _umount(path)
                for entry in os.scandir(path):  # only where there was no tmpfs
                    os.unlink(entry.path)
                path.rmdir()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise EngineError(f"Cannot remove {path}: {error.strerror}") from error

    def connect(self, name: str, file: str, owner: int) -> socket.socket:
        """Connect to the unix socket ``file`` of ``name`` if it is a socket that ``owner`` owns.

        What is checked is what is connected to, even when the name is swapped in between: the
        inode is pinned by an ``O_PATH`` descriptor and reached through ``/proc/self/fd`` (which
        also lifts the limit of 108 bytes on a socket's path).

        Raises: UnsafeSocketError, and OSError as ``connect(2)`` does: BlockingIOError where more
        wait to be accepted than the program's backlog takes.
        """
        flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._opened(name) as directory:
            pinned = os.open(Path(file).name, flags, dir_fd=directory)
        try:
            found = os.fstat(pinned)
            if not stat.S_ISSOCK(found.st_mode) or found.st_uid != owner:
                raise UnsafeSocketError(errno.EPERM, "not a socket of the workspace's user", file)
            return _connected(f"/proc/self/fd/{pinned}")
        finally:
            os.close(pinned)

    def listen(self, name: str, file: str, owner: tuple[int, int]) -> socket.socket:
        """Return a listening unix socket that ``name`` finds in its directory, as ``owner``'s.

        Replaces what lies there. Only the directory is trusted, by a descriptor: the user may swap
        names in it at any moment, and gains nothing but another file of their own. Raises: OSError.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(listener.fileno(), 0o600)  # which bind(2) gives to the file
            with self._opened(name) as directory:
                with suppress(FileNotFoundError):
                    os.unlink(file, dir_fd=directory)
                listener.bind(f"/proc/self/fd/{directory}/{file}")
                os.chown(file, *owner, dir_fd=directory, follow_symlinks=False)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener

    def write(self, name: str, file: str, content: bytes, owner: tuple[int, int]) -> None:
        """Put a small file of ``owner``'s into the directory, whole or not at all. Raises: OSError.

        Replaces what lies there, as :meth:`listen` does.
        """
        fresh = f".{file}.{secrets.token_hex(4)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._opened(name) as directory:
            descriptor = os.open(fresh, flags, 0o600, dir_fd=directory)
            try:
                with os.fdopen(descriptor, "wb") as output:
                    os.fchown(descriptor, *owner)
                    output.write(content)
                os.rename(fresh, file, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(fresh, dir_fd=directory)
                raise

    def identity(self, name: str, file: str) -> tuple[int, int] | None:
        """Return which file lies under that name, following no link; None where there is none."""
        try:
            with self._opened(name) as directory:
                found = os.stat(file, dir_fd=directory, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_dev, found.st_ino

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_DIRECTORY
        directory = os.open(self.path(name), flags)
        try:
            yield directory
        finally:
            os.close(directory)


def _connected(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # A unix socket is connected at once or not at all, and while it is not, it is writable: an
        # event loop that waited for that would go round and round.
        connection.settimeout(0)
        connection.connect(path)
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return connection


def _mount_tmpfs(path: Path, owner: tuple[int, int]) -> None:
    if _is_mounted(path):
        return
    options = f"{_SIZE_LIMIT},mode=0700,uid={owner[0]},gid={owner[1]}"
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    target = os.fsencode(path)
    if _LIBC.mount(b"rootblood", target, b"tmpfs", flags, options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))


def _umount(path: Path) -> None:
    if _LIBC.umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))


def _own(path: Path, owner: tuple[int, int]) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(descriptor)
        if (found.st_uid, found.st_gid) != owner:
            os.fchown(descriptor, *owner)
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def _is_mounted(path: Path) -> bool:
    """Tell whether something is mounted on ``path`` (proc_pid_mountinfo(5), field 5)."""
    # mountinfo writes space, tab, newline and backslash as octal escapes.
    wanted = os.fsencode(path.parent.resolve() / path.name)
    for special in (b"\\", b" ", b"\t", b"\n"):
        wanted = wanted.replace(special, b"\\%03o" % special[0])
    with open("/proc/self/mountinfo", "rb") as table:
        return any(line.split(b" ", 5)[4] == wanted for line in table)
