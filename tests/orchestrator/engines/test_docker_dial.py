"""The ways into a container that only the real engine has, and the directory they lie in."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator.engines.docker import DockerEngine
from orchestrator.errors import DialFailed, WorkspaceStopped
from orchestrator.spec import Spec
from tests.orchestrator.engines.containers import ECHO_SERVER

pytestmark = pytest.mark.engine

Sleeper = Callable[..., Spec]


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

    def test_an_address_that_another_container_has_by_now_is_not_dialled(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        """As when another server process stopped the workspace."""
        server = ("python3", "-m", "http.server", "8000", "--directory", "/tmp")
        ended, other = sleeper("ended"), sleeper("other", entrypoint=server)
        for spec in (ended, other):
            docker_engine.run(spec)
        docker_engine.dial(other.name, 8000, timeout=20).close()
        ways = docker_engine._dialer
        before, theirs = ways.door(ended.name), ways.door(other.name)
        assert before is not None
        assert theirs is not None
        docker_engine.stop(ended.name, grace=0)
        ways._doors[ended.name] = replace(before, address=theirs.address)
        with pytest.raises(WorkspaceStopped):
            docker_engine.dial(ended.name, 8000, timeout=5)

    def test_a_look_at_a_port_on_which_nothing_listens_is_no_question_to_the_engine(
        self, docker_engine: DockerEngine, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = docker_engine.run(sleeper()).name
        asked, find = [], docker_engine._dialer._find
        monkeypatch.setattr(
            docker_engine._dialer, "_find", lambda name: asked.append(name) or find(name)
        )
        for _ in range(3):
            with pytest.raises(DialFailed):
                docker_engine.dial(name, 9, timeout=0.02)
        assert asked == [name]

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
