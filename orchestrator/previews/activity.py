"""Tell a person who works in a preview from a page that is left open.

What the app means by its frames is its own business, so only their number counts. How many a page
sends that nobody touches is the app's business too: in a minute JupyterLab sends none, Vite 2,
code-server 80 (measured, over minutes). But it is about as many in every minute, while people stop
to think. So a page is compared with itself.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

from models import utcnow
from orchestrator.connections import Connections
from orchestrator.previews.viewers import Viewer
from orchestrator.websocket import FrameMeter

MINUTE = 60.0
MINUTES = 60
"""How far back its quietest minute is looked for: what an app is used to may change."""
MORE = 3
"""What a page may send beside one and a half times its quietest minute, where it is never still."""


class Pace:
    """Whether a minute has far more frames than the quietest of those before it.

    A moment ``now`` is ``time.monotonic()``'s. The first minute is none: pages say much as they
    open, and those that connect again and again by themselves begin anew each time.
    """

    __slots__ = ("_before", "_began", "_count", "_most")

    def __init__(self, now: float) -> None:
        self._before: deque[int] = deque(maxlen=MINUTES)
        self._began = now
        self._count = 0
        self._most = -1
        """How many are no news in this minute; -1 while it is the first, in which all are."""

    def note(self, now: float) -> bool:
        """Note one; return whether it is the one in its minute that is one too many."""
        passed = int((now - self._began) // MINUTE)
        if passed > 0:
            self._began += passed * MINUTE
            self._before.append(self._count)
            self._before.extend([0] * min(passed - 1, MINUTES))
            self._count = 0
            least = min(self._before)
            # A cell that runs in JupyterLab is one frame, and its idle page sends none.
            self._most = least * 3 // 2 + MORE if least else 1
        self._count += 1
        return self._count == self._most + 1


def note(connections: Connections, viewer: Viewer, now: datetime) -> None:
    """Note that a person did something in a preview: it keeps the workspace from idling.

    A stranger does not: whoever finds a public preview could keep it running for ever.
    """
    if viewer.connection is not None and viewer.known:
        connections.note_input(viewer.connection.workspace_id, now)


def meter(
    connections: Connections, viewer: Viewer, clock: Callable[[], float] = time.monotonic
) -> Callable[[memoryview], bool]:
    """Return what looks at a WebSocket's bytes from the viewer's browser; it lets all pass."""
    if viewer.connection is None or not viewer.known:
        return _pass
    pace = Pace(clock())

    def on_frame() -> None:
        if pace.note(clock()):
            note(connections, viewer, utcnow())

    return FrameMeter(on_frame)


def _pass(_data: memoryview) -> bool:
    return True
