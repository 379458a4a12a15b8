"""What every engine promises, sentence by sentence of ``orchestrator/engines/__init__.py``."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from orchestrator.engines import Engine, Feature, Phase, Status
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.memory import MemoryEngine
from orchestrator.errors import (
    EngineUnreachable,
    ImageMissing,
    StartFailed,
    WorkspaceStopped,
)
from orchestrator.spec import Spec
from tests.orchestrator.engines.containers import ECHO_PORT, LIMITS, eventually

Make = Callable[..., Spec]


class TestRun:
    def test_starts_what_the_spec_describes(self, engine: Engine, make: Make) -> None:
        spec = make()
        status = engine.run(spec)
        assert status.phase is Phase.RUNNING
        assert status.name == spec.name
        assert status.digest == spec.digest()
        assert status.started_at is not None
        assert abs(status.started_at.timestamp() - time.time()) < 60
        assert engine.inspect(spec.name) == status

    def test_leaves_a_running_container_alone(self, engine: Engine, make: Make) -> None:
        first = engine.run(make())
        assert engine.run(make()) == first

    def test_starts_a_stopped_one(self, engine: Engine, make: Make) -> None:
        spec = make()
        first = engine.run(spec)
        engine.stop(spec.name, grace=1)
        again = engine.run(spec)
        assert again.phase is Phase.RUNNING
        assert again.started_at != first.started_at

    @pytest.mark.parametrize("change", ["limits", "environment"])
    def test_replaces_one_with_another_digest(
        self, engine: Engine, make: Make, change: str
    ) -> None:
        changed = {
            "limits": replace(LIMITS, pids=65),
            "environment": (("A", "b"),),
        }[change]
        old = engine.run(make())
        new = engine.run(make(**{change: changed}))
        assert new.digest == make(**{change: changed}).digest() != old.digest
        assert [status.name for status in engine.census()] == [make().name]

    def test_names_the_missing_image(self, engine: Engine, make: Make) -> None:
        with pytest.raises(ImageMissing, match="rootblood/no-such-image:1"):
            engine.run(make(image="rootblood/no-such-image:1"))
        assert engine.inspect(make().name).phase is Phase.ABSENT

    def test_a_container_that_ends_at_once_is_told_with_its_last_words(
        self, engine: Engine, make: Make
    ) -> None:
        spec = make(entrypoint=("sh", "-c", "echo because of me; exit 3"))

        def start() -> None:
            engine.run(spec)
            # One that lives just long enough to be seen running is told by the first dial.
            engine.dial(spec.name, ECHO_PORT)

        with pytest.raises(StartFailed) as told:
            start()
        assert "because of me" in told.value.log
        status = engine.inspect(spec.name)
        assert (status.phase, status.exit_code) == (Phase.FAILED, 3)
        assert "3" in status.reason

    def test_fifty_at_once_make_one_container_each(self, engine: Engine, make: Make) -> None:
        specs = [make(f"n{number}") for number in range(10)]
        with ThreadPoolExecutor(50) as pool:
            statuses = list(pool.map(engine.run, specs * 5))
        assert {status.phase for status in statuses} == {Phase.RUNNING}
        assert len({(status.name, status.started_at) for status in statuses}) == 10
        assert sorted(status.name for status in engine.census()) == sorted(
            spec.name for spec in specs
        )


class TestStop:
    def test_stops(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        engine.stop(make().name, grace=2)
        status = engine.inspect(make().name)
        assert status.phase is Phase.STOPPED
        assert status.exit_code is not None
        assert status.digest == make().digest()

    def test_absent_or_stopped_is_success(self, engine: Engine, make: Make) -> None:
        engine.stop(make().name)
        engine.run(make())
        engine.stop(make().name, grace=1)
        engine.stop(make().name)
        assert engine.inspect(make().name).phase is Phase.STOPPED

    def test_stops_a_paused_one(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        engine.pause(make().name)
        engine.stop(make().name, grace=1)
        assert engine.inspect(make().name).phase is Phase.STOPPED


class TestPause:
    def test_pauses_and_run_resumes_without_a_restart(self, engine: Engine, make: Make) -> None:
        assert Feature.PAUSE in engine.features
        first = engine.run(make())
        engine.pause(make().name)
        assert engine.inspect(make().name).phase is Phase.PAUSED
        engine.pause(make().name)
        assert engine.run(make()) == first

    def test_a_paused_one_cannot_be_reached(self, engine: Engine, echoing: Spec) -> None:
        engine.run(echoing)
        engine.dial(echoing.name, ECHO_PORT).close()
        engine.pause(echoing.name)
        with pytest.raises(WorkspaceStopped):
            engine.dial(echoing.name, ECHO_PORT)
        with pytest.raises(WorkspaceStopped):
            engine.exec(echoing.name, ["true"])


class TestRemove:
    def test_removes_running_or_not(self, engine: Engine, make: Make) -> None:
        engine.run(make("up"))
        engine.run(make("down"))
        engine.stop(make("down").name, grace=1)
        for name in ("up", "down"):
            engine.remove(make(name).name)
            assert engine.inspect(make(name).name).phase is Phase.ABSENT
        assert list(engine.census()) == []

    def test_absent_is_success(self, engine: Engine, make: Make) -> None:
        engine.remove(make().name)
        engine.run(make())
        engine.remove(make().name)
        engine.remove(make().name)

    def test_ten_at_once_succeed(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(engine.remove, [make().name] * 10))
        assert engine.inspect(make().name).phase is Phase.ABSENT


class TestInspectAndCensus:
    def test_missing_is_absent(self, engine: Engine, make: Make) -> None:
        status = engine.inspect(make().name)
        assert (status.name, status.phase) == (make().name, Phase.ABSENT)

    def test_census_sees_every_phase(self, engine: Engine, make: Make) -> None:
        for name in ("up", "down", "frozen"):
            engine.run(make(name))
        engine.stop(make("down").name, grace=1)
        engine.pause(make("frozen").name)
        seen = {status.name: status for status in engine.census()}
        assert {name: status.phase for name, status in seen.items()} == {
            make("up").name: Phase.RUNNING,
            make("down").name: Phase.STOPPED,
            make("frozen").name: Phase.PAUSED,
        }
        assert seen[make("up").name].digest == make("up").digest()


class TestUsageAndLogs:
    def test_usage_of_a_running_container(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        usage = engine.usage(make().name)
        assert usage is not None
        assert 0 < usage.memory_bytes < LIMITS.memory_bytes
        assert 1 <= usage.pids <= LIMITS.pids
        again = engine.usage(make().name)
        assert again is not None
        assert again.cpu_seconds >= usage.cpu_seconds

    def test_usage_of_one_that_does_not_run_is_none(self, engine: Engine, make: Make) -> None:
        assert engine.usage(make().name) is None
        engine.run(make())
        assert engine.usage(make().name) is not None
        engine.stop(make().name, grace=1)
        assert engine.usage(make().name) is None

    def test_logs_are_the_last_lines(self, engine: Engine, make: Make) -> None:
        script = "echo one; echo two >&2; echo three; exec sleep 1000"
        engine.run(make(entrypoint=("sh", "-c", script)))
        deadline = time.monotonic() + 5
        while "three" not in engine.logs(make().name):
            assert time.monotonic() < deadline
        assert sorted(engine.logs(make().name).split()) == ["one", "three", "two"]
        assert len(engine.logs(make().name, lines=1).split()) == 1

    def test_logs_of_an_absent_container_are_empty(self, engine: Engine, make: Make) -> None:
        assert engine.logs(make().name) == ""


class TestWatch:
    def test_tells_every_change_from_the_call_on(self, engine: Engine, make: Make) -> None:
        changes = engine.watch()
        seen: list[Status] = []

        def follow() -> None:
            while (status := next(changes)).phase is not Phase.ABSENT:
                seen.append(status)

        def told(phase: Phase) -> bool:
            return any((one.name, one.phase) == (make().name, phase) for one in seen)

        follower = threading.Thread(target=follow)
        follower.start()
        engine.run(make())
        eventually(lambda: told(Phase.RUNNING))
        engine.pause(make().name)
        eventually(lambda: told(Phase.PAUSED))
        engine.stop(make().name, grace=1)
        eventually(lambda: told(Phase.STOPPED))
        engine.remove(make().name)
        follower.join(10)
        assert not follower.is_alive(), "removal is told as absence"
        changes.close()  # type: ignore[attr-defined]

    def test_two_watchers_see_the_same(self, engine: Engine, make: Make) -> None:
        watchers = [engine.watch(), engine.watch()]
        engine.run(make())
        assert [next(one).name for one in watchers] == [make().name] * 2
        for one in watchers:
            one.close()  # type: ignore[attr-defined]

    def test_a_lost_engine_ends_it(self) -> None:
        engine = MemoryEngine()
        changes = engine.watch()
        engine.reachable = False
        with pytest.raises(EngineUnreachable):
            next(changes)


class TestPrepareAndImages:
    def test_preparing_twice_is_success(self, engine: Engine, make: Make) -> None:
        engine.prepare()
        engine.prepare()
        engine.verify()
        assert engine.run(make()).phase is Phase.RUNNING

    def test_images_are_those_that_can_be_run(self, engine: Engine, make: Make) -> None:
        assert make().image in engine.images()
        assert "rootblood/no-such-image:1" not in engine.images()


@pytest.fixture(params=["memory", "docker"])
def lost_engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "docker":
        return DockerEngine("unix:///nowhere/docker.sock", enforce_egress=False)
    engine = MemoryEngine()
    engine.reachable = False
    return engine


@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.inspect("rb-x"),
        lambda engine: engine.run(Spec("rb-x", "chaospine:1.0.0", (1, 1), LIMITS)),
        lambda engine: engine.stop("rb-x"),
        lambda engine: engine.pause("rb-x"),
        lambda engine: engine.remove("rb-x"),
        lambda engine: list(engine.census()),
        lambda engine: engine.exec("rb-x", ["true"]),
        lambda engine: engine.spawn("rb-x", ["true"]),
        lambda engine: engine.dial("rb-x", 1, timeout=0.1),
        lambda engine: engine.listeners("rb-x"),
        lambda engine: engine.usage("rb-x"),
        lambda engine: engine.logs("rb-x"),
        lambda engine: engine.prepare(),
        lambda engine: next(engine.watch()),
        lambda engine: engine.images(),
    ],
)
def test_no_answer_is_never_taken_for_a_state(
    lost_engine: Engine, call: Callable[[Engine], object]
) -> None:
    with pytest.raises(EngineUnreachable):
        call(lost_engine)
