"""The real engine on the patched sockets that the server has."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.engines import docker as docker_module
from orchestrator.engines.docker import DockerEngine
from orchestrator.spec import Spec
from tests.orchestrator.engines.containers import ECHO_SERVER

pytestmark = pytest.mark.engine

Sleeper = Callable[..., Spec]


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
