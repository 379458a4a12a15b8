"""Keep the event loop free: work that takes CPU or disk for over 20 ms runs elsewhere.

The orchestrator does not know which loop serves it. ``app.py`` installs a runner that uses the
loop's own thread pool; without one the work runs in place, which is right for tests and tools.
"""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
Runner = Callable[[Callable[..., Any], tuple[Any, ...]], Any]


def _in_place(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)


_runner: Runner = _in_place


def use(runner: Runner) -> None:
    """Install ``runner(function, arguments)``, which returns what the function returns."""
    global _runner
    _runner = runner


def offload(function: Callable[..., T], *arguments: Any) -> T:
    """Run ``function(*arguments)`` off the event loop and return its result.

    The function must not touch the database session or the request: it runs in another thread.
    """
    result: T = _runner(function, arguments)
    return result
