"""TCP sockets that listen, asked of the kernel itself: sock_diag(7).

``/proc/net/tcp`` tells the same, but on the way to its end the kernel walks over its whole table of
connections, those of the machine: 40 ms where there is much memory, twice. This takes 0.1 ms.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

NETLINK_SOCK_DIAG = 4
SOCKETS_MOST = 500
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_LISTEN = 1 << 10  # of TCP_LISTEN
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_REQUEST = struct.Struct("=BBBxI48x")  # inet_diag_req_v2
_ANSWER = struct.Struct("=BBBB2s2s16s16sI8sIIIII")  # inet_diag_msg
_BUFFER = 1 << 16
_SECONDS = 2.0

Heard = tuple[int, str, int]
"""Port, address and inode of a socket that listens."""


def ask(kernel: socket.socket) -> list[Heard]:
    """Return what listens where ``kernel``, a netlink socket, was made. Raises: OSError."""
    kernel.settimeout(_SECONDS)
    found: list[Heard] = []
    for family in (socket.AF_INET, socket.AF_INET6):
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, _LISTEN)
        size = _HEADER.size + len(request)
        kernel.sendto(_HEADER.pack(size, _BY_FAMILY, _DUMP, 0, 0) + request, (0, 0))
        for body in _answers(kernel):
            found.append(_heard(family, body))
            if len(found) >= SOCKETS_MOST:
                return found
    return found


def _answers(kernel: socket.socket) -> Iterator[bytes]:
    while True:
        data = kernel.recv(_BUFFER)
        if not data:
            raise OSError(errno.EPIPE, "the kernel says nothing")
        at = 0
        while at < len(data):
            size, kind, *_ = _HEADER.unpack_from(data, at)
            if kind == _DONE:
                return
            body = data[at + _HEADER.size : at + size]
            if kind == _ERROR:
                number = -int(struct.unpack_from("=i", body)[0])
                raise OSError(number, os.strerror(number))
            yield body
            at += (size + 3) & ~3


def _heard(family: int, body: bytes) -> Heard:
    fields = _ANSWER.unpack_from(body)
    port, source, inode = fields[4], fields[6], fields[-1]
    if family == socket.AF_INET:
        return int.from_bytes(port), str(IPv4Address(source[:4])), inode
    address = IPv6Address(source)
    return int.from_bytes(port), str(address.ipv4_mapped or address), inode
