"""A small internet beside this machine: one network namespace with addresses of every kind.

It is reached through a pair of virtual cables, so packets of workspaces to it are forwarded, just
as packets to other machines are. Something listens on every address: what a workspace cannot reach
is refused on the way, not absent.
"""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

PORT = 8099
DNS_PORT = 53

_LISTENER = textwrap.dedent(
    """
    import socket, sys, threading
    def answer_datagrams(one):
        while True:
            data, sender = one.recvfrom(2000)
            one.sendto(b"hello", sender)
    for target in sys.argv[1:]:
        host, port = target.split(":")
        address = host, int(port)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(address)
        threading.Thread(target=answer_datagrams, args=(datagrams,), daemon=True).start()
        stream = socket.socket()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.bind(address)
        stream.listen(50)
        def serve(one=stream):
            while True:
                connection, _ = one.accept()
                connection.sendall(b"hello")
                connection.close()
        threading.Thread(target=serve, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    """
)

PROBE = textwrap.dedent(
    """
    import json, socket, sys
    found = {}
    for protocol, host, port in json.loads(sys.argv[1]):
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        one = socket.socket(socket.AF_INET, kind)
        one.settimeout(3)
        try:
            one.connect((host, port))
            if protocol == "udp":
                one.send(b"?")
            answer = one.recv(5) == b"hello"
        except OSError:
            answer = False
        found[f"{protocol} {host}:{port}"] = answer
    print(json.dumps(found))
    """
)
"""Prints which of ``[protocol, host, port]`` answer."""


@dataclass(frozen=True, slots=True)
class Lab:
    """Addresses in the namespace, by what they stand for."""

    private: str
    resolver: str
    carrier: str
    metadata: str
    public: str

    def all(self) -> list[str]:
        return [self.private, self.resolver, self.carrier, self.metadata, self.public]


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


@contextmanager
def listening(targets: Sequence[str], *prefix: str) -> Iterator[None]:
    """Answer on every ``host:port``, behind a command such as ``ip netns exec``.

    Each address is bound by itself: a datagram's answer must come from where it was sent to.
    """
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", _LISTENER, *targets],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


@contextmanager
def lab() -> Iterator[Lab]:
    """Build the namespace, its addresses and the routes to it; take everything down after."""
    number = os.getpid() % 200 + 20
    name = f"rbt{os.getpid()}"
    here, there = f"10.213.{number}.1", f"10.213.{number}.2"
    addresses = Lab(
        private=there,
        resolver=f"10.213.{number}.3",
        carrier=f"100.64.{number}.2",
        metadata="169.254.169.254",
        public=f"203.0.113.{number}",
    )
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "addr", "add", f"{here}/24", "dev", name)
        _run("ip", "link", "set", name, "up")
        inside = ("ip", "-n", name)
        _run(*inside, "link", "set", "lo", "up")
        for address in addresses.all():
            length = "24" if address == there else "32"
            _run(*inside, "addr", "add", f"{address}/{length}", "dev", "eth0")
        _run(*inside, "link", "set", "eth0", "up")
        _run(*inside, "route", "add", "default", "via", here)
        for address in addresses.all()[2:]:
            _run("ip", "route", "add", f"{address}/32", "via", there, "dev", name)
        ports = [f"{address}:{port}" for address in addresses.all() for port in (PORT, DNS_PORT)]
        with listening(ports, "ip", "netns", "exec", name):
            yield addresses
    finally:
        subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)
        _run("ip", "netns", "del", name)


def host_addresses() -> dict[str, str]:
    """Return this machine's IPv4 addresses by interface, loopback left out."""
    return {
        link["ifname"]: address["local"]
        for link in json.loads(_run("ip", "-j", "-4", "addr"))
        for address in link["addr_info"]
        if link["ifname"] != "lo"
    }
