"""A way to the files of a home while no workspace runs, or none can: a container of its own.

It has the owner's uid, sees nothing but the home, and has no network. It stays for a while because
its start takes longer than most of what is asked of it, and keeps the home open for as long.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from models import User, end_reading
from orchestrator import catalogue, homes
from orchestrator.collector import HELPER_LIFETIME, HELPER_PREFIX
from orchestrator.errors import HomeBusy
from orchestrator.files.over_sftp import SftpFiles
from orchestrator.keys import Proof
from orchestrator.platform import Platform
from orchestrator.policy import HOME_PREFIX, snapshot_spec

IDLE_SECONDS = 60.0
PATIENCE_SECONDS = 10.0
_SUFFIX = "-files"


def name_of(userhash: str) -> str:
    """Return the container's name; it is one of those that homes.lock removes."""
    return f"{HELPER_PREFIX}{userhash}{_SUFFIX}"


def lease_of(home: str) -> str:
    """Name the lease of whoever uses the container of a home."""
    return f"{home}.rescue"


@contextmanager
def opened(platform: Platform, user: User, proof: Proof | None) -> Iterator[SftpFiles]:
    """Hold the home open and its container running. Raises: HomeLocked, HomeBusy, EngineError."""
    image = catalogue.template_named(None).image
    end_reading()
    place = f"/home/{user.username}"
    name, lifetime = name_of(user.userhash), int(HELPER_LIFETIME.total_seconds()) - 3600
    with homes.in_use(platform, user, proof) as home:
        mount = platform.storage.mount(home.name, place)
        spec = snapshot_spec(user, name, image, (mount,), seconds=lifetime)
        spec = replace(spec, run_dir=True)  # what knows the user's name is in there: see sftp.py
        with platform.leases.shared(lease_of(home.name), patience=PATIENCE_SECONDS):
            platform.engine.run(spec)
            yield SftpFiles(platform.pools.of(platform.engine, name), place)


@dataclass
class Unused:
    """Removes containers that nobody uses: since when each was seen unused, by name."""

    since: dict[str, float] = field(default_factory=dict)

    def sweep(self, platform: Platform, clock: float) -> None:
        """Remove what was unused for long enough, also what another process has left."""
        names = [status.name for status in platform.engine.census()]
        found = {n for n in names if n.startswith(HELPER_PREFIX) and n.endswith(_SUFFIX)}
        self.since = {name: at for name, at in self.since.items() if name in found}
        for name in found:
            home = f"{HOME_PREFIX}{name.removeprefix(HELPER_PREFIX).removesuffix(_SUFFIX)}"
            try:
                with platform.leases.alone(lease_of(home)):
                    used = max(self.since.setdefault(name, clock), platform.pools.used(name))
                    if clock - used >= IDLE_SECONDS:
                        platform.pools.drop(name)
                        platform.engine.remove(name)
            except HomeBusy:
                self.since.pop(name, None)
