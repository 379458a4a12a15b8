"""Programs of a workspace against the commands that the server runs next to them."""

import socket
import threading
import time
from collections.abc import Callable

import pytest

from orchestrator.engines import Phase, docker_exec, stuck
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_stream import ExecProcess
from orchestrator.errors import EngineError
from orchestrator.spec import Spec
from tests.orchestrator.engines.containers import eventually

Hostile = Callable[..., Spec]

STOP_EVERY_NEWCOMER = """
import os, signal
print("ready", flush=True)
while True:
    for pid in range(2, 400):
        if pid != os.getpid():
            try: os.kill(pid, signal.SIGSTOP)
            except OSError: pass  # nobody, or root still
"""
KEEP_STREAMS_OPEN = """
import os, socket, array
where = f"/tmp/tmux-{os.getuid()}"
os.makedirs(where, mode=0o700)
listener = socket.socket(socket.AF_UNIX)
listener.bind(where + "/default")
listener.listen(100)
print("ready", flush=True)
held = []
while True:
    client, _ = listener.accept()
    held.append(client)
    for _ in range(8):
        data, ancillary, *_ = client.recvmsg(65536, socket.CMSG_SPACE(64))
        if not data: break
        for _, _, found in ancillary:
            held.append(found)
        if len(held) > 3: break
"""


def caught(engine: DockerEngine, name: str) -> str:
    """Run commands until one is caught by the program in there; return what the server says."""

    def attempt() -> str:
        try:
            engine.exec(name, ["true"], timeout=5.0)
        except EngineError as error:
            return str(error)
        return ""

    return str(eventually(attempt, 60))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_exec, "_START_SECONDS", 3.0)


@pytest.mark.engine
@pytest.mark.usefixtures("impatient")
def test_a_command_that_is_stopped_before_it_starts_does_not_hold_the_container(
    docker_engine: DockerEngine, hostile: Hostile
) -> None:
    spec = hostile(STOP_EVERY_NEWCOMER)
    docker_engine.run(spec)
    eventually(lambda: "ready" in docker_engine.logs(spec.name))
    assert caught(docker_engine, spec.name)
    # Without the release, inspecting and stopping would wait for ever.
    began = time.monotonic()
    assert docker_engine.inspect(spec.name).phase is Phase.RUNNING
    docker_engine.stop(spec.name, grace=1.0)
    assert docker_engine.inspect(spec.name).phase in (Phase.STOPPED, Phase.FAILED)
    assert time.monotonic() - began < 20


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.usefixtures("impatient")
def test_a_container_that_spoils_commands_is_left_alone_until_it_is_started_again(
    docker_engine: DockerEngine, hostile: Hostile
) -> None:
    spec = hostile(STOP_EVERY_NEWCOMER)
    docker_engine.run(spec)
    eventually(lambda: "ready" in docker_engine.logs(spec.name))
    assert "in time" in caught(docker_engine, spec.name)
    with pytest.raises(EngineError, match="keeps commands from running"):
        docker_engine.exec(spec.name, ["true"])
    docker_engine.stop(spec.name, grace=0.0)
    docker_engine.run(spec)
    assert "in time" in caught(docker_engine, spec.name)  # it was tried again


@pytest.mark.engine
def test_an_ordinary_long_command_spoils_nothing(
    docker_engine: DockerEngine, hostile: Hostile
) -> None:
    spec = hostile("import time; time.sleep(1000)")
    docker_engine.run(spec)
    with pytest.raises(EngineError, match="did not end"):
        docker_engine.exec(spec.name, ["sleep", "1000"], timeout=0.3)
    assert docker_engine.exec(spec.name, ["true"]).exit_code == 0


@pytest.mark.engine
def test_only_what_the_engine_started_is_released(
    docker_engine: DockerEngine, hostile: Hostile
) -> None:
    child = "import os, signal, time; os.fork() or os.kill(os.getpid(), signal.SIGSTOP); "
    spec = hostile(child + "print('ready', flush=True); time.sleep(1000)")
    docker_engine.run(spec)
    eventually(lambda: "ready" in docker_engine.logs(spec.name))
    shown = docker_engine.exec(spec.name, ["ps", "-eo", "stat="]).stdout.decode()
    assert any(line.startswith("T") for line in shown.split())
    assert stuck.release(docker_engine._id(spec.name)) == 0


@pytest.mark.slow
@pytest.mark.engine
def test_streams_that_others_keep_open_do_not_keep_the_server_waiting(
    docker_engine: DockerEngine, hostile: Hostile
) -> None:
    spec = hostile(KEEP_STREAMS_OPEN)
    docker_engine.run(spec)
    eventually(lambda: "ready" in docker_engine.logs(spec.name))
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(EngineError):
            docker_engine.exec(spec.name, ["tmux", "list-sessions"], timeout=1.0)
    docker_engine.stop(spec.name, grace=1.0)
    assert time.monotonic() - began < 45


@pytest.mark.parametrize("kind", [1, 2])
def test_what_floods_a_command_before_it_starts_is_not_kept(kind: int) -> None:
    ours, theirs = socket.socketpair()
    process = ExecProcess(ours, b"", exit_code=lambda: 0, kill=lambda _: None)
    frame = bytes([kind, 0, 0, 0]) + (1 << 30).to_bytes(4)  # of which we send what is taken
    theirs.settimeout(20)
    theirs.sendall(frame)

    def flood() -> None:
        try:
            while True:
                theirs.sendall(b"A" * 65536)
        except OSError:
            pass

    flooder = threading.Thread(target=flood)
    flooder.start()
    with pytest.raises(EngineError, match="too much"):
        process.await_leader()
    process.close()
    flooder.join(20)
    theirs.close()


@pytest.mark.parametrize("said", [b"9" * 5000, b"12345678901", b"-1", b"\xb2"])
def test_a_process_id_that_is_none_is_refused(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(bytes([2, 0, 0, 0]) + (len(said) + 1).to_bytes(4) + said + b"\n")
    process = ExecProcess(ours, b"", exit_code=lambda: 0, kill=lambda _: None)
    with pytest.raises(EngineError, match="could not be started"):
        process.await_leader()
    process.close()
