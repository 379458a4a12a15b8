"""Homes that exist in name only, for tests and for trying the server where there is no Docker."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from orchestrator.errors import AllowanceReached, StorageError, WrongKey
from orchestrator.spec import Mount
from orchestrator.storage import Feature, Home, Kind
from orchestrator.storage.names import checked

_DEFAULT = frozenset({Feature.ENCRYPTED, Feature.CAPPED})


class MemoryStorage:
    """Remembers which homes there are, whose, with which key, and which are unlocked.

    ``homes`` maps names to owners, ``used_bytes`` to what their files take, which tests set.
    """

    kind = Kind.MEMORY
    place = "memory"
    reason = ""

    def __init__(self, features: frozenset[Feature] = _DEFAULT) -> None:
        self.features = features
        self.homes: dict[str, tuple[int, int]] = {}
        self.used_bytes: dict[str, int] = {}
        self.braked: set[str] = set()
        self.staged: set[str] = set()
        self._keys: dict[str, bytes] = {}
        self._open: dict[str, Home] = {}
        self._adopted: set[str] = set()
        self._guard = threading.Lock()

    def is_place(self, text: str) -> bool:
        return text == self.place

    def unlock(self, home: Home, key: bytes) -> None:
        with self._guard:
            checked(home.name)
            if home.known and home.name not in self.homes:
                raise StorageError("The home is not there")
            if Feature.ENCRYPTED in self.features and self._keys.setdefault(home.name, key) != key:
                raise WrongKey()
            self.homes[home.name] = home.owner
            self.used_bytes.setdefault(home.name, 0)
            self._open[home.name] = home

    def lock(self, name: str) -> None:
        if Feature.ENCRYPTED in self.features:
            with self._guard:
                self._open.pop(name, None)
                self.braked.discard(name)

    def unlocked(self) -> frozenset[str]:
        with self._guard:
            return frozenset(self._open)

    def is_unlocked(self, name: str) -> bool:
        with self._guard:
            return name in self._open

    def mount(self, name: str, target: str) -> Mount:
        return Mount(source=name, target=target, volume=True)

    def repository(self, home: Home, target: str) -> Mount:
        name = f"snapshots_{home.name.removeprefix('home_')}"
        return Mount(source=name, target=target, volume=True)

    def usage(self, name: str) -> int | None:
        with self._guard:
            return self.used_bytes[name] if name in self._open else None

    def capacity(self, name: str) -> int | None:
        with self._guard:
            if Feature.CAPPED not in self.features or name not in self._open:
                return None
            return self._open[name].capacity_bytes

    def reserved(self, name: str) -> int:
        """Return what :meth:`reserve` was told last."""
        with self._guard:
            return self._open[name].reserved_bytes

    def reserve(self, name: str, nbytes: int, *, partly: bool = False) -> None:
        with self._guard:
            home = self._open.get(name)
            if home is None or Feature.CAPPED not in self.features:
                return
            most = max(home.reserved_bytes, home.capacity_bytes - self.used_bytes[name])
            if nbytes > most and not partly:
                raise AllowanceReached("Your files leave too little space for snapshots")
            nbytes = min(nbytes, most)
            self._open[name] = replace(home, reserved_bytes=nbytes)

    def brake(self, name: str, on: bool) -> None:
        with self._guard:
            (self.braked.add if on else self.braked.discard)(name)

    @contextmanager
    def frozen(self, name: str) -> Iterator[bool]:
        yield Feature.FREEZES in self.features

    def stage(self, home: Home, key: bytes) -> None:
        with self._guard:
            self.staged.add(home.name)
            self._adopted.discard(home.name)

    def adopt(self, home: Home, key: bytes) -> None:
        with self._guard:
            if home.name not in self.staged | self._adopted:
                raise StorageError("What was to take your home's place is gone")
            self.staged.discard(home.name)
            self._adopted.add(home.name)

    def discard(self, name: str) -> None:
        with self._guard:
            self.staged.discard(name)
            self._adopted.discard(name)

    def destroy(self, name: str) -> None:
        with self._guard:
            checked(name)
            for table in (self.homes, self.used_bytes, self._keys, self._open):
                table.pop(name, None)
            self.staged.discard(name)
            self._adopted.discard(name)
            self.braked.discard(name)

    def reconcile(self) -> None:
        with self._guard:
            self.staged.clear()

    def close(self) -> None:
        """Change nothing: there are no connections."""
