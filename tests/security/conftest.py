"""Hostile users and hostile programs. The fixtures are those of the layers they attack."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.spec import Limits, Spec
from tests.orchestrator.engines.containers import OWNER
from tests.visitor import Visitor

LIMITS = Limits(cpus=1.0, memory_bytes=256 << 20, pids=128)


@pytest.fixture
def hostile(run_id: str, image: str) -> Callable[..., Spec]:
    """Return a maker of containers that run one Python program: ``hostile(source)``."""

    def make(source: str, **changes: Any) -> Spec:
        return Spec(
            name=f"rb-{run_id}-hostile", image=image, user=OWNER, limits=LIMITS,
            entrypoint=("python3", "-c", source), network=False, **changes,
        )  # fmt: skip

    return make


@pytest.fixture
def ann(sign_up: Callable[..., Visitor]) -> Visitor:
    """The administrator, who was here first."""
    return sign_up("ann")


@pytest.fixture
def bob(ann: Visitor, sign_up: Callable[..., Visitor]) -> Visitor:
    return sign_up("bob")
