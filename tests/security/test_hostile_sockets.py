"""A terminal's socket that its user serves in bad faith."""

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from orchestrator.engines.run_dirs import RunDirs
from tests.orchestrator.engines.containers import OWNER

NAME = "rb-x-main"


@pytest.mark.engine
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts and changes owners: needs root")
@pytest.mark.timeout(20)
def test_a_socket_that_accepts_nobody_is_refused_at_once(tmp_path: Path) -> None:
    run_dirs = RunDirs(tmp_path / "run")
    path = run_dirs.make(NAME, OWNER) / "ttyd.sock"
    try:
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
            listener.bind(str(path))
            listener.listen(0)
            os.chown(path, *OWNER)
            first.connect(str(path))
            # In a process with gevent, as the server is: its connect would go round and round.
            program = textwrap.dedent(
                f"""
                from gevent import monkey; monkey.patch_all()
                import time
                from pathlib import Path
                from orchestrator.engines.run_dirs import RunDirs
                dirs = RunDirs(Path({str(tmp_path / "run")!r}))
                try:
                    dirs.connect({NAME!r}, "ttyd.sock", {OWNER[0]})
                except BlockingIOError:
                    print("refused")
                """
            )
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, timeout=15,
                cwd=Path(__file__).parents[2], check=False,
            )  # fmt: skip
            assert (done.stdout, done.stderr) == ("refused\n", "")
    finally:
        run_dirs.remove(NAME)
