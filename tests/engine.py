"""The in-memory engine, watching how it is used."""

import sys
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import has_app_context

from models import db
from orchestrator.engines.memory import MemoryEngine
from orchestrator.errors import RootBloodError

CALLS = (
    "run", "stop", "pause", "remove", "inspect", "census", "exec", "spawn", "dial", "usage",
    "logs", "images", "verify", "listeners",
)  # fmt: skip


class WatchedEngine(MemoryEngine):
    """Notes every call made with a transaction open: no use case may wait like that.

    ``calls`` counts what was asked; ``failing`` maps a method's name to the error that it raises,
    and ``during`` to what is done just before it works.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.violations: list[str] = []
        self.calls: Counter[str] = Counter()
        self.failing: dict[str, RootBloodError] = {}
        self.during: dict[str, Callable[..., object]] = {}
        self.known_images = frozenset({"chaospine:1.0.0"})

    def images(self) -> frozenset[str]:
        self._get("")
        return self.known_images


def in_transaction() -> bool:
    """Tell whether whoever asks has a transaction open."""
    return has_app_context() and db.session.registry.has() and db.session().in_transaction()


def _watched(name: str) -> Callable[..., Any]:
    original = getattr(WatchedEngine, name)

    @wraps(original)
    def call(self: WatchedEngine, *arguments: Any, **named: Any) -> Any:
        by_a_test = (
            sys._getframe(1).f_globals["__name__"].startswith(("test", "orchestrator.engines"))
        )
        if not by_a_test and in_transaction():
            self.violations.append(name)
        self.calls[name] += 1
        if before := self.during.get(name):
            before(*arguments)
        if error := self.failing.get(name):
            raise error
        return original(self, *arguments, **named)

    return call


for _name in CALLS:
    setattr(WatchedEngine, _name, _watched(_name))
