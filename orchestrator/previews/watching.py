"""A page is told of ports as they open and close, of shares, and of who looks."""

import threading
import time
from collections.abc import Callable, Iterator

from models import Workspace, db, utcnow
from orchestrator.errors import BadInput
from orchestrator.platform import Context, Platform
from orchestrator.previews import ports
from orchestrator.previews.ports import Listing

LOOK_SECONDS = 1.0
"""How often to look for listeners, while a page is there to be told."""
COMPANY_SECONDS = 5.0
"""How often to look for what other servers on the same database did."""
MESSAGE_BYTES = 1024


class PortWatch:
    """Says all ports as ``written`` puts them, whenever they differ from what was said last."""

    def __init__(
        self,
        platform: Platform,
        workspace: Workspace,
        context: Context,
        written: Callable[[Listing], str],
    ) -> None:
        self._platform = platform
        self._workspace_id = workspace.id
        self._user_id = workspace.user_id
        self._context = context
        self._written = written
        self._closed = threading.Event()

    def told(self) -> Iterator[str]:
        feed, version, looked_at = self._platform.feed, -1, 0.0
        row: Workspace | None = None
        said: str | None = None
        while not self._closed.is_set() and not feed.closed:
            now = feed.version(self._user_id)
            late = time.monotonic() - looked_at >= COMPANY_SECONDS
            if row is None or now != version or late:
                with self._context():
                    row = db.session.get(Workspace, self._workspace_id)
                    if row is None:
                        return
                    known = ports.company(row, utcnow())
                version, looked_at = now, time.monotonic()
            text = self._written(ports.joined(row, ports.listeners(self._platform, row), known))
            if text != said:
                said = text
                yield text
            feed.wait(self._user_id, version, timeout=LOOK_SECONDS)

    def tell(self, message: str) -> bool:
        raise BadInput("There is nothing to say here")

    def close(self) -> None:
        self._closed.set()
