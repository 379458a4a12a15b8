"""Many who want to reach the same app at once, while it is silent."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from orchestrator.errors import DialFailed, EngineError, TooManyRequests, WorkspaceStopped
from tests.wire import DEADLINE_SECONDS, wait_for
from web.preview import upstreams
from web.preview.upstreams import DIALS_EACH, Pool, Upstream

TARGET, ELSEWHERE = ("rb-secret", 8000), ("rb-secret", 8001)


class Engine:
    """Says nothing of a port until it is ``told``, and then what listens there."""

    def __init__(self) -> None:
        self.told = threading.Event()
        self.listens = False
        self.dials = 0
        self.trouble: type[EngineError] = DialFailed

    def dial(self, name: str, port: int, *, timeout: float) -> socket.socket:
        self.dials += 1
        assert self.told.wait(DEADLINE_SECONDS)
        if not self.listens:
            raise self.trouble("no")
        near, far = socket.socketpair()
        far.close()
        return near


Ask = Callable[..., Future[Upstream]]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def pool(engine: Engine) -> Pool:
    return Pool(engine)  # type: ignore[arg-type]  # it only dials


@pytest.fixture
def ask(pool: Pool) -> Iterator[Ask]:
    """Return ``ask(target)``: somebody who dials, and has been counted."""
    with ThreadPoolExecutor(DIALS_EACH + 8) as threads:

        def begin(target: tuple[str, int] = TARGET) -> Future[Upstream]:
            before = pool.open
            asked = threads.submit(pool.dial, target)
            wait_for(lambda: pool.open > before)
            return asked

        yield begin


def fill(ask: Ask, engine: Engine) -> list[Future[Upstream]]:
    """Let as many dial as may at a time."""
    asked = []
    for number in range(DIALS_EACH):
        asked.append(ask())
        wait_for(lambda number=number: engine.dials > number)
    return asked


@pytest.mark.parametrize(
    ("trouble", "said"),
    [(DialFailed, DialFailed), (WorkspaceStopped, WorkspaceStopped), (EngineError, DialFailed)],
)
def test_one_answer_is_for_all_who_wait_for_it(
    pool: Pool, engine: Engine, ask: Ask, trouble: type[EngineError], said: type[Exception]
) -> None:
    engine.trouble = trouble
    asked = [*fill(ask, engine), *(ask() for _ in range(5))]
    engine.told.set()
    for one in asked:
        assert isinstance(one.exception(DEADLINE_SECONDS), said)
    assert engine.dials == DIALS_EACH
    assert (pool.open, len(pool._dialling), len(pool._turns)) == (0, 0, 0)


def test_other_ports_do_not_wait(pool: Pool, engine: Engine, ask: Ask) -> None:
    asked = [*fill(ask, engine), ask(ELSEWHERE)]
    wait_for(lambda: engine.dials == DIALS_EACH + 1)
    engine.told.set()
    for one in asked:
        one.exception(DEADLINE_SECONDS)


def test_where_nothing_was_a_moment_ago_one_looks_for_all(
    pool: Pool, engine: Engine, ask: Ask
) -> None:
    engine.told.set()
    with pytest.raises(DialFailed):
        pool.dial(TARGET)
    engine.told.clear()
    first = ask()
    wait_for(lambda: engine.dials == 2)
    others = [ask() for _ in range(5)]
    engine.told.set()
    for one in (first, *others):
        assert isinstance(one.exception(DEADLINE_SECONDS), DialFailed)
    assert engine.dials == 2


def test_what_one_has_found_is_open_to_all(pool: Pool, engine: Engine, ask: Ask) -> None:
    engine.told.set()
    with pytest.raises(DialFailed):
        pool.dial(TARGET)
    engine.told.clear()
    engine.listens = True
    first = ask()
    wait_for(lambda: engine.dials == 2)
    others = [ask() for _ in range(5)]
    engine.told.set()
    for one in (first, *others):
        pool.drop(one.result(DEADLINE_SECONDS))
    assert pool.open == 0


def test_nobody_waits_for_ever(
    pool: Pool, engine: Engine, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fill(ask, engine)
    monkeypatch.setattr(upstreams, "TURN_SECONDS", 0.0)
    with pytest.raises(TooManyRequests):
        pool.dial(TARGET)
    engine.told.set()
    for one in asked:
        one.exception(DEADLINE_SECONDS)
    assert pool.open == 0
