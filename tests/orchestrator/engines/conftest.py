"""Specs for engine tests, and every engine in turn."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.engines import Engine
from orchestrator.engines.memory import MemoryEngine
from orchestrator.spec import Spec
from tests.orchestrator.engines.containers import (
    ECHO_PORT,
    ECHO_SERVER,
    LIMITS,
    LISTEN_PORT,
    LISTEN_SERVER,
    OWNER,
    SLEEP,
)


@pytest.fixture
def sleeper(run_id: str, image: str) -> Callable[..., Spec]:
    """Return a maker of specs for the real engine: ``sleeper("a", network=False)``."""

    def make(name: str = "one", **changes: Any) -> Spec:
        spec = Spec(
            name=f"rb-{run_id}-{name}", image=image, user=OWNER, limits=LIMITS, entrypoint=SLEEP
        )
        return replace(spec, **changes)

    return make


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.engine)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Every implementation in turn, for the conformance suite."""
    if request.param == "docker":
        yield request.getfixturevalue("docker_engine")
    else:
        yield MemoryEngine(images={"chaospine:1.0.0"})


@pytest.fixture
def make(engine: Engine, run_id: str) -> Callable[..., Spec]:
    """Return a maker of specs that run on ``engine``."""

    def spec(name: str = "one", **changes: Any) -> Spec:
        base = Spec(
            name=f"rb-{run_id}-{name}",
            image="chaospine:1.0.0",
            user=OWNER,
            limits=LIMITS,
            entrypoint=SLEEP,
        )
        return replace(base, **changes)

    return spec


@pytest.fixture
def echoing(engine: Engine, make: Callable[..., Spec], request: pytest.FixtureRequest) -> Spec:
    """A container that sends back whatever it gets on ``ECHO_PORT``."""
    spec = make("echo", sockets=((ECHO_PORT, "echo.sock"),))
    if isinstance(engine, MemoryEngine):
        return spec
    request.getfixturevalue("image")
    return replace(spec, entrypoint=("python3", "-c", ECHO_SERVER))


@pytest.fixture
def listening(engine: Engine, make: Callable[..., Spec]) -> Spec:
    """A container in which something listens on ``LISTEN_PORT`` of the loopback."""
    spec = make("listening", sockets=((ECHO_PORT, "echo.sock"),), network=False)
    if isinstance(engine, MemoryEngine):
        engine.listen(LISTEN_PORT)
        return spec
    return replace(spec, entrypoint=("python3", "-c", LISTEN_SERVER))
