"""A TCP connection that starts inside a container's network namespace.

Development servers listen on the container's loopback, which no bridge reaches, and a container
without a network has nothing else. A socket belongs to the namespace it is made in, for ever
(network_namespaces(7)), so it is enough to visit the namespace for the ``socket()`` call.
"""

import ctypes
import errno
import os
import socket
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000  # <linux/sched.h>
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class NotHereError(OSError):
    """The container's processes cannot be seen from this server."""


def connect(
    pid: int, container_id: str, port: int, *, address: str = "", timeout: float
) -> socket.socket:
    """Connect to ``port`` on the loopback of the container whose first process is ``pid``.

    ``address`` is tried last: the container's own, for a program that listens on nothing else.

    Raises: NotHereError, and OSError as ``connect(2)`` does.
    """
    targets = [*_LOOPBACK, *([(socket.AF_INET, address)] if address else [])]
    refused: OSError = ConnectionRefusedError(errno.ECONNREFUSED, "nothing listens")
    for family, host in targets:
        try:
            connection = socket_in(pid, container_id, family)
        except OSError as error:
            if isinstance(error, NotHereError) or error.errno != errno.EAFNOSUPPORT:
                raise
            continue
        try:
            connection.settimeout(timeout)
            connection.connect((host, port))
            connection.settimeout(None)
            return connection
        except OSError as error:
            connection.close()
            if error.errno not in (errno.EADDRNOTAVAIL, errno.ENETUNREACH):
                refused = error
    raise refused


def socket_in(
    pid: int, container_id: str, family: int, kind: int = socket.SOCK_STREAM, protocol: int = 0
) -> socket.socket:
    """Make a socket in the namespace of the container whose first process is ``pid``.

    Raises: NotHereError, and OSError as ``socket(2)`` does.
    """
    try:
        there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NotHereError(error.errno, "the container's namespace is out of reach") from error
    try:
        # Checked after opening: had the number gone to another process meanwhile, even one of the
        # host's own, it would show here, and a process that still lives cannot have been another.
        if container_id not in Path(f"/proc/{pid}/cgroup").read_text():
            raise NotHereError(errno.ESRCH, "the container's process has ended")
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Only this thread moves, and nothing between the two calls can switch greenlets.
            _setns(there)
            try:
                return socket.socket(family, kind, protocol)
            finally:
                _setns(here)
        finally:
            os.close(here)
    finally:
        os.close(there)


def _setns(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise NotHereError(number, os.strerror(number))
