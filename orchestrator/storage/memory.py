"""Homes that exist in name only, for tests and for trying the server where there is no Docker."""

import threading

from orchestrator.spec import Mount


class MemoryStorage:
    """Remembers which homes there are and whose; ``homes`` maps names to owners."""

    def __init__(self) -> None:
        self.homes: dict[str, tuple[int, int]] = {}
        self._guard = threading.Lock()

    def unlock(self, home: str, *, owner: tuple[int, int], target: str) -> Mount:
        with self._guard:
            self.homes[home] = owner
        return Mount(source=home, target=target, volume=True)

    def usage(self, home: str) -> int | None:
        with self._guard:
            return 0 if home in self.homes else None

    def destroy(self, home: str) -> None:
        with self._guard:
            self.homes.pop(home, None)
