"""Tell waiting pages that something of a person's changed, without polling inside one process.

Other processes on the same database are seen because every waiter also looks again on its own.
"""

import threading
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Transfer:
    """Progress of one download of a home; bytes are those sent, compressed."""

    id: str
    state: str
    sent_bytes: int
    home_bytes: int | None
    elapsed_seconds: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


EVERYONE = 0
"""Stands for all users, as no account's id does: what all may see has changed."""


class Feed:
    """Versions per user: a waiter sleeps until the version it has seen is outdated."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._versions: defaultdict[int, int] = defaultdict(int)
        self._transfers: defaultdict[int, dict[str, Transfer]] = defaultdict(dict)
        self._streams: Counter[int] = Counter()
        self.closed = False

    def enter(self, user_id: int, most: int) -> bool:
        """Count one more stream of the user, unless ``most`` are open; each enter has a leave."""
        with self._changed:
            if self._streams[user_id] >= most:
                return False
            self._streams[user_id] += 1
            return True

    def leave(self, user_id: int) -> None:
        """Count one stream less."""
        with self._changed:
            self._streams[user_id] -= 1
            if not self._streams[user_id]:
                del self._streams[user_id]

    def publish(self, user_id: int) -> None:
        """Wake all who wait for this user, or for anybody when it is ``EVERYONE``."""
        with self._changed:
            self._versions[user_id] += 1
            self._changed.notify_all()

    def transfer(self, user_id: int, progress: Transfer) -> None:
        """Publish the progress of a download; a finished one is told once more, then forgotten."""
        with self._changed:
            mine = self._transfers[user_id]
            for key in [k for k, t in mine.items() if t.state != "running" and k != progress.id]:
                del mine[key]
            mine[progress.id] = progress
        self.publish(user_id)

    def transfers(self, user_id: int) -> list[Transfer]:
        """Return the downloads under way and those that have just ended."""
        with self._changed:
            return list(self._transfers.get(user_id, {}).values())

    def version(self, user_id: int) -> int:
        """Return the version to pass to :meth:`wait`."""
        with self._changed:
            return self._version(user_id)

    def wait(self, user_id: int, seen: int, *, timeout: float) -> int:
        """Return the version once it differs from ``seen``, or after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.closed or self._version(user_id) != seen, timeout=timeout
            )
            return self._version(user_id)

    def _version(self, user_id: int) -> int:
        return self._versions[user_id] + self._versions[EVERYONE]

    def close(self) -> None:
        """Let every waiter go: the server is stopping."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
