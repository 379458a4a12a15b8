"""What workspaces have been doing lately: rates out of the engines' counters.

A sample is a handful of cgroup files, so all workspaces are sampled often. The collector judges
by a window of a minute; the pages show the last few seconds.
"""

import threading
from collections import deque
from dataclasses import dataclass

from orchestrator.engines import Usage

WINDOW_SECONDS = 60.0
_SAMPLES = 16


@dataclass(frozen=True, slots=True)
class Rates:
    """Averages over ``seconds``; ``cpu_percent`` is 100 for one busy core."""

    seconds: float
    cpu_percent: float
    net_bytes_per_second: float
    block_bytes_per_second: float
    memory_bytes: int
    pids: int


class Sampler:
    """Keeps the last samples of each container. ``at`` is monotonic time in seconds."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._samples: dict[str, deque[tuple[float, Usage]]] = {}

    def add(self, name: str, at: float, usage: Usage) -> None:
        """Add a sample; counters that went back mean another container, which starts afresh."""
        with self._guard:
            samples = self._samples.get(name)
            if samples and usage.cpu_seconds < samples[-1][1].cpu_seconds:
                samples = None
            if samples is None:
                samples = self._samples[name] = deque(maxlen=_SAMPLES)
            samples.append((at, usage))

    def forget(self, name: str) -> None:
        """Drop what is known of a container that is gone."""
        with self._guard:
            self._samples.pop(name, None)

    def keep_only(self, names: set[str]) -> None:
        """Drop every container but these."""
        with self._guard:
            for name in self._samples.keys() - names:
                del self._samples[name]

    def now(self, name: str) -> Rates | None:
        """Return the rates between the last two samples, or None with fewer."""
        with self._guard:
            samples = list(self._samples.get(name, ()))
        return _between(samples[-2], samples[-1]) if len(samples) > 1 else None

    def window(self, name: str) -> Rates | None:
        """Return the rates over the last minute, or over what is known of it."""
        with self._guard:
            samples = list(self._samples.get(name, ()))
        if len(samples) < 2:
            return None
        newest = samples[-1][0]
        inside = [s for s in samples if newest - s[0] <= WINDOW_SECONDS]
        return _between(inside[0], inside[-1]) if len(inside) > 1 else None


def _between(old: tuple[float, Usage], new: tuple[float, Usage]) -> Rates:
    seconds = max(new[0] - old[0], 1e-3)
    before, after = old[1], new[1]
    net = after.net_rx_bytes + after.net_tx_bytes - before.net_rx_bytes - before.net_tx_bytes
    return Rates(
        seconds=seconds,
        cpu_percent=max(0.0, after.cpu_seconds - before.cpu_seconds) / seconds * 100,
        net_bytes_per_second=max(0, net) / seconds,
        block_bytes_per_second=max(0, after.block_bytes - before.block_bytes) / seconds,
        memory_bytes=after.memory_bytes,
        pids=after.pids,
    )
