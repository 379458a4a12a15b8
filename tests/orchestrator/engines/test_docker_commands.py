"""Commands in containers of the real engine: their ends, their user, their output."""

import threading
from collections.abc import Callable

import pytest
from docker import APIClient

from orchestrator.engines.docker import DockerEngine
from orchestrator.errors import EngineError
from orchestrator.spec import Spec
from tests.orchestrator.engines.containers import OWNER, eventually

pytestmark = pytest.mark.engine

Sleeper = Callable[..., Spec]


def commands_in(engine: DockerEngine, client: APIClient, name: str) -> list[str]:
    """Return the command lines of a container's processes, seen from outside."""
    return [row[-1] for row in client.top(name, "-eo pid,args")["Processes"]]


class TestCommands:
    def test_closing_ends_the_command_and_its_children(
        self, docker_engine: DockerEngine, docker_client: APIClient, sleeper: Sleeper
    ) -> None:
        docker_engine.run(sleeper())
        name = sleeper().name
        process = docker_engine.spawn(name, ["sh", "-c", "sleep 2001 & sleep 2002 & sleep 2003"])
        eventually(lambda: "sleep 2002" in commands_in(docker_engine, docker_client, name))
        process.close()
        eventually(
            lambda: (
                not [
                    command
                    for command in commands_in(docker_engine, docker_client, name)
                    if "sleep 200" in command
                ]
            )
        )

    def test_closing_ends_it_by_a_second_exec_where_its_processes_are_out_of_sight(
        self, docker_engine: DockerEngine, docker_client: APIClient, sleeper: Sleeper,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        from orchestrator.engines import docker_exec

        monkeypatch.setattr(docker_exec, "_kill_group", lambda *_: False)
        self.test_closing_ends_the_command_and_its_children(docker_engine, docker_client, sleeper)

    def test_a_reader_that_goes_away_ends_tar(
        self, docker_engine: DockerEngine, docker_client: APIClient, sleeper: Sleeper
    ) -> None:
        docker_engine.run(sleeper())
        name = sleeper().name
        process = docker_engine.spawn(name, ["tar", "-c", "/usr"])
        assert process.read(65536)
        process.close()
        eventually(lambda: "tar" not in " ".join(commands_in(docker_engine, docker_client, name)))

    def test_a_timeout_ends_the_command(
        self, docker_engine: DockerEngine, docker_client: APIClient, sleeper: Sleeper
    ) -> None:
        docker_engine.run(sleeper())
        name = sleeper().name
        with pytest.raises(EngineError):
            docker_engine.exec(name, ["sh", "-c", "sleep 2001; true"], timeout=0.3)
        eventually(lambda: "2001" not in str(commands_in(docker_engine, docker_client, name)))

    def test_closing_works_at_the_limit_of_processes(
        self, docker_engine: DockerEngine, docker_client: APIClient, sleeper: Sleeper
    ) -> None:
        docker_engine.run(sleeper())
        name = sleeper().name
        bomb = (
            "import os, time\n"
            "while True:\n"
            "    try:\n"
            "        if not os.fork(): time.sleep(1000)\n"
            "    except BlockingIOError: print('full', flush=True); time.sleep(1000)\n"
        )
        process = docker_engine.spawn(name, ["python3", "-c", bomb])
        assert process.read(100) == b"full\n"
        process.close()
        assert eventually(lambda: docker_engine.usage(name)).pids <= sleeper().limits.pids
        eventually(lambda: docker_engine.exec(name, ["true"]).exit_code == 0)

    def test_closing_wakes_a_reader_in_another_thread(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        docker_engine.run(sleeper())
        process = docker_engine.spawn(sleeper().name, ["sleep", "1000"])
        read: list[bytes] = []
        reader = threading.Thread(target=lambda: read.append(process.read(10)))
        reader.start()
        process.close()
        reader.join(10)
        assert not reader.is_alive()

    def test_a_command_runs_as_the_workspaces_user(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        docker_engine.run(sleeper())
        assert docker_engine.exec(sleeper().name, ["id", "-u"]).stdout == b"%d\n" % OWNER[0]

    def test_arguments_arrive_as_they_are(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        docker_engine.run(sleeper())
        words = ["a b", "$HOME", "'", '"', "*", "", "-n", "é\n"]
        script = "import sys; sys.stdout.write(repr(sys.argv[1:]))"
        shown = docker_engine.exec(sleeper().name, ["python3", "-c", script, *words])
        assert shown.stdout.decode() == repr(words)

    def test_much_output_is_refused_not_buffered(
        self, docker_engine: DockerEngine, sleeper: Sleeper
    ) -> None:
        docker_engine.run(sleeper())
        with pytest.raises(EngineError, match="more than"):
            docker_engine.exec(sleeper().name, ["cat", "/dev/zero"])
