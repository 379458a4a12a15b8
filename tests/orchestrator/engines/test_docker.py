"""What only the real engine does; the contract's part is in ``test_conformance.py``."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import docker.errors
import pytest
from docker import APIClient

from orchestrator.engines import Feature, Phase, Usage
from orchestrator.engines import docker as docker_module
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_spec import DIGEST_LABEL, INSTANCE_LABEL
from orchestrator.errors import DialFailed, EngineError, EngineUnreachable, StartFailed
from orchestrator.spec import Mount, Spec
from tests.orchestrator.engines.containers import ECHO_SERVER, eventually

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


class TestRunDirectory:
    def test_survives_a_stop_and_goes_with_the_container(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        spec = sleeper()
        path = docker_engine._run_dirs.path(spec.name)
        docker_engine.run(spec)
        assert docker_engine.exec(spec.name, ["touch", "/run/rootblood/x"]).exit_code == 0
        docker_engine.stop(spec.name, grace=1)
        assert (path / "x").exists()
        docker_engine.run(spec)
        assert (path / "x").exists()
        docker_engine.remove(spec.name)
        assert not path.exists()

    def test_a_replaced_container_starts_with_an_empty_one(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        docker_engine.run(sleeper())
        docker_engine.exec(sleeper().name, ["touch", "/run/rootblood/x"])
        docker_engine.run(sleeper(user=(20002, 20002)))
        shown = docker_engine.exec(sleeper().name, ["ls", "-A", "/run/rootblood"])
        assert shown.stdout == b""


class TestDial:
    @pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
    @pytest.mark.parametrize("network", [True, False])
    def test_reaches_a_port_whatever_it_listens_on(
        self, docker_engine: DockerEngine, sleeper: Sleeper, address: str, network: bool
    ) -> None:
        server = ("python3", "-m", "http.server", "8000", "--bind", address, "--directory", "/tmp")
        docker_engine.run(sleeper(entrypoint=server, network=network))
        stream = docker_engine.dial(sleeper().name, 8000, timeout=20)
        try:
            stream.settimeout(5)
            stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert stream.recv(8) == b"HTTP/1.0"
        finally:
            stream.close()

    def test_never_ends_up_on_the_host(self, docker_engine: DockerEngine, sleeper: Sleeper) -> None:
        import socket

        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0)
            docker_engine.run(sleeper())
            with pytest.raises(DialFailed):
                docker_engine.dial(sleeper().name, listener.getsockname()[1], timeout=0.2)
            with pytest.raises(BlockingIOError):
                listener.accept()

    def test_a_replaced_socket_is_refused(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        spec = sleeper(sockets=((7681, "ttyd.sock"),))
        docker_engine.run(spec)
        link = ["ln", "-s", "/var/run/docker.sock", "/run/rootblood/ttyd.sock"]
        assert docker_engine.exec(spec.name, link).exit_code == 0
        with pytest.raises(DialFailed, match="not a socket"):
            docker_engine.dial(spec.name, 7681)

    def test_another_server_process_knows_the_way(
        self, docker_engine: DockerEngine, make_engine: Callable[..., DockerEngine],
        sleeper: Sleeper,
    ) -> None:  # fmt: skip
        spec = sleeper(sockets=((7000, "echo.sock"),), entrypoint=("python3", "-c", ECHO_SERVER))
        docker_engine.run(spec)
        make_engine().dial(spec.name, 7000).close()


class TestObserving:
    def test_usage_falls_back_to_the_engines_statistics(
        self, docker_engine: DockerEngine, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        docker_engine.run(sleeper())
        direct = docker_engine.usage(sleeper().name)
        docker_engine._forget(sleeper().name)
        monkeypatch.setattr(docker_module.cgroups, "locate", lambda *_: None)
        remote = docker_engine.usage(sleeper().name)
        assert isinstance(direct, Usage)
        assert isinstance(remote, Usage)
        assert remote.pids == direct.pids
        assert abs(remote.memory_bytes - direct.memory_bytes) < 4 << 20

    def test_usage_counts(self, docker_engine: DockerEngine, sleeper: Sleeper) -> None:
        docker_engine.run(sleeper())
        before = docker_engine.usage(sleeper().name)
        burn = "import time; t = time.process_time()\nwhile time.process_time() < t + .3: pass"
        docker_engine.exec(sleeper().name, ["python3", "-c", burn])
        after = docker_engine.usage(sleeper().name)
        assert before is not None
        assert after is not None
        assert after.cpu_seconds - before.cpu_seconds >= 0.3

    def test_usage_of_a_restarted_container_is_its_own(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        docker_engine.run(sleeper())
        assert docker_engine.usage(sleeper().name)
        docker_engine.stop(sleeper().name, grace=1)
        docker_engine.run(sleeper())
        assert docker_engine.usage(sleeper().name)

    def test_logs_hold_no_control_characters(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        script = (
            r"printf '\033[31mred\033[0m \033]0;title\007 a\tb\r\n\000bell\007 é\n'; sleep 1000"
        )
        docker_engine.run(sleeper(entrypoint=("sh", "-c", script)))
        shown = eventually(lambda: docker_engine.logs(sleeper().name))
        assert shown == "red  a\tb\nbell é\n"

    def test_watch_ends_with_an_error_when_the_engine_goes_away(self, tmp_path: Path) -> None:
        path = tmp_path / "proxy.sock"
        with _Proxy(path) as proxy:
            engine = DockerEngine(f"unix://{path}", instance="rb-none", enforce_egress=False)
            changes = engine.watch()
            proxy.cut()
            with pytest.raises(EngineUnreachable):
                next(changes)
            engine.close()


class _Proxy:
    """Stands between an engine and its client, until it is cut."""

    def __init__(self, path: Path) -> None:
        import socket

        self._socket = socket
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "_Proxy":
        self._start(self._accept)
        return self

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        try:
            while True:
                client, _ = self._listener.accept()
                server = self._socket.socket(self._socket.AF_UNIX)
                server.connect("/var/run/docker.sock")
                self._pairs.append((client, server))
                self._start(self._copy, client, server)
                self._start(self._copy, server, client)
        except OSError:
            pass

    def _copy(self, source: "socket.socket", target: "socket.socket") -> None:  # noqa: F821
        try:
            while chunk := source.recv(65536):
                target.sendall(chunk)
        except OSError:
            pass

    def cut(self) -> None:
        for one in (one for pair in self._pairs for one in pair):
            one.shutdown(self._socket.SHUT_RDWR)

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(self._socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
        for one in (one for pair in self._pairs for one in pair):
            one.close()


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


@pytest.mark.slow
def test_everything_works_on_patched_sockets(docker_engine: DockerEngine, sleeper: Sleeper) -> None:
    """The server patches the standard library before it imports anything."""
    spec = sleeper(sockets=((7000, "echo.sock"),), entrypoint=("python3", "-c", ECHO_SERVER))
    program = textwrap.dedent(
        f"""
        from gevent import monkey, pool
        monkey.patch_all()
        import threading, time
        from pathlib import Path
        from orchestrator.engines.docker import DockerEngine
        from orchestrator.spec import *
        engine = DockerEngine({docker_engine._client.url!r}, instance={docker_engine._instance!r},
                              run_root=Path({str(docker_engine._run_dirs._root)!r}))
        spec = {spec!r}
        assert len(set(pool.Pool(50).map(engine.run, [spec] * 50))) == 1
        stream = engine.dial(spec.name, 7000)
        stream.sendall(b"x" * 10); assert stream.recv(10) == b"x" * 10; stream.close()
        def one(number):
            data = b"%d" % number * 100_000
            assert engine.exec(spec.name, ["cat"], stdin=data).stdout == data
        ticks = []
        ticker = threading.Thread(target=lambda: [ticks.append(time.sleep(.01)) for _ in range(50)])
        ticker.start()
        pool.Pool(10).map(one, range(10))
        ticker.join()
        process = engine.spawn(spec.name, ["sleep", "1000"]); process.close()
        try:
            engine.dial(spec.name, 8000, timeout=.1)
        except Exception as error:
            assert "8000" in str(error), error
        assert engine.usage(spec.name).pids
        engine.stop(spec.name, grace=1); engine.remove(spec.name); engine.close()
        print("done")
        """
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(docker_module.__file__).parents[2])},
    )
    assert done.stdout == "done\n", done.stderr
    assert time.monotonic() - began < 90
