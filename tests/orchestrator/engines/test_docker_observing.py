"""What the real engine tells of a container, and when it stops telling."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.engines import Usage, docker_reading
from orchestrator.engines.docker import DockerEngine
from orchestrator.errors import EngineUnreachable
from orchestrator.spec import Spec
from tests.orchestrator.engines.containers import eventually

pytestmark = pytest.mark.engine

Sleeper = Callable[..., Spec]


class TestObserving:
    def test_usage_falls_back_to_the_engines_statistics(
        self, docker_engine: DockerEngine, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        docker_engine.run(sleeper())
        direct = docker_engine.usage(sleeper().name)
        docker_engine._forget(sleeper().name)
        monkeypatch.setattr(docker_reading.cgroups, "locate", lambda *_: None)
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
