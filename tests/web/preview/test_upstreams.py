"""Connections to apps that are the other end of a pair of sockets, and of apps that are not."""

import math
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from orchestrator.errors import (
    DialFailed,
    EngineUnreachable,
    RootBloodError,
    StartFailed,
    TooManyRequests,
    WorkspaceStopped,
)
from tests.wire import DEADLINE_SECONDS
from web.preview import upstreams
from web.preview.upstreams import (
    DIAL_SECONDS,
    GLANCE_SECONDS,
    KEPT_EACH,
    KEPT_SECONDS,
    REFUSED_SECONDS,
    Pool,
)

TARGET, NEXT_PORT, ELSEWHERE = ("rb-secret", 8000), ("rb-secret", 8001), ("rb-other", 8000)
HEAD = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"


class Engine:
    """Dials what is there; ``error`` is raised instead, ``waited`` says how long each may take."""

    def __init__(self) -> None:
        self.error: RootBloodError | None = None
        self.waited: list[float] = []
        self.apps: list[socket.socket] = []

    def dial(self, name: str, port: int, *, timeout: float) -> socket.socket:
        self.waited.append(timeout)
        if self.error:
            raise self.error
        near, far = socket.socketpair()
        far.settimeout(DEADLINE_SECONDS)
        self.apps.append(far)
        return near


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    for app in made.apps:
        app.close()


@pytest.fixture
def pool(engine: Engine) -> Iterator[Pool]:
    made = Pool(engine)  # type: ignore[arg-type]  # it only dials
    yield made
    made.sweep(math.inf)


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(upstreams, "CONNECTIONS_EACH", 3)
    return 3


def has_ended(app: socket.socket) -> bool:
    """Return whether the server hung up on an app; what it has not, waits."""
    app.setblocking(False)
    try:
        return app.recv(1) == b""
    except BlockingIOError:
        return False


class TestKept:
    def test_what_was_kept_last_is_used_first(self, pool: Pool) -> None:
        older, newer = pool.dial(TARGET), pool.dial(TARGET)
        pool.keep(older)
        pool.keep(newer)
        assert [pool.take(TARGET) for _ in range(3)] == [newer, older, None]
        for upstream in (older, newer):
            pool.drop(upstream)

    def test_it_is_used_for_the_same_port_of_the_same_workspace(self, pool: Pool) -> None:
        pool.keep(pool.dial(TARGET))
        assert pool.take(NEXT_PORT) is None
        assert pool.take(ELSEWHERE) is None

    @pytest.mark.parametrize("ends", [lambda app: app.send(b"H"), lambda app: app.close()])
    def test_what_said_anything_meanwhile_is_hung_up_on(
        self, pool: Pool, engine: Engine, ends: Callable[[socket.socket], object]
    ) -> None:
        pool.keep(pool.dial(TARGET))
        ends(engine.apps[0])
        assert pool.take(TARGET) is None
        assert pool.open == 0

    def test_what_is_too_old_is_hung_up_on(
        self, pool: Pool, engine: Engine, pass_time: Callable[[float], None]
    ) -> None:
        pool.keep(pool.dial(TARGET))
        pass_time(KEPT_SECONDS)
        assert pool.take(TARGET) is None
        assert has_ended(engine.apps[0])

    def test_an_app_is_kept_no_more_than_so_many(self, pool: Pool, engine: Engine) -> None:
        for upstream in [pool.dial(TARGET) for _ in range(KEPT_EACH + 2)]:
            pool.keep(upstream)
        assert pool.open == KEPT_EACH
        assert [has_ended(app) for app in engine.apps[-3:]] == [False, True, True]

    def test_who_waited_before_is_asked_no_more(self, pool: Pool) -> None:
        upstream = pool.dial(TARGET)
        upstream.is_waited_for = lambda: False
        pool.keep(upstream)
        assert upstream.is_waited_for()

    def test_a_sweep_hangs_up_on_what_is_idle_and_on_nothing_else(
        self, pool: Pool, engine: Engine, pass_time: Callable[[float], None]
    ) -> None:
        used, old, young = (pool.dial(TARGET) for _ in range(3))
        pool.keep(old)
        pass_time(KEPT_SECONDS * 0.4)
        pool.keep(young)
        pool.sweep(old.idle_since + KEPT_SECONDS)
        assert [has_ended(app) for app in engine.apps] == [False, True, False]
        assert pool.open == 2
        pool.sweep(young.idle_since + KEPT_SECONDS)
        assert pool.open == 1
        pool.drop(used)
        assert pool.open == 0


class TestBounds:
    def test_a_workspace_has_so_many_connections(self, pool: Pool, most: int) -> None:
        held = [pool.dial(TARGET) for _ in range(most)]
        with pytest.raises(TooManyRequests):
            pool.dial(NEXT_PORT)
        pool.drop(pool.dial(ELSEWHERE))
        pool.drop(held.pop())
        held.append(pool.dial(NEXT_PORT))
        for upstream in held:
            pool.drop(upstream)

    def test_what_is_only_kept_makes_room_in_its_own_workspace(
        self, pool: Pool, engine: Engine, most: int
    ) -> None:
        pool.keep(pool.dial(ELSEWHERE))
        oldest, *held = (pool.dial(NEXT_PORT) for _ in range(most))
        pool.keep(oldest)
        held.append(pool.dial(TARGET))
        assert [has_ended(app) for app in engine.apps] == [False, True, False, False, False]
        with pytest.raises(TooManyRequests):
            pool.dial(TARGET)
        for upstream in held:
            pool.drop(upstream)

    def test_a_way_that_was_not_found_takes_no_place(
        self, pool: Pool, engine: Engine, most: int
    ) -> None:
        engine.error = DialFailed("no")
        for _ in range(most + 1):
            with pytest.raises(DialFailed):
                pool.dial(TARGET)
        assert pool.open == 0

    def test_what_was_given_away_counts_until_it_is_closed(self, pool: Pool) -> None:
        upstream = pool.dial(TARGET)
        closed = pool.let_go(upstream)
        assert pool.open == 1
        upstream.close()
        closed()
        assert pool.open == 0


class TestRefusals:
    def ask(self, pool: Pool, target: tuple[str, int] = TARGET) -> None:
        with pytest.raises(DialFailed):
            pool.dial(target)

    def test_after_a_refusal_nobody_waits_again_for_a_while(
        self, pool: Pool, engine: Engine, pass_time: Callable[[float], None]
    ) -> None:
        engine.error = DialFailed("no")
        self.ask(pool)
        self.ask(pool)
        pass_time(REFUSED_SECONDS)
        self.ask(pool)
        self.ask(pool)
        assert engine.waited == [DIAL_SECONDS, GLANCE_SECONDS] * 2

    def test_another_port_is_waited_for(self, pool: Pool, engine: Engine) -> None:
        engine.error = DialFailed("no")
        for target in (TARGET, NEXT_PORT, ELSEWHERE):
            self.ask(pool, target)
        assert engine.waited == [DIAL_SECONDS] * 3

    def test_what_listens_by_now_is_waited_for_the_next_time(
        self, pool: Pool, engine: Engine
    ) -> None:
        engine.error = DialFailed("no")
        self.ask(pool)
        engine.error = None
        pool.drop(pool.dial(TARGET))
        engine.error = DialFailed("no")
        self.ask(pool)
        assert engine.waited == [DIAL_SECONDS, GLANCE_SECONDS, DIAL_SECONDS]

    def test_refusals_are_forgotten(self, pool: Pool, engine: Engine) -> None:
        engine.error = DialFailed("no")
        self.ask(pool)
        pool.sweep(time.monotonic() + REFUSED_SECONDS)
        assert not pool._refused

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (DialFailed("nothing in rb-secret"), DialFailed),
            (EngineUnreachable("at rb-secret"), DialFailed),
            (StartFailed("rb-secret ended", log="rb-secret says"), DialFailed),
            (WorkspaceStopped("rb-secret is paused"), WorkspaceStopped),
        ],
    )
    def test_nobody_is_told_what_the_engine_says(
        self, pool: Pool, engine: Engine, error: RootBloodError, expected: type[RootBloodError]
    ) -> None:
        engine.error = error
        with pytest.raises(expected) as told:
            pool.dial(TARGET)
        assert type(told.value) is expected
        assert "rb-secret" not in f"{told.value} {told.value.hint} {vars(told.value)}"
        assert told.value.__suppress_context__
