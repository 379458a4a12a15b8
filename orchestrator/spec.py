"""What runs: a complete, engine-neutral description of one container."""

import hashlib
import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard caps. ``cpus`` in cores, ``memory_bytes`` in bytes, ``pids`` a count."""

    cpus: float
    memory_bytes: int
    pids: int


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory that the container sees.

    ``source`` is a named volume when ``volume`` is true, else an absolute path on the node.
    """

    source: str
    target: str
    read_only: bool = False
    volume: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """All that an engine needs to run one container; equal specs mean equal containers."""

    name: str
    """``rb-<userhash>-<workspace>``: the only handle that is ever stored."""
    image: str
    user: tuple[int, int]
    """uid and gid on the host, one pair per account."""
    limits: Limits
    command: tuple[str, ...] = ()
    """Arguments for the image's entrypoint; empty keeps the image's own."""
    entrypoint: tuple[str, ...] = ()
    """Replaces the image's entrypoint where not empty."""
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    hostname: str = ""
    working_dir: str = ""
    read_only_root: bool = True
    network: bool = True
    """False cuts the container off from every network but its own loopback."""
    run_dir: bool = True
    """Mount a small directory at ``/run/rootblood`` whose sockets :meth:`Engine.dial` reaches."""
    sockets: tuple[tuple[int, str], ...] = field(default=())
    """Ports served on a unix socket in the run directory: ``(7681, "ttyd.sock")``."""

    def digest(self) -> str:
        """Return a short stable hash of every field, to tell whether a container is current."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
