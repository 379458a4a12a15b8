"""The connection to one Docker daemon, made when it is first needed."""

import threading

from docker import APIClient

from orchestrator.engines.docker_errors import translating
from orchestrator.engines.docker_stream import dial_engine

_REQUEST_SECONDS = 60
_POOL = 64  # connections kept open to the daemon


class LazyClient:
    """Call it for the client of the daemon at ``url``; all threads share one.

    Each request may take ``seconds``.
    """

    def __init__(self, url: str, *, seconds: int = _REQUEST_SECONDS) -> None:
        self.url = url
        self._seconds = seconds
        self._lock = threading.Lock()
        self._made: APIClient | None = None

    def __call__(self) -> APIClient:
        """Return the client, connected and of the daemon's own API version.

        Raises: EngineUnreachable.
        """
        with self._lock:
            if self._made is None:
                # docker-py leaks its socket where nobody answers, so knock first.
                dial_engine(self.url, timeout=self._seconds).close()
                with translating():
                    self._made = APIClient(
                        self.url, version="auto", timeout=self._seconds, max_pool_size=_POOL
                    )
            return self._made

    def close(self) -> None:
        """Close the connections; the next call makes others."""
        with self._lock:
            made, self._made = self._made, None
        if made:
            made.close()
