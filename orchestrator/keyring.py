"""Where the keys of unlocked homes wait for what the server does by itself, such as snapshots.

The kernel keeps them: neither the database, a log, swap nor a core dump of the server holds one,
a restart of the server leaves them usable, and a restart of the machine does not.
System calls: add_key(2), keyctl(2), keyrings(7).
"""

import ctypes
import errno
import os
import platform
import secrets
import threading
from typing import Any, Protocol

from orchestrator.logs import log

LOG = log(__name__)


class Keyring(Protocol):
    """Keeps one key a home. Nothing raises: a key that cannot be kept is one that is not there."""

    def put(self, home: str, key: bytes) -> None:
        """Keep the home's key in place of any other."""

    def get(self, home: str) -> bytes | None:
        """Return the home's key, if it is kept."""

    def drop(self, home: str) -> None:
        """Forget the home's key. Absent is success."""


class MemoryKeyring:
    """In the server's own memory: for machines whose kernel refuses, such as most containers."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}
        self._guard = threading.Lock()

    def put(self, home: str, key: bytes) -> None:
        with self._guard:
            self._keys[home] = key

    def get(self, home: str) -> bytes | None:
        with self._guard:
            return self._keys.get(home)

    def drop(self, home: str) -> None:
        with self._guard:
            self._keys.pop(home, None)


# The numbers of add_key and keyctl: the kernel's asm/unistd.h of each machine.
_CALLS = {"x86_64": (248, 250), "aarch64": (217, 219)}
_USER_KEYRING = -4
_SETPERM, _UNLINK, _SEARCH, _READ = 5, 9, 10, 11
# Everything for who has it linked, view, read, write, search and setattr for our uid. Without the
# latter a service with a session keyring of its own (systemd's default) could not read it.
_PERMISSIONS = 0x3F2F0000
_KEY_MAX = 64


class KernelKeyring:
    """In the kernel's keyring of the server's user, under names that carry the instance."""

    def __init__(self, instance: str) -> None:
        self._prefix = f"rootblood:{instance}:"
        self._add_key, self._keyctl = _CALLS[platform.machine()]
        self._syscall: Any = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long

    def put(self, home: str, key: bytes) -> None:
        try:
            number = self._call(
                self._add_key, b"user", self._name(home), key, ctypes.c_size_t(len(key)),
                ctypes.c_int(_USER_KEYRING),
            )  # fmt: skip
            self._call(self._keyctl, _SETPERM, ctypes.c_int(number), ctypes.c_uint(_PERMISSIONS))
        except OSError as error:  # such as the quota of keys that a user has
            LOG.warning("keyring.refused", why=error.strerror)
            self.drop(home)

    def get(self, home: str) -> bytes | None:
        room = ctypes.create_string_buffer(_KEY_MAX)
        try:
            size = self._call(
                self._keyctl, _READ, ctypes.c_int(self._find(home)), room,
                ctypes.c_size_t(_KEY_MAX),
            )  # fmt: skip
            return room.raw[:size]
        except OSError:
            return None
        finally:
            ctypes.memset(room, 0, _KEY_MAX)

    def drop(self, home: str) -> None:
        try:
            number = ctypes.c_int(self._find(home))
            self._call(self._keyctl, _UNLINK, number, ctypes.c_int(_USER_KEYRING))
        except OSError as error:
            if error.errno != errno.ENOKEY:
                LOG.warning("keyring.refused", why=error.strerror)

    def _name(self, home: str) -> bytes:
        return f"{self._prefix}{home}".encode()

    def _find(self, home: str) -> int:
        keyring, kind = ctypes.c_int(_USER_KEYRING), b"user"
        return self._call(self._keyctl, _SEARCH, keyring, kind, self._name(home), ctypes.c_int(0))

    def _call(self, *arguments: Any) -> int:
        result = int(self._syscall(*arguments))
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def best_keyring(instance: str) -> Keyring:
    """Return the kernel's keyring where it works here, which is tried, else one in memory."""
    if platform.machine() in _CALLS:
        kernel, probe = KernelKeyring(instance), secrets.token_bytes(32)
        name = f"probe-{secrets.token_hex(4)}"
        kernel.put(name, probe)
        works = kernel.get(name) == probe
        kernel.drop(name)
        if works:
            return kernel
    LOG.warning("keyring.in-memory", why="the kernel keeps no keys for this process")
    return MemoryKeyring()
