"""Look at what the server rests on, and say what is well, what is not, and what to do.

From the inside: :mod:`machine` and :mod:`previews`. From the outside: :mod:`journey` asks as a
browser would, and the page ``/doctor`` lets the reader's own browser ask (``frontend/src/doctor``).
"""

from orchestrator.doctor import machine, previews
from orchestrator.doctor.finding import Finding, Verdict
from orchestrator.doctor.machine import unprotected
from orchestrator.platform import Platform

__all__ = ["Finding", "Verdict", "examine", "unprotected"]


def examine(platform: Platform, *, panel: str = "", serving: bool = True) -> list[Finding]:
    """Return what there is to say of this server. No transaction may be open.

    ``panel`` is the origin where the reader sees the panel, as far as it is known; ``serving``
    says that a server runs.
    """
    found = machine.examine(platform, serving=serving)
    return [*found, *previews.examine(platform.settings, panel)]
