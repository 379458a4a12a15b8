"""Everything that one running server consists of, put together once and handed around."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from models import utcnow
from orchestrator.catalogue import BUILT_IN
from orchestrator.claims import Claims
from orchestrator.commons import space
from orchestrator.commons.kept import Kept
from orchestrator.commons.store import Store
from orchestrator.commons.turns import Turns
from orchestrator.connections import Connections
from orchestrator.engines import Engine
from orchestrator.engines.docker import DockerEngine
from orchestrator.feed import Feed
from orchestrator.files.pool import Pools
from orchestrator.jobs import Jobs
from orchestrator.keyring import Keyring, best_keyring
from orchestrator.leases import Leases
from orchestrator.previews.viewers import Viewers
from orchestrator.sampler import Sampler
from orchestrator.settings import Settings
from orchestrator.splice import Splicer
from orchestrator.storage import Storage
from orchestrator.storage.choose import choose_storage

RUN_ROOT = Path("/run/rootblood")
LEASE_MARGIN_SECONDS = 30.0
STARTS_AT_ONCE = 6
"""More starts side by side only make each slower: half of one is the network namespace."""
TRANSFERS_AT_ONCE = 200
"""Each is some five processes and threads of git, which may have 2,000 in all."""
TRANSFERS_EACH = 16
ERRANDS_AT_ONCE = 1000
ERRANDS_EACH = 16
ERRAND_PATIENCE_SECONDS = 10.0


@dataclass(slots=True)
class Watch:
    """Since when this process has watched without a gap: the floor of idleness.judge."""

    since: datetime = field(default_factory=utcnow)


@dataclass(slots=True)
class Brake:
    """Whether homes are kept from growing, because the host's disk is nearly full."""

    on: bool = False


@dataclass(frozen=True, slots=True)
class Platform:
    """The parts of the server that use cases need. One per process."""

    settings: Settings
    engine: Engine
    storage: Storage
    store: Store
    """Of git repositories; its public directory is what workspaces see at ``/global``."""
    splicer: Splicer | None
    claims: Claims
    connections: Connections
    keyring: Keyring
    """Keys of homes that are unlocked, and of no others."""
    leases: Leases
    """Who is using which home."""
    kept: Kept = field(default_factory=Kept)
    feed: Feed = field(default_factory=Feed)
    viewers: Viewers = field(default_factory=Viewers)
    sampler: Sampler = field(default_factory=Sampler)
    watch: Watch = field(default_factory=Watch)
    brake: Brake = field(default_factory=Brake)
    unscrubbed: threading.Event = field(default_factory=threading.Event)
    """Set while the database's log may still hold what was deleted: see keys.scrub."""
    archiving: set[int] = field(default_factory=set)
    """Users whose home is being downloaded through this process."""
    pools: Pools = field(default_factory=Pools)
    """What serves the files of containers."""
    errands: Turns = field(
        default_factory=lambda: Turns(
            ERRANDS_AT_ONCE,
            each=ERRANDS_EACH,
            patience=ERRAND_PATIENCE_SECONDS,
            refusal="Too much is being done with your files just now",
            hint="Wait until some of it has ended, then try again.",
        )
    )
    """Requests about files that this process is answering; each may hold some megabytes."""
    jobs: Jobs = field(default_factory=Jobs)
    exporting: set[int] = field(default_factory=set)
    """Users whose repositories are being downloaded through this process."""
    transfers: Turns = field(
        default_factory=lambda: Turns(
            TRANSFERS_AT_ONCE,
            each=TRANSFERS_EACH,
            patience=0,
            refusal="Too many fetches and pushes are under way",
            hint="Wait until some of yours have ended, then try again.",
        )
    )
    """Fetches and pushes that this process is answering."""
    starts: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(STARTS_AT_ONCE)
    )


def compose(settings: Settings, splicer: Splicer | None) -> Platform:
    """Put the platform together. Touches nothing but the data directory."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    settings.data_dir.chmod(0o700)  # the database and the secret key are nobody else's business
    server = server_name(settings)
    root, run = os.geteuid() == 0, run_root(settings)
    homes = settings.data_dir.absolute() / "homes"
    return Platform(
        settings=settings,
        engine=DockerEngine(
            settings.engine_url,
            instance=settings.instance,
            run_root=run,
            egress_allow=settings.egress_allow,
            enforce_egress=settings.egress,
        ),
        storage=choose_storage(
            settings.storage,
            directory=homes,
            mount_root=run.with_name(f"{run.name}.homes"),
            engine_url=settings.engine_url,
            helper_image=BUILT_IN.image,
            instance=settings.instance,
        ),
        store=space.prepare(
            settings.data_dir / "commons",
            uid=settings.uid_base if root else None,
            run_root=git_root(settings.instance),
        ),
        splicer=splicer,
        claims=Claims(server, settings.start_seconds + LEASE_MARGIN_SECONDS),
        connections=Connections(server),
        keyring=best_keyring(settings.instance),
        leases=Leases(homes / "leases"),
    )


def git_root(instance: str) -> Path:
    """Return below what git finds the commons of an installation."""
    return RUN_ROOT / f"{instance}.git"


def run_root(settings: Settings) -> Path:
    """Return where the run directories of workspaces are."""
    if os.geteuid() == 0:
        return RUN_ROOT / settings.instance
    return settings.data_dir.absolute() / "run"


Context = Callable[[], AbstractContextManager[object]]
"""Makes a database session available to a background loop: Flask's ``app.app_context``."""


def server_name(settings: Settings) -> str:
    """Name this process so that the next one in its place recognises what it left behind."""
    return f"{socket.gethostname()[:40]}:{settings.address[1]}:{os.getuid()}"[:80]
