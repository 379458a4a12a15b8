"""Running commands in a container, and ending them for certain.

The engine lets an exec'd command outlive its stream and offers no way to end one, so the group of
processes is killed: from this side where its processes are visible (which works however many
processes the container already has), else by a second exec.

A command meets hostile company: other processes of the user may stop it before it has started (see
stuck.py), or keep its streams open after its end, and then the engine starts no other in that
container. So a container starts one command at a time, each has a deadline, and one that spoilt a
command is left alone for a while.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import docker.errors

from orchestrator.engines import Result, stuck
from orchestrator.engines.docker_client import LazyClient
from orchestrator.engines.docker_errors import translating
from orchestrator.engines.docker_stream import ExecProcess, dial_engine, start_exec, wrapped
from orchestrator.errors import EngineError, RootBloodError, WorkspaceStopped

_OUTPUT_LIMIT = 4 * 2**20  # a hostile command must not fill the server's memory
_START_SECONDS = 10.0
_EXIT_SECONDS = 5.0
_BRIEF_SECONDS = 10  # what the engine answers at once, unless something is wrong
_SPOILT_SECONDS = 30.0  # each spoilt command costs the engine seven descriptors until the stop
_KNOWN = 1024
_log = logging.getLogger(__name__)


class Commands:
    """Starts commands in containers of one daemon."""

    def __init__(self, client: LazyClient) -> None:
        self._client = client
        self._brief = LazyClient(client.url, seconds=_BRIEF_SECONDS)
        self._turns: dict[str, threading.Lock] = {}
        self._spoilt: dict[str, float] = {}

    def close(self) -> None:
        """Close the connections to the daemon."""
        self._brief.close()

    def spawn(self, container_id: str, argv: Sequence[str]) -> ExecProcess:
        """Start ``argv`` with its streams attached. See :meth:`Engine.spawn`."""
        deadline = time.monotonic() + _START_SECONDS

        def left() -> float:
            return max(0.001, deadline - time.monotonic())

        with self._turn(container_id, left()):
            client = self._brief()
            with translating(), _stopped():
                created = client.exec_create(container_id, wrapped(argv), stdin=True)
            exec_id = str(created["Id"])
            connection = dial_engine(self._client.url, timeout=left())
            try:
                held = start_exec(connection, client.api_version, exec_id)
                process = ExecProcess(
                    connection,
                    held,
                    exit_code=lambda: self._exit_code(exec_id),
                    kill=lambda leader: self._kill(container_id, exec_id, leader),
                )
                process.await_leader(left)
                process.settimeout(None)
            except BaseException as error:
                connection.close()
                if time.monotonic() < deadline:
                    raise
                if stuck.release(container_id):
                    self._note_spoilt(container_id, "stopped before it started")
                raise EngineError("The command could not be started in time") from error
        return process

    def exec(
        self, container_id: str, argv: Sequence[str], *, stdin: bytes, timeout: float
    ) -> Result:
        """Run ``argv`` to its end. See :meth:`Engine.exec`."""
        deadline = time.monotonic() + timeout
        process = self.spawn(container_id, argv)
        # A thread: a command may write much before it reads all of its input.
        feeder = threading.Thread(target=_feed, args=(process, stdin), daemon=True)
        feeder.start()
        try:
            return process.collect(_OUTPUT_LIMIT, lambda: deadline - time.monotonic())
        except TimeoutError as error:
            raise EngineError(
                f"The command did not end within {timeout:g} seconds",
                log=process.stderr.decode(errors="replace"),
            ) from error
        finally:
            process.close()
            feeder.join()

    @contextmanager
    def _turn(self, container_id: str, patience: float) -> Iterator[None]:
        """Start one command at a time. Raises: EngineError."""
        if time.monotonic() < self._spoilt.get(container_id, 0.0):
            raise EngineError(
                "A program in the workspace keeps commands from running",
                hint="End it, or restart the workspace.",
            )
        if len(self._turns) > _KNOWN:
            self._turns = {one: turn for one, turn in self._turns.items() if turn.locked()}
        turn = self._turns.setdefault(container_id, threading.Lock())
        if not turn.acquire(timeout=patience):
            raise EngineError("Too many commands are waiting to be run in the workspace")
        try:
            yield
        finally:
            turn.release()

    def forgive(self, container_id: str) -> None:
        """Run commands again at once: the container has just been started."""
        self._spoilt.pop(container_id, None)

    def _note_spoilt(self, container_id: str, how: str) -> None:
        now = time.monotonic()
        self._spoilt = {one: until for one, until in self._spoilt.items() if until > now}
        self._spoilt[container_id] = now + _SPOILT_SECONDS
        _log.info("exec.spoilt", extra={"container": container_id, "how": how})

    def _exit_code(self, exec_id: str) -> int:
        """Return the exit code of a command whose output has ended."""
        deadline = time.monotonic() + _EXIT_SECONDS
        while True:
            with translating():
                info = self._brief().exec_inspect(exec_id)
            if not info["Running"] and info["ExitCode"] is not None:
                return int(info["ExitCode"])
            if time.monotonic() > deadline:
                raise EngineError("The command closed its output but goes on running")
            time.sleep(0.005)

    def _kill(self, container_id: str, exec_id: str, leader: int) -> None:
        """Kill the group of ``leader``, a process id inside the container."""
        try:
            with translating():
                pid = int(self._brief().exec_inspect(exec_id)["Pid"])
            if not _kill_group(pid, container_id):
                with translating():
                    client = self._brief()
                    script = ["/bin/sh", "-c", 'kill -s KILL -- "-$0"', str(leader)]
                    client.exec_start(client.exec_create(container_id, script)["Id"])
            # The engine waits for the end of the streams too, which others may hold.
            self._exit_code(exec_id)
        except RootBloodError as error:
            # Most often the container has ended, and the command with it.
            self._note_spoilt(container_id, "not ended")
            _log.info("exec.kill_failed", extra={"container": container_id, "error": str(error)})


def _kill_group(pid: int, container_id: str) -> bool:
    """Kill the group that process ``pid`` of this machine leads, if it is the container's."""
    try:
        if container_id not in Path(f"/proc/{pid}/cgroup").read_text():
            return False
        if os.getpgid(pid) != pid:
            return False
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


def _feed(process: ExecProcess, data: bytes) -> None:
    try:
        if data:
            process.write(data)
        process.end_input()
    except OSError:
        pass  # the command ended without reading all of it: its exit code tells


@contextmanager
def _stopped() -> Iterator[None]:
    """Raise WorkspaceStopped where the engine says that the container does not run."""
    try:
        yield
    except docker.errors.NotFound as error:
        raise WorkspaceStopped() from error
    except docker.errors.APIError as error:
        if error.status_code == 409:
            raise WorkspaceStopped() from error
        raise
