"""Tell a person who works in a preview from a page that is left open.

What the app means by its frames is its own business, so only their number counts: a page that
nobody touches pings now and then, a person who types or moves things sends many.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

from models import utcnow
from orchestrator.connections import Connections
from orchestrator.previews.viewers import Viewer
from orchestrator.websocket import FrameMeter

FRAMES = 30
"""Well above what idle pages say: code-server twelve in a minute, Vite two."""
WITHIN_SECONDS = 60.0


class Pace:
    """Whether more than ``FRAMES`` come within ``WITHIN_SECONDS``."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=FRAMES)

    def note(self, now: float) -> bool:
        """Note one; return whether it is one too many, and begin anew then.

        ``now`` is ``time.monotonic()``'s.
        """
        times = self._times
        if len(times) == FRAMES and now - times[0] <= WITHIN_SECONDS:
            times.clear()
            return True
        times.append(now)
        return False


def note(connections: Connections, viewer: Viewer, now: datetime) -> None:
    """Note that a person did something in a preview: it keeps the workspace from idling.

    A stranger does not: whoever finds a public preview could keep it running for ever.
    """
    if viewer.connection is not None and viewer.known:
        connections.note_input(viewer.connection.workspace_id, now)


def meter(connections: Connections, viewer: Viewer) -> Callable[[memoryview], bool]:
    """Return what looks at a WebSocket's bytes from the viewer's browser; it lets all pass."""
    if viewer.connection is None or not viewer.known:
        return _pass
    pace = Pace()

    def on_frame() -> None:
        if pace.note(time.monotonic()):
            note(connections, viewer, utcnow())

    return FrameMeter(on_frame)


def _pass(_data: memoryview) -> bool:
    return True
