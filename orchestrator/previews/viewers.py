"""Who looks at which preview through this process, and what hangs up when they may not any more."""

import threading
import time
from dataclasses import dataclass, field

from orchestrator.connections import Connection, Connections, Hangable

IDLE_SECONDS = 60.0
"""A viewer without an open exchange who has asked for nothing in this time has left."""


@dataclass(slots=True, eq=False)
class Viewer:
    """One browser, token or address at one preview; its ``ActiveSession`` row is the owner's view.

    ``key`` is what tells it from others. Closed once it may not look any more.
    """

    key: tuple[object, ...]
    connection: Connection | None = None
    known: bool = False
    """Whether it is a person with an account."""
    seen: float = field(default_factory=time.monotonic)
    closed: bool = False
    _held: set[Hangable] = field(default_factory=set)

    def hold(self, carrier: Hangable) -> bool:
        """Have ``carrier`` closed when the viewer may not look any more; False: it is so already.

        Each ``hold`` has a :meth:`release`; neither blocks.
        """
        self._held.add(carrier)
        if self.closed:
            self._held.discard(carrier)
            return False
        return True

    def release(self, carrier: Hangable) -> None:
        """Forget ``carrier``: its exchange is over."""
        self._held.discard(carrier)
        self.seen = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether an exchange goes on."""
        return bool(self._held)

    @property
    def exchanges(self) -> int:
        """How many go on."""
        return len(self._held)

    def close(self) -> None:
        """Hang up: called where the row is gone."""
        self.closed = True
        held, self._held = list(self._held), set()
        for carrier in held:
            carrier.close()


class Viewers:
    """Registry of this process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._known: dict[tuple[object, ...], Viewer] = {}

    def find(self, key: tuple[object, ...]) -> Viewer | None:
        """Return the viewer of that key, unless closed."""
        found = self._known.get(key)
        return None if found is None or found.closed else found

    def add(self, viewer: Viewer) -> Viewer:
        """Register a viewer; return the one that came first where two are made at once."""
        with self._guard:
            found = self.find(viewer.key)
            if found is not None:
                return found
            self._known[viewer.key] = viewer
        return viewer

    def count(self, start: tuple[object, ...]) -> int:
        """Return how many viewers have a key that begins like that."""
        with self._guard:
            return sum(key[: len(start)] == start for key in self._known)

    def dismiss_idle(self, connections: Connections, now: float) -> None:
        """End those who have left; ``now`` is ``time.monotonic()``'s."""
        with self._guard:
            gone = [
                viewer
                for viewer in self._known.values()
                if viewer.closed or (not viewer.busy and now - viewer.seen > IDLE_SECONDS)
            ]
            for viewer in gone:
                del self._known[viewer.key]
        for viewer in gone:
            viewer.closed = True  # whoever looks again is another one
            if viewer.connection is not None:
                connections.ended(viewer.connection)
