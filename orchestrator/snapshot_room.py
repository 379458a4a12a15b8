"""The container in which restic works on one home: its owner's user, the home, the repository.

It has one name for each home and stays for a minute after its last use, because starting it takes
longer than most of what is asked of it. Whoever uses it holds a lease, so that no server removes it
under the hands of another.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import User, end_reading
from orchestrator import catalogue, homes
from orchestrator.collector import HELPER_LIFETIME, HELPER_PREFIX
from orchestrator.engines import Process
from orchestrator.errors import (
    AllowanceReached,
    HomeBusy,
    HomeLocked,
    SnapshotError,
    StorageError,
)
from orchestrator.keys import Proof
from orchestrator.leases import reading_lease, room_lease
from orchestrator.platform import Platform
from orchestrator.policy import snapshot_spec
from orchestrator.spec import Mount
from orchestrator.storage import Home, restic, restic_bundle
from orchestrator.storage.keys import derive

IDLE_SECONDS = 60.0
BRIEF_SECONDS = 60.0
STAGED = "/staged"
_SUFFIX = "-snapshots"
_LINE_BYTES = 8 << 20
_SLOW_CPUS = 0.2
_PROGRAM = restic_bundle.program()


@dataclass(frozen=True)
class Room:
    """restic with one home and its repository. Every call takes a part of a second at least."""

    platform: Platform
    user: User
    home: Home
    key: bytes = field(repr=False)
    container: str
    directory: str
    """Where the home is, and what a snapshot is taken of."""
    repository: str

    def ask(
        self, do: str, *, seconds: float = BRIEF_SECONDS, ok: Sequence[int] = (0,), **request: Any
    ) -> Iterator[Any]:
        """Do something of restic_program.py and yield what it tells, line by line.

        What restic prints as text is left out. ``seconds`` is for all of it.
        Raises: what :func:`orchestrator.storage.restic.failure` returns; AllowanceReached when the
        home is full.
        """
        deadline = time.monotonic() + seconds
        process = self.spawn(do, **request)
        try:
            for line in _lines(process, deadline):
                if isinstance(line, dict) and "ended" in line:
                    said = restic.redacted(str(line["said"]), self.repository)
                    _check(int(line["ended"]), said, ok)
                    if line["ended"]:
                        yield line
                    return
                yield line
        except TimeoutError as error:
            raise SnapshotError("That took too long and was given up") from error
        finally:
            process.close()
        raise SnapshotError("restic was ended before it was done")

    def run(
        self, *argvs: Sequence[str], seconds: float = BRIEF_SECONDS, ok: Sequence[int] = (0,)
    ) -> list[Any]:
        """Run restic with each of ``argvs`` and return what they told."""
        return list(self.ask("run", seconds=seconds, ok=ok, argvs=[list(a) for a in argvs]))

    def spawn(self, do: str, **request: Any) -> Process:
        """Begin something whose answer the caller reads; the caller closes it."""
        end_reading()
        process = self.platform.engine.spawn(
            self.container, ("/usr/bin/python3", "-I", "-c", _PROGRAM)
        )
        whole = request | {
            "do": do,
            "directory": self.directory,
            "repository": self.repository,
            "restic": restic.COMMAND,
            "password": derive(self.key, "restic").hex(),
        }
        try:
            process.write(json.dumps(whole).encode() + b"\n")
        except OSError as error:
            process.close()
            raise SnapshotError("restic could not be started") from error
        return process

    def size(self) -> int:
        """Return the bytes that the repository takes here."""
        if self.repository != restic.REPOSITORY:
            return 0
        done = self.platform.engine.exec(
            self.container, ("du", "-sB1", "--", self.repository), timeout=BRIEF_SECONDS
        )
        if done.exit_code or not (digits := done.stdout.split(b"\t")[0]).isdigit():
            raise SnapshotError("The size of your snapshots could not be measured")
        return int(digits)

    def prepare(self) -> None:
        """Make the repository unless it is there; what a killed attempt left is wiped."""
        if self._is_made():
            return
        if self.repository == restic.REPOSITORY:
            self.platform.engine.exec(
                self.container, ("find", self.repository, "-mindepth", "1", "-delete")
            )
        # restic makes opening a repository as hard as half a second's work of this container is.
        # The password is a random key that nobody can guess, so a slow container makes it easy.
        slow = f"{self.container}-init"
        _start(self.platform, self.user, self.home, slow, cpus=_SLOW_CPUS)
        try:
            room = Room(self.platform, self.user, self.home, self.key, slow, "/", self.repository)
            room.run(restic.init(), seconds=BRIEF_SECONDS * 2)
        finally:
            self.platform.engine.remove(slow)

    def _is_made(self) -> bool:
        if self.repository == restic.REPOSITORY:
            config = f"{self.repository}/config"
            return not self.platform.engine.exec(self.container, ("test", "-f", config)).exit_code
        try:
            self.run(("cat", "config", "--no-lock"))
        except SnapshotError as error:
            if "is not where it was" not in error.message:
                raise
            return False
        return True


def _check(code: int, said: str, ok: Sequence[int]) -> None:
    if code in ok:
        return
    if restic.home_is_full(said):
        raise AllowanceReached("Your home is full", hint="Delete something first, then try again.")
    raise restic.failure(code, said)


def _lines(process: Process, deadline: float) -> Iterator[Any]:
    held = b""
    while True:
        process.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = process.read(256 << 10)
        if not chunk:
            return
        *whole, held = (held + chunk).split(b"\n")
        if len(held) > _LINE_BYTES:
            raise SnapshotError("restic answered too much")
        for line in whole:
            with suppress(ValueError):
                yield json.loads(line)


def name_of(userhash: str, suffix: str = _SUFFIX) -> str:
    """Return the name of the container; it is one of those that homes.lock removes."""
    return f"{HELPER_PREFIX}{userhash}{suffix}"


def require_key(platform: Platform, user: User, proof: Proof | None) -> bytes:
    """Return the home's key, which snapshots need also where files do not. Raises: HomeLocked."""
    key = homes.key_for(platform, user, proof)
    if key is None:
        raise HomeLocked
    return key


@contextmanager
def entered(platform: Platform, user: User, proof: Proof | None) -> Iterator[Room]:
    """Hold the home unlocked and the container running.

    Raises: HomeLocked, HomeBusy, EngineError.
    """
    key = require_key(platform, user, proof)
    name = name_of(user.userhash)
    with (
        homes.in_use(platform, user, proof) as home,
        platform.leases.shared(room_lease(home.name), patience=homes.PATIENCE_SECONDS),
    ):
        directory, repository = _start(platform, user, home, name)
        yield Room(platform, user, home, key, name, directory, repository)


@contextmanager
def reading(platform: Platform, user: User, proof: Proof | None) -> Iterator[Room]:
    """As :func:`entered`, while nothing that is forgotten is deleted."""
    with (
        entered(platform, user, proof) as room,
        platform.leases.shared(reading_lease(room.home.name), patience=homes.PATIENCE_SECONDS),
    ):
        yield room


@contextmanager
def pruning(room: Room) -> Iterator[None]:
    """Keep everybody from reading. Raises: HomeBusy, for a download may take long."""
    lease = reading_lease(room.home.name)
    with room.platform.leases.alone(lease, patience=homes.PATIENCE_SECONDS):
        yield


@contextmanager
def staged(room: Room) -> Iterator[Room]:
    """Enter a container that sees the staged place of the home instead of the home."""
    name = name_of(room.user.userhash, "-restore")
    mount = room.platform.storage.mount(f"{room.home.name}.staged", STAGED)
    _start(room.platform, room.user, room.home, name, instead=mount)
    try:
        yield Room(room.platform, room.user, room.home, room.key, name, STAGED, room.repository)
    finally:
        room.platform.engine.remove(name)


def leave_staged(platform: Platform, userhash: str) -> None:
    """End the restore of a whole home that a killed server left behind."""
    platform.engine.remove(name_of(userhash, "-restore"))


def remove(platform: Platform, userhash: str) -> None:
    """End whatever restic does to the home."""
    for suffix in (_SUFFIX, "-restore", f"{_SUFFIX}-init"):
        platform.engine.remove(name_of(userhash, suffix))


def _start(
    platform: Platform,
    user: User,
    home: Home,
    name: str,
    *,
    cpus: float = 2.0,
    instead: Mount | None = None,
) -> tuple[str, str]:
    """Let the container run; return where the home and where the repository is."""
    url = platform.settings.backup_url
    image = catalogue.template_named(None).image
    directory = f"/home/{user.username}"
    end_reading()
    mounts = [instead or platform.storage.mount(home.name, directory)]
    if not url:
        mounts.append(platform.storage.repository(home, restic.REPOSITORY))
    environment = (*restic.ENVIRONMENT, *(_backup_environment(platform) if url else ()))
    seconds = int(HELPER_LIFETIME.total_seconds()) - 3600
    platform.engine.run(
        snapshot_spec(
            user, name, image, tuple(mounts), environment,
            seconds=seconds, cpus=cpus, network=bool(url),
        )
    )  # fmt: skip
    return directory, f"{url.rstrip('/')}/{user.userhash}" if url else restic.REPOSITORY


def _backup_environment(platform: Platform) -> tuple[tuple[str, str], ...]:
    """Read what restic needs to know of the place of backups. Raises: StorageError."""
    path = platform.settings.backup_environment
    if not path:
        return ()
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    pairs = [line.split("=", 1) for line in lines if line.strip() and not line.startswith("#")]
    if any(len(pair) != 2 or not pair[0].isidentifier() for pair in pairs):
        raise StorageError(f"{path} must hold lines of NAME=value")
    return tuple((name, value) for name, value in pairs)


@dataclass
class Unused:
    """Removes containers that nobody uses: since when each was seen unused, by name."""

    since: dict[str, float] = field(default_factory=dict)

    def sweep(self, platform: Platform, users: dict[str, str], clock: float) -> None:
        """Remove what was unused for long enough; ``users`` maps containers to homes."""
        found = {status.name for status in platform.engine.census()} & users.keys()
        self.since = {name: at for name, at in self.since.items() if name in found}
        for name in found:
            try:
                with platform.leases.alone(room_lease(users[name])):
                    if clock - self.since.setdefault(name, clock) >= IDLE_SECONDS:
                        platform.engine.remove(name)
            except HomeBusy:
                self.since.pop(name, None)
