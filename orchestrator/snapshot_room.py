"""restic with one home and its repository, in a container of the home's owner.

Whoever uses such a container holds a lease, so that no server removes it under the hands of
another.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from models import User, end_reading
from orchestrator import homes
from orchestrator.engines import Process, Result
from orchestrator.errors import (
    AllowanceReached,
    HomeLocked,
    NoSpace,
    SnapshotError,
    StorageError,
    WrongKey,
)
from orchestrator.keys import Proof
from orchestrator.leases import reading_lease, room_lease
from orchestrator.logs import log
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.snapshot_container import Container, Use, credentials, start
from orchestrator.storage import Home, restic, restic_bundle
from orchestrator.storage.keys import derive

LOG = log(__name__)
BRIEF_SECONDS = 60.0
_LINE_BYTES = 8 << 20
_PROGRAM = restic_bundle.program()


@dataclass(frozen=True)
class Room:
    """restic with one home and its repository. Every call takes a part of a second at least."""

    platform: Platform
    user: User
    home: Home
    key: bytes = field(repr=False)
    use: Use
    container: Container

    def ask(
        self, do: str, *, seconds: float = BRIEF_SECONDS, ok: Sequence[int] = (0,), **request: Any
    ) -> Iterator[Any]:
        """Do something of restic_program.py and yield what it tells, line by line.

        What restic prints as text is left out. ``seconds`` is for all of it.
        Raises: what :func:`orchestrator.storage.restic.failure` returns; AllowanceReached when the
        home is full, NoSpace when the place of the repository is.
        """
        deadline = time.monotonic() + seconds
        process = self.spawn(do, **request)
        try:
            for line in _lines(process, deadline):
                if isinstance(line, dict) and "ended" in line:
                    said = restic.redacted(str(line["said"]), self.container.repository)
                    self._check(int(line["ended"]), said, ok)
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
            self.container.name, ("/usr/bin/python3", "-I", "-c", _PROGRAM)
        )
        whole = request | {
            "do": do,
            "directory": self.container.directory,
            "repository": self.container.repository,
            "disk": restic.REPOSITORY,
            "floor": self.platform.settings.reserve_bytes // 2,
            "environment": dict(restic.ENVIRONMENT) | credentials(self.platform),
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
        if not self._is_here:
            return 0
        done = self._exec("du", "-sB1", "--", restic.REPOSITORY)
        if done.exit_code or not (digits := done.stdout.split(b"\t")[0]).isdigit():
            raise SnapshotError("The size of your snapshots could not be measured")
        return int(digits)

    def sweep(self) -> None:
        """Delete what a killed restic left: locks, what nothing refers to, halves of files."""
        self.run(restic.unlock(), restic.sweep(), seconds=BRIEF_SECONDS * 10)
        if self._is_here:  # restic does not look at what it never finished to write
            self._exec("find", restic.REPOSITORY, "-type", "f", "-name", "*-tmp-*", "-delete")

    def prepare(self) -> None:
        """Make the repository unless it is there; what a killed attempt left is wiped."""
        if self._is_made():
            return
        if self._is_here:
            self._exec("find", restic.REPOSITORY, "-mindepth", "1", "-delete")
        # restic makes opening a repository as hard as half a second's work of this container is.
        # The password is a random key that nobody can guess, so a slow container makes it easy.
        slow = start(self.platform, self.user, self.home, Use.INIT)
        try:
            room = replace(self, use=Use.INIT, container=slow)
            room.run(restic.init(), seconds=BRIEF_SECONDS * 2)
        finally:
            self.platform.engine.remove(slow.name)

    def _is_made(self) -> bool:
        if self._is_here:
            return not self._exec("test", "-f", f"{restic.REPOSITORY}/config").exit_code
        try:
            self.run(("cat", "config", "--no-lock"))
        except SnapshotError as error:
            if "is not where it was" not in error.message:
                raise
            return False
        return True

    @property
    def _is_here(self) -> bool:
        return self.container.repository == restic.REPOSITORY

    def _exec(self, *argv: str) -> Result:
        return self.platform.engine.exec(self.container.name, argv, timeout=BRIEF_SECONDS)

    def _check(self, code: int, said: str, ok: Sequence[int]) -> None:
        if code in ok:
            return
        if restic.home_is_full(said):
            if self.use in (Use.WRITE, Use.INIT):
                raise NoSpace
            raise AllowanceReached(
                "Your home is full", hint="Delete something first, then try again."
            )
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


def require_key(platform: Platform, user: User, proof: Proof | None) -> bytes:
    """Return the home's key, which snapshots need also where files do not. Raises: HomeLocked."""
    key = homes.key_for(platform, user, proof)
    if key is None:
        raise HomeLocked
    return key


@contextmanager
def entered(
    platform: Platform, user: User, proof: Proof | None, use: Use = Use.WRITE
) -> Iterator[Room]:
    """Hold the home unlocked and a container running that sees it.

    Raises: HomeLocked, HomeBusy, EngineError.
    """
    key = require_key(platform, user, proof)
    with (
        homes.in_use(platform, user, proof) as home,
        _running(platform, user, home, key, use) as it,
    ):
        yield it


@contextmanager
def _running(platform: Platform, user: User, home: Home, key: bytes, use: Use) -> Iterator[Room]:
    with platform.leases.shared(room_lease(home.name), patience=homes.PATIENCE_SECONDS):
        yield Room(platform, user, home, key, use, start(platform, user, home, use))


@contextmanager
def reading(
    platform: Platform, user: User, proof: Proof | None, *, files: bool = False
) -> Iterator[Room]:
    """Hold what reads snapshots, while nothing that is forgotten is deleted.

    A home that cannot be opened takes nothing away from its snapshots, unless ``files`` says that
    the home itself is needed. Raises: HomeLocked, HomeBusy, EngineError.
    """
    with ExitStack() as stack:
        try:
            room = stack.enter_context(entered(platform, user, proof, Use.READ))
        except WrongKey:
            raise
        except StorageError as error:
            if files:
                raise
            LOG.warning("snapshots.without-home", home=home_of(user), why=error.message)
            room = stack.enter_context(_without_home(platform, user, proof))
        lease, patience = reading_lease(room.home.name), homes.PATIENCE_SECONDS
        stack.enter_context(platform.leases.shared(lease, patience=patience))
        yield room


@contextmanager
def _without_home(platform: Platform, user: User, proof: Proof | None) -> Iterator[Room]:
    key, home = require_key(platform, user, proof), homes.wanted(platform, user)
    with (
        platform.leases.shared(home.name, patience=homes.PATIENCE_SECONDS),
        _running(platform, user, home, key, Use.LOOK) as room,
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
    container = start(room.platform, room.user, room.home, Use.RESTORE)
    try:
        yield replace(room, use=Use.RESTORE, container=container)
    finally:
        room.platform.engine.remove(container.name)
