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
from orchestrator.connections import Connections
from orchestrator.engines import Engine
from orchestrator.engines.docker import DockerEngine
from orchestrator.feed import Feed
from orchestrator.sampler import Sampler
from orchestrator.settings import Settings
from orchestrator.splice import Splicer
from orchestrator.storage import Storage
from orchestrator.storage.plain import PlainStorage

RUN_ROOT = Path("/run/rootblood")
LEASE_MARGIN_SECONDS = 30.0
STARTS_AT_ONCE = 6
"""More starts side by side only make each slower: half of one is the network namespace."""


@dataclass(slots=True)
class Watch:
    """Since when this process has watched without a gap: the floor of idleness.judge."""

    since: datetime = field(default_factory=utcnow)


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
    kept: Kept = field(default_factory=Kept)
    feed: Feed = field(default_factory=Feed)
    sampler: Sampler = field(default_factory=Sampler)
    watch: Watch = field(default_factory=Watch)
    archiving: set[int] = field(default_factory=set)
    """Users whose home is being downloaded through this process."""
    exporting: set[int] = field(default_factory=set)
    """Users whose repositories are being downloaded through this process."""
    starts: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(STARTS_AT_ONCE)
    )


def compose(settings: Settings, splicer: Splicer | None) -> Platform:
    """Put the platform together. Touches nothing but the data directory."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    settings.data_dir.chmod(0o700)  # the database and the secret key are nobody else's business
    server = server_name(settings)
    root = os.geteuid() == 0
    return Platform(
        settings=settings,
        engine=DockerEngine(
            settings.engine_url,
            instance=settings.instance,
            run_root=run_root(settings),
            egress_allow=settings.egress_allow,
            enforce_egress=settings.egress,
        ),
        storage=PlainStorage(
            settings.engine_url, helper_image=BUILT_IN.image, instance=settings.instance
        ),
        store=space.prepare(
            settings.data_dir / "commons",
            uid=settings.uid_base if root else None,
            run_root=git_root(settings.instance),
        ),
        splicer=splicer,
        claims=Claims(server, settings.start_seconds + LEASE_MARGIN_SECONDS),
        connections=Connections(server),
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
