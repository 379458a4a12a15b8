"""What every engine promises of commands and connections in a container."""

import socket
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator.engines import Engine
from orchestrator.errors import (
    DialFailed,
    EngineError,
    WorkspaceStopped,
)
from orchestrator.spec import Limits, Spec
from tests.orchestrator.engines.containers import ECHO_PORT, LISTEN_PORT, eventually

Make = Callable[..., Spec]


class TestExec:
    def test_returns_output_errors_and_exit_code(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        result = engine.exec(make().name, ["sh", "-c", "echo out; echo err >&2; exit 3"])
        assert (result.exit_code, result.stdout, result.stderr) == (3, b"out\n", b"err\n")

    def test_gives_standard_input_however_much(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        data = bytes(range(256)) * 8192
        assert engine.exec(make().name, ["cat"], stdin=data).stdout == data
        assert engine.exec(make().name, ["cat"]).stdout == b""

    def test_input_that_is_not_read_does_no_harm(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        assert engine.exec(make().name, ["true"], stdin=b"x" * 1_000_000).exit_code == 0

    def test_an_unknown_command_is_127(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        result = engine.exec(make().name, ["no-such-command"])
        assert result.exit_code == 127
        assert b"not found" in result.stderr

    def test_needs_a_running_container(self, engine: Engine, make: Make) -> None:
        with pytest.raises(WorkspaceStopped):
            engine.exec(make().name, ["true"])
        engine.run(make())
        engine.stop(make().name, grace=1)
        with pytest.raises(WorkspaceStopped):
            engine.exec(make().name, ["true"])

    def test_gives_up_after_the_timeout(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        began = time.monotonic()
        with pytest.raises(EngineError, match=r"0\.3 seconds"):
            engine.exec(make().name, ["sleep", "1000"], timeout=0.3)
        assert time.monotonic() - began < 5


class TestSpawn:
    def test_streams_both_ways(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        process = engine.spawn(make().name, ["cat"])
        try:
            for word in (b"one", b"two"):
                process.write(word)
                assert process.read(100) == word
        finally:
            process.close()

    def test_reads_no_more_than_asked(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        process = engine.spawn(make().name, ["echo", "abcdef"])
        try:
            parts = list(iter(lambda: process.read(4), b""))
            assert b"".join(parts) == b"abcdef\n"
            assert max(map(len, parts)) <= 4
            assert process.wait() == 0
        finally:
            process.close()

    def test_wait_tells_the_exit_code(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        process = engine.spawn(make().name, ["sh", "-c", "echo unread; exit 5"])
        try:
            assert process.wait() == 5
        finally:
            process.close()
            process.close()

    def test_needs_a_running_container(self, engine: Engine, make: Make) -> None:
        with pytest.raises(WorkspaceStopped):
            engine.spawn(make().name, ["cat"])


class TestDial:
    def test_connects_as_soon_as_the_port_answers(self, engine: Engine, echoing: Spec) -> None:
        engine.run(echoing)
        stream = engine.dial(echoing.name, ECHO_PORT)
        try:
            stream.settimeout(5)
            stream.sendall(b"ping")
            assert stream.recv(100) == b"ping"
        finally:
            stream.close()
            stream.close()

    def test_half_closes(self, engine: Engine, echoing: Spec) -> None:
        engine.run(echoing)
        stream = engine.dial(echoing.name, ECHO_PORT)
        try:
            stream.settimeout(5)
            stream.sendall(b"last words")
            stream.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: stream.recv(100), b"")) == b"last words"
        finally:
            stream.close()

    def test_every_stream_is_its_own(self, engine: Engine, echoing: Spec) -> None:
        engine.run(echoing)
        streams = [engine.dial(echoing.name, ECHO_PORT) for _ in range(20)]
        try:
            for number, stream in enumerate(streams):
                stream.settimeout(5)
                stream.sendall(b"%d" % number)
            assert [stream.recv(10) for stream in streams] == [b"%d" % n for n in range(20)]
        finally:
            for stream in streams:
                stream.close()

    def test_ends_with_the_container(self, engine: Engine, echoing: Spec) -> None:
        engine.run(echoing)
        stream = engine.dial(echoing.name, ECHO_PORT)
        try:
            stream.sendall(b"here")
            stream.settimeout(5)
            assert stream.recv(10) == b"here"
            engine.stop(echoing.name, grace=1)
            assert stream.recv(10) == b""
        finally:
            stream.close()

    def test_says_when_nothing_answers(self, engine: Engine, echoing: Spec) -> None:
        engine.run(echoing)
        began = time.monotonic()
        with pytest.raises(DialFailed, match="7001"):
            engine.dial(echoing.name, ECHO_PORT + 1, timeout=0.3)
        assert time.monotonic() - began < 3

    def test_says_when_the_workspace_is_stopped(self, engine: Engine, echoing: Spec) -> None:
        with pytest.raises(WorkspaceStopped):
            engine.dial(echoing.name, ECHO_PORT)
        engine.run(echoing)
        engine.dial(echoing.name, ECHO_PORT).close()
        engine.stop(echoing.name, grace=1)
        began = time.monotonic()
        with pytest.raises(WorkspaceStopped):
            engine.dial(echoing.name, ECHO_PORT)
        assert time.monotonic() - began < 2, "must not wait for the timeout"

    def test_follows_a_replaced_container(self, engine: Engine, echoing: Spec) -> None:
        engine.run(echoing)
        engine.dial(echoing.name, ECHO_PORT).close()
        engine.run(replace(echoing, limits=Limits(0.5, 96 << 20, 60), user=(20002, 20002)))
        engine.dial(echoing.name, ECHO_PORT).close()


class TestListeners:
    def test_lists_what_a_dial_reaches(self, engine: Engine, listening: Spec) -> None:
        engine.run(listening)
        (found,) = eventually(lambda: engine.listeners(listening.name))
        assert (found.port, found.address) == (LISTEN_PORT, "127.0.0.1")
        assert found.command
        engine.dial(listening.name, found.port).close()

    def test_a_container_that_does_not_run_has_none(self, engine: Engine, listening: Spec) -> None:
        assert engine.listeners(listening.name) == []
        engine.run(listening)
        eventually(lambda: engine.listeners(listening.name))
        engine.stop(listening.name, grace=0)
        assert engine.listeners(listening.name) == []
        engine.run(listening)
        eventually(lambda: engine.listeners(listening.name))
        engine.remove(listening.name)
        assert engine.listeners(listening.name) == []

    def test_what_nobody_listens_on_is_not_listed(self, engine: Engine, make: Make) -> None:
        engine.run(make())
        assert engine.listeners(make().name) == []
