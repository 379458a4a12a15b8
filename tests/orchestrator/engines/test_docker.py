"""What only the real engine does; the contract's part is in ``test_conformance.py``."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import docker.errors
import pytest
from docker import APIClient

from orchestrator.engines import Feature, Phase
from orchestrator.engines import docker as docker_module
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_spec import DIGEST_LABEL, INSTANCE_LABEL
from orchestrator.errors import EngineError, StartFailed
from orchestrator.spec import Mount, Spec

pytestmark = pytest.mark.engine

Sleeper = Callable[..., Spec]


class TestRun:
    def test_two_processes_make_one_container(
        self, docker_engine: DockerEngine, docker_client: APIClient, sleeper: Sleeper
    ) -> None:
        spec = sleeper()
        program = textwrap.dedent(
            f"""
            import sys
            from pathlib import Path
            from concurrent.futures import ThreadPoolExecutor
            from orchestrator.engines.docker import DockerEngine
            from orchestrator.spec import *
            engine = DockerEngine({docker_engine._client.url!r},
                                  instance={docker_engine._instance!r},
                                  run_root=Path({str(docker_engine._run_dirs._root)!r}))
            print("ready", flush=True)
            sys.stdin.readline()
            with ThreadPoolExecutor(25) as pool:
                print(len(set(pool.map(engine.run, [{spec!r}] * 25))))
            engine.close()
            """
        )
        others = [
            subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
        found = []
        for other in others:
            assert other.stdin is not None
            other.stdin.write("go\n")
            other.stdin.flush()
        for other in others:
            found.append(other.communicate(timeout=60)[0])
            assert other.returncode == 0
        assert found == ["1\n", "1\n"]
        mounted = Path("/proc/self/mountinfo").read_text().count(f"/{spec.name} ")
        assert mounted == 1, "one run directory"

    def test_racing_with_removal_ends_well(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        spec = sleeper()
        errors: list[Exception] = []

        def often(act: Callable[[], object]) -> None:
            try:
                for _ in range(5):
                    act()
            except Exception as error:  # noqa: BLE001, RUF100
                errors.append(error)

        threads = [
            threading.Thread(target=often, args=(act,))
            for act in (
                lambda: docker_engine.run(spec),
                lambda: docker_engine.run(replace(spec, hostname="other")),
                lambda: docker_engine.remove(spec.name),
            )
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert docker_engine.run(spec).digest == spec.digest()

    def test_a_rebuilt_image_reaches_a_stopped_container_but_not_a_running_one(
        self, docker_engine: DockerEngine, docker_client: APIClient, sleeper: Sleeper, run_id: str
    ) -> None:
        name = f"rb-{run_id}-image"
        docker_client.tag("chaospine:1.0.0", name, tag="1")
        spec = sleeper(image=f"{name}:1")
        try:
            docker_engine.run(spec)
            before = docker_client.inspect_container(spec.name)["Id"]
            docker_client.commit(before, name, tag="1")  # another image under the same name
            docker_engine.run(spec)
            assert docker_client.inspect_container(spec.name)["Id"] == before
            docker_engine.stop(spec.name)
            docker_engine.run(spec)
            after = docker_client.inspect_container(spec.name)
            assert after["Id"] != before
            assert after["Image"] == docker_client.inspect_image(spec.image)["Id"]
            docker_engine.stop(spec.name)
            docker_client.remove_image(spec.image, force=True)
            docker_engine.run(spec)  # what it was made from is still there
            assert docker_client.inspect_container(spec.name)["Id"] == after["Id"]
        finally:
            docker_engine.remove(spec.name)
            for image in docker_client.images(name):
                docker_client.remove_image(image["Id"], force=True)

    def test_a_container_of_somebody_else_is_left_alone(
        self, docker_engine: DockerEngine, docker_client: APIClient, sleeper: Sleeper
    ) -> None:
        spec = sleeper("foreign")
        labels = {INSTANCE_LABEL: docker_engine._instance + "-x", DIGEST_LABEL: spec.digest()}
        made = docker_client.create_container(
            spec.image, entrypoint="/bin/sleep", command="1", name=spec.name, labels=labels
        )
        with pytest.raises(EngineError, match="did not make") as told:
            docker_engine.run(spec)
        assert told.value.hint
        assert docker_engine.inspect(spec.name).phase is Phase.ABSENT
        docker_engine.stop(spec.name)
        docker_engine.remove(spec.name)
        assert list(docker_engine.census()) == []
        assert docker_client.inspect_container(made["Id"])["State"]["Status"] == "created"

    def test_a_container_that_cannot_be_started_is_told_with_the_reason(
        self, docker_engine: DockerEngine, sleeper: Sleeper, tmp_path: Path
    ) -> None:
        spec = sleeper(mounts=(Mount(str(tmp_path), "/etc/passwd"),))
        with pytest.raises(StartFailed) as told:
            docker_engine.run(spec)
        assert "directory" in told.value.log
        status = docker_engine.inspect(spec.name)
        assert (status.phase, "directory" in status.reason) == (Phase.FAILED, True)
        assert docker_engine.run(sleeper()).phase is Phase.RUNNING

    def test_a_missing_bind_source_is_told_and_not_made(
        self, docker_engine: DockerEngine, sleeper: Sleeper, tmp_path: Path
    ) -> None:
        spec = sleeper(mounts=(Mount(str(tmp_path / "gone"), "/gone"),))
        with pytest.raises(EngineError, match="gone"):
            docker_engine.run(spec)
        assert not (tmp_path / "gone").exists()

    def test_a_lost_network_is_made_again_with_its_rules(
        self, make_engine: Callable[..., DockerEngine], docker_engine: DockerEngine,
        docker_client: APIClient, sleeper: Sleeper,
    ) -> None:  # fmt: skip
        engine = make_engine("lost")
        engine.prepare()
        docker_client.remove_network(engine._instance)
        assert engine.run(sleeper()).phase is Phase.RUNNING

    def test_rules_that_were_flushed_are_back_before_the_next_start(
        self, docker_engine: DockerEngine, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(docker_module, "_RECHECK_SECONDS", 0.0)
        jump = next(
            line for line in _iptables("-S").splitlines() if line.endswith(_jump(docker_engine))
        )
        _iptables("-D", *jump.split()[1:])
        docker_engine.run(sleeper())
        assert jump in _iptables("-S").splitlines()

    def test_a_network_that_does_not_isolate_is_refused(
        self, make_engine: Callable[..., DockerEngine], docker_client: APIClient
    ) -> None:
        engine = make_engine("weak")
        docker_client.create_network(engine._instance, labels={INSTANCE_LABEL: engine._instance})
        with pytest.raises(EngineError, match="apart") as told:
            engine.prepare()
        assert "docker network rm" in told.value.hint


def _iptables(*arguments: str) -> str:
    command = ["iptables", "-w", "5", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _jump(engine: DockerEngine) -> str:
    from orchestrator.engines.docker_network import bridge_name
    from orchestrator.engines.egress import chains

    bridge = bridge_name(engine._instance)
    return chains(engine._instance, bridge, resolvers=(), allow=())[0].jump


def test_features_say_what_the_engine_does(docker_engine: DockerEngine) -> None:
    assert docker_engine.features == set(Feature)
    open_engine = DockerEngine("unix:///x", enforce_egress=False)
    assert Feature.EGRESS_RULES not in open_engine.features


def test_removing_keeps_the_home(
    docker_engine: DockerEngine, docker_client: APIClient, sleeper: Sleeper, run_id: str
) -> None:
    volume = f"home_test_{run_id}"
    docker_client.create_volume(volume, labels={INSTANCE_LABEL: docker_engine._instance})
    docker_engine.run(sleeper(mounts=(Mount(volume, "/home/x", volume=True),)))
    docker_engine.remove(sleeper().name)
    assert docker_client.inspect_volume(volume)
    docker_client.remove_volume(volume)
    with pytest.raises(docker.errors.NotFound):
        docker_client.inspect_volume(volume)
