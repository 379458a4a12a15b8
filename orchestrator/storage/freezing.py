"""Hold a file system still: FIFREEZE and FITHAW of <linux/fs.h>.

A child of its own holds it, so that it thaws whatever becomes of the server: at the end of the
child's input, which the kernel closes for a killed server, and after a minute.
"""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FIFREEZE, _FITHAW = 0xC0045877, 0xC0045878
_LONGEST_SECONDS = 60

# It touches nothing but its descriptors: on the frozen file system it would wait for itself.
_CHILD = f"""
import fcntl, select, sys
root = int(sys.argv[1])
fcntl.ioctl(root, {_FIFREEZE}, 0)
try:
    sys.stdout.write("frozen")
    sys.stdout.flush()
    select.select([sys.stdin], [], [], {_LONGEST_SECONDS})
finally:
    fcntl.ioctl(root, {_FITHAW}, 0)
"""


@contextmanager
def frozen(point: Path) -> Iterator[bool]:
    """Hold every write below the mount ``point``; yields False where the kernel refuses.

    What is not on the disk yet is written first.
    """
    root = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CHILD, str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            pass_fds=(root,),
        )
        try:
            assert child.stdout is not None
            yield child.stdout.read(6) == b"frozen"
        finally:
            assert child.stdin is not None
            child.stdin.close()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()
            thaw(root)  # should somebody have ended the child
    finally:
        os.close(root)


def thaw(root: int) -> None:
    """Let writes go on in the file system of the descriptor; one that is not frozen is success."""
    with suppress(OSError):
        fcntl.ioctl(root, _FITHAW, 0)


def thaw_path(point: Path) -> None:
    """:func:`thaw` the file system mounted at ``point``."""
    try:
        root = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EIO):
            raise
        return
    try:
        thaw(root)
    finally:
        os.close(root)
