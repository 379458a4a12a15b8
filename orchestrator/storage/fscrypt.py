"""The kernel's file encryption by its ioctls: keys of a file system, policy of a directory tree.

Numbers and structures: <linux/fscrypt.h>; semantics: Documentation/filesystems/fscrypt.rst.
A key added by root belongs to the mounted file system, and goes with its last unmount.
"""

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

_SET_POLICY = 0x800C6613
_GET_POLICY_EX = 0xC0096616
_ADD_KEY = 0xC0506617
_REMOVE_KEY_ALL_USERS = 0xC0406619
_GET_KEY_STATUS = 0xC080661A

_BY_IDENTIFIER = 2
_POLICY_V2 = 2
_AES_256_XTS, _AES_256_CTS = 1, 4
_PADDING_32 = 3
_FILES_BUSY = 1

_SPECIFIER = struct.Struct("=II16s16x")  # type, reserved, identifier in a union of 32 bytes
_POLICY = struct.Struct("=BBBB4x16s")
_ADD_HEAD = struct.Struct(f"={_SPECIFIER.size}sII32x")
_REMOVE = struct.Struct(f"={_SPECIFIER.size}sI20x")
_STATUS = struct.Struct(f"={_SPECIFIER.size}s24xIII52x")
_SIZED_POLICY = struct.Struct(f"=Q{_POLICY.size}s")


class KeyState(IntEnum):
    """What the kernel says of a key."""

    ABSENT = 1
    PRESENT = 2
    INCOMPLETELY_REMOVED = 3
    """Forgotten, but files that were open stay readable to those who hold them open."""


def add_key(path: Path, key: bytes) -> bytes:
    """Give the file system at ``path`` a master key and return the key's identifier.

    Any key is accepted: compare the identifier with the one of :func:`policy_of`.
    """
    # An array of our own, so that no copy of the key stays behind in freed memory.
    buffer = ctypes.create_string_buffer(_ADD_HEAD.size + len(key))
    _ADD_HEAD.pack_into(buffer, 0, _specifier(bytes(16)), len(key), 0)
    try:
        ctypes.memmove(ctypes.byref(buffer, _ADD_HEAD.size), key, len(key))
        with _opened(path) as descriptor:
            fcntl.ioctl(descriptor, _ADD_KEY, buffer)
        return bytes(memoryview(buffer)[8:24])
    finally:
        ctypes.memset(buffer, 0, len(buffer))


def remove_key(path: Path, identifier: bytes) -> bool:
    """Take the key from the file system; False while files under it are still in use.

    Then call it again once they are closed. An absent key is success.
    """
    buffer = bytearray(_REMOVE.pack(_specifier(identifier), 0))
    try:
        with _opened(path) as descriptor:
            fcntl.ioctl(descriptor, _REMOVE_KEY_ALL_USERS, buffer)
    except OSError as error:
        if error.errno == errno.ENOKEY:
            return True
        raise
    flags = int(_REMOVE.unpack(buffer)[1])
    return not flags & _FILES_BUSY


def key_state(path: Path, identifier: bytes) -> KeyState:
    """Return whether the file system at ``path`` has the key."""
    buffer = bytearray(_STATUS.pack(_specifier(identifier), 0, 0, 0))
    with _opened(path) as descriptor:
        fcntl.ioctl(descriptor, _GET_KEY_STATUS, buffer)
    return KeyState(_STATUS.unpack(buffer)[1])


def set_policy(path: Path, identifier: bytes) -> None:
    """Encrypt what will be in the empty directory ``path`` under the key ``identifier``."""
    policy = _POLICY.pack(_POLICY_V2, _AES_256_XTS, _AES_256_CTS, _PADDING_32, identifier)
    with _opened(path) as descriptor:
        fcntl.ioctl(descriptor, _SET_POLICY, policy)


def policy_of(path: Path) -> bytes | None:
    """Return the identifier of the key that ``path`` is encrypted under; None when it is not."""
    buffer = bytearray(_SIZED_POLICY.pack(_POLICY.size, bytes(_POLICY.size)))
    try:
        with _opened(path) as descriptor:
            fcntl.ioctl(descriptor, _GET_POLICY_EX, buffer)
    except OSError as error:
        if error.errno == errno.ENODATA:
            return None
        raise
    version, *_, identifier = _POLICY.unpack(_SIZED_POLICY.unpack(buffer)[1])
    return bytes(identifier) if version == _POLICY_V2 else None


def _specifier(identifier: bytes) -> bytes:
    return _SPECIFIER.pack(_BY_IDENTIFIER, 0, identifier)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
