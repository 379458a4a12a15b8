"""What workspaces may reach: the internet and the resolver, nothing private, nothing of the host.

Two chains of our own, named after the instance: one behind Docker's ``DOCKER-USER``, which sees
every packet that the bridge forwards before Docker's own rules do (and which Docker leaves alone,
https://docs.docker.com/engine/network/packet-filtering-firewalls/), and one behind ``INPUT`` for
packets to the host itself.
"""

import hashlib
import ipaddress
import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import EgressUnprotected

# Private and special ranges, RFC 6890, and one public address: Azure's machines ask their host
# under it (its port 53 stays open where it is the resolver). The documentation ranges stay open:
# private package mirrors use them, and nothing else of worth lies there.
BLOCKED = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
_CHAIN_LIMIT = 28  # XT_EXTENSION_MAXNAMELEN less its null byte
_PREFIX = "RB-"
_BRIDGE_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
_SECONDS = 20
# A refusal, not silence: programs fail at once instead of after minutes.
_REFUSE_TCP = "-p tcp -j REJECT --reject-with tcp-reset"
_REFUSE = "-j REJECT --reject-with icmp-admin-prohibited"
_ESTABLISHED = "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain of ours: ``hook`` is the chain that jumps to it, ``rules`` its own."""

    name: str
    hook: str
    jump: str
    rules: tuple[str, ...]


def chains(
    instance: str, bridge: str, *, resolvers: Iterable[str], allow: Iterable[str]
) -> tuple[Chain, Chain]:
    """Return the rules for packets that come in from ``bridge``.

    They are worded exactly as ``iptables -S`` prints them, so that reading back is comparing.
    """
    dns = [
        f"-d {address}/32 -p {protocol} -m {protocol} --dport 53 -j RETURN"
        for address in resolvers
        for protocol in ("udp", "tcp")
    ]
    opened = [f"{_to(text)}-j RETURN" for text in allow]
    # Between workspaces: Docker's own rule comes later, and a network need not be private.
    refused = [f"-o {bridge} {_REFUSE_TCP}", f"-o {bridge} {_REFUSE}"]
    for blocked in BLOCKED:
        refused += [f"-d {blocked} {_REFUSE_TCP}", f"-d {blocked} {_REFUSE}"]
    forward, local = _chain_name(instance, "FWD"), _chain_name(instance, "IN")
    return (
        Chain(
            forward,
            "DOCKER-USER",
            f"-i {bridge} -j {forward}",
            (_ESTABLISHED, *dns, *opened, *refused),
        ),
        # To the host itself: answers to it, and its resolver when it is one.
        Chain(
            local,
            "INPUT",
            f"-i {bridge} -j {local}",
            (_ESTABLISHED, *dns, _REFUSE_TCP, _REFUSE),
        ),
    )


def _to(text: str) -> str:
    """Return the match on a CIDR range, in the form of ``iptables -S``: none for all."""
    network = ipaddress.IPv4Network(text, strict=False)
    return f"-d {network} " if network.prefixlen else ""


def _chain_name(instance: str, suffix: str) -> str:
    name = f"{_PREFIX}{instance}-{suffix}"
    if len(name) <= _CHAIN_LIMIT and re.fullmatch(r"[\w.-]+", name):
        return name
    return f"{_PREFIX}{hashlib.sha256(instance.encode()).hexdigest()[:12]}-{suffix}"


def resolvers(etc: Path = Path("/etc"), run: Path = Path("/run")) -> list[str]:
    """Return the IPv4 resolvers that containers are given.

    As the engine does it: its own setting, else the host's, behind systemd's stub if need be.
    """
    try:
        configured = json.loads((etc / "docker/daemon.json").read_text()).get("dns") or []
    except (OSError, ValueError, AttributeError):
        configured = []
    if not configured:
        configured = _nameservers(etc / "resolv.conf")
        if configured == ["127.0.0.53"]:
            configured = _nameservers(run / "systemd/resolve/resolv.conf")
    found: list[str] = []
    for text in configured:
        try:
            address = ipaddress.IPv4Address(text)
        except ValueError:
            continue  # IPv6: workspaces have none
        if not address.is_loopback and text not in found:
            found.append(text)
    return found


def _nameservers(path: Path) -> list[str]:
    try:
        text = path.read_text()
    except OSError:
        return []
    return re.findall(r"^\s*nameserver\s+(\S+)", text, re.MULTILINE)


class Egress:
    """Keeps one instance's rules in the kernel."""

    def __init__(self, instance: str, bridge: str, allow: Sequence[str]) -> None:
        self._instance = instance
        self._bridge = bridge
        self._allow = tuple(allow)

    def ensure(self) -> None:
        """Install the rules unless they are in force, and prove it.

        Raises: EgressUnprotected.
        """
        wanted, table = self._wanted(), _table()
        if not _missing(wanted, table):
            return
        _install(wanted, table)
        self.verify()

    def verify(self) -> None:
        """Look whether the rules are in force, and change nothing. Raises: EgressUnprotected."""
        missing = _missing(self._wanted(), _table())
        if missing:
            raise EgressUnprotected(f"The firewall does not hold the egress rules: {missing}")

    def _wanted(self) -> tuple[Chain, Chain]:
        return chains(self._instance, self._bridge, resolvers=resolvers(), allow=self._allow)

    def remove(self) -> None:
        """Take the rules out again. The network must be gone first, or it is unprotected."""
        table = _table()
        lines = []
        for chain in chains(self._instance, self._bridge, resolvers=(), allow=()):
            hooked = table.get(chain.hook, []).count(chain.jump)
            lines += [f"-D {chain.hook} {chain.jump}"] * hooked
            if chain.name in table:
                lines += [f"-F {chain.name}", f"-X {chain.name}"]
        if lines:
            _restore(lines)


def _install(wanted: Sequence[Chain], table: Mapping[str, Sequence[str]]) -> None:
    # One transaction; declaring a chain empties it, so there is no moment without rules.
    lines = [f":{chain.name} - [0:0]" for chain in wanted]
    for chain in wanted:
        lines += [f"-A {chain.name} {rule}" for rule in chain.rules]
        hooked = table.get(chain.hook, []).count(chain.jump)
        lines += [f"-D {chain.hook} {chain.jump}"] * hooked
        lines.append(f"-I {chain.hook} 1 {chain.jump}")
    _restore(lines)


def _missing(wanted: Sequence[Chain], table: Mapping[str, Sequence[str]]) -> str:
    """Say what keeps the rules from being in force; empty when they are."""
    try:
        if _BRIDGE_FILTER.read_text().strip() != "1":
            return f"{_BRIDGE_FILTER} is not 1, so traffic between workspaces passes no rule"
    except OSError:
        return f"{_BRIDGE_FILTER} is missing (kernel module br_netfilter)"
    for chain in wanted:
        if table.get(chain.name) != list(chain.rules):
            return f"chain {chain.name} is not as it should be"
        for rule in table.get(chain.hook, []):
            if rule == chain.jump:
                break
            # Another instance's jump looks at another bridge; anything else may let packets by.
            if not re.fullmatch(rf"-i \S+ -j {_PREFIX}\S+", rule):
                return f"in {chain.hook} '{rule}' comes before {chain.name}"
        else:
            return f"{chain.hook} does not jump to {chain.name}"
    return ""


def _table() -> dict[str, list[str]]:
    """Return every chain of the filter table with its rules, as ``iptables -S`` words them."""
    table: dict[str, list[str]] = {}
    for line in _iptables("iptables", "-w", "5", "-S").splitlines():
        command, chain, *rule = line.split(" ", 2)
        rules = table.setdefault(chain, [])
        if command == "-A":
            rules.append(" ".join(rule))
    return table


def _restore(lines: Sequence[str]) -> None:
    text = "\n".join(["*filter", *lines, "COMMIT", ""])
    _iptables("iptables-restore", "-w", "5", "--noflush", text=text)


def _iptables(*command: str, text: str = "") -> str:
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EgressUnprotected(f"Cannot run {command[0]}: {error}") from error
    if done.returncode != 0:
        raise EgressUnprotected(f"{command[0]} refused: {done.stderr.strip()}")
    return done.stdout
