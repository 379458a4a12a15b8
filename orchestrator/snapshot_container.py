"""The containers in which restic works on a home: what each of them sees, and how long it stays.

None of them writes both a home and its repository. Programs of the owner's change the home at any
time, so they could lead what is written there into the repository, where nothing counts it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from models import User, end_reading
from orchestrator import catalogue
from orchestrator.collector import HELPER_LIFETIME, HELPER_PREFIX
from orchestrator.errors import HomeBusy, StorageError
from orchestrator.leases import room_lease
from orchestrator.platform import Platform
from orchestrator.policy import snapshot_spec
from orchestrator.spec import Mount
from orchestrator.storage import Home, restic

IDLE_SECONDS = 60.0
STAGED = "/staged"
_SLOW_CPUS, _CPUS = 0.2, 2.0


class Use(StrEnum):
    """What a container is for: the end of its name."""

    READ = "-snapshots"
    """Reads the repository, and puts in the home what comes back."""
    WRITE = "-snapshots-backup"
    """Takes, forgets and prunes, and reads the home."""
    LOOK = "-snapshots-alone"
    """Reads the repository of a home that cannot be opened."""
    RESTORE = "-restore"
    """Reads the repository, and builds a home anew in its staged place."""
    INIT = "-snapshots-init"
    """Makes the repository."""


_WARM = (Use.READ, Use.WRITE, Use.LOOK)
"""Those that stay for a while, because to start one takes longer than most of what it does."""


@dataclass(frozen=True, slots=True)
class Container:
    """One that runs: its name, where it has the home, and the address of the repository."""

    name: str
    directory: str
    repository: str


def name_of(userhash: str, use: Use = Use.READ) -> str:
    """Return the name of a container; it is one of those that homes.lock removes."""
    return f"{HELPER_PREFIX}{userhash}{use}"


def start(platform: Platform, user: User, home: Home, use: Use) -> Container:
    """Let a container run; one that does already is used again."""
    url = platform.settings.backup_url
    image = catalogue.template_named(None).image
    end_reading()
    # Where snapshots are kept elsewhere this is empty, and tells what is left of the disk.
    repository = platform.storage.repository(home, restic.REPOSITORY)
    mounts = [replace(repository, read_only=use not in (Use.WRITE, Use.INIT))]
    if files := _files(platform, user, home, use):
        mounts.append(files)
    spec = snapshot_spec(
        user,
        name_of(user.userhash, use),
        image,
        tuple(mounts),
        seconds=int(HELPER_LIFETIME.total_seconds()) - 3600,
        cpus=_SLOW_CPUS if use is Use.INIT else _CPUS,
        network=bool(url),
    )
    platform.engine.run(spec)
    return Container(
        spec.name,
        files.target if files else "/",
        f"{url.rstrip('/')}/{user.userhash}" if url else restic.REPOSITORY,
    )


def _files(platform: Platform, user: User, home: Home, use: Use) -> Mount | None:
    """Return how the container mounts what restic reads or writes beside the repository."""
    match use:
        case Use.READ | Use.WRITE:
            mount = platform.storage.mount(home.name, f"/home/{user.username}")
            return replace(mount, read_only=use is Use.WRITE)
        case Use.RESTORE:
            return platform.storage.mount(f"{home.name}.staged", STAGED)
        case _:
            return None


def remove(platform: Platform, userhash: str, uses: Iterable[Use] = Use) -> None:
    """End whatever restic does to the home."""
    for use in uses:
        platform.engine.remove(name_of(userhash, use))


def credentials(platform: Platform) -> dict[str, str]:
    """Return what restic needs to know of the place of backups. Raises: StorageError.

    It is for restic's own environment, never for a container's: a home could make restic keep
    /proc/1/environ of its container.
    """
    path = platform.settings.backup_environment
    if not platform.settings.backup_url or not path:
        return {}
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    pairs = [line.split("=", 1) for line in lines if line.strip() and not line.startswith("#")]
    if any(len(pair) != 2 or not pair[0].isidentifier() for pair in pairs):
        raise StorageError(f"{path} must hold lines of NAME=value")
    return dict(pairs)


@dataclass
class Unused:
    """Removes containers that nobody uses: since when each was seen unused, by name."""

    since: dict[str, float] = field(default_factory=dict)

    def sweep(self, platform: Platform, homes: dict[str, str], clock: float) -> None:
        """Remove what was unused for long enough; ``homes`` maps their owners' hashes to homes."""
        users = {name_of(hash, use): home for hash, home in homes.items() for use in _WARM}
        found = {status.name for status in platform.engine.census()} & users.keys()
        self.since = {name: at for name, at in self.since.items() if name in found}
        for name in found:
            try:
                with platform.leases.alone(room_lease(users[name])):
                    if clock - self.since.setdefault(name, clock) >= IDLE_SECONDS:
                        platform.engine.remove(name)
            except HomeBusy:
                self.since.pop(name, None)
