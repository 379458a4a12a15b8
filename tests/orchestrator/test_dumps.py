"""No core dump: tried on processes that end as a crash ends them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing

ROOT = Path(__file__).resolve().parents[2]
CRASH = """
import os, resource, sys
sys.path.insert(0, sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
if sys.argv[2] == "forbidden":
    from orchestrator import dumps
    dumps.forbid()
os.abort()
"""


def dumped(how: str, place: Path) -> bool:
    """Let a process abort; return whether the kernel dumped its core."""
    arguments = [sys.executable, "-c", CRASH, str(ROOT), how]
    pid = os.fork()
    if pid == 0:
        os.chdir(place)
        os.execv(sys.executable, arguments)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    return os.WCOREDUMP(status)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_crash_leaves_no_core(tmp_path: Path) -> None:
    if not dumped("allowed", tmp_path):
        missing("needs a machine where a crash dumps core at all")
    for core in tmp_path.iterdir():
        core.unlink()
    assert not dumped("forbidden", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("module", "arguments"), [("app", ""), ("escrow", ". new operator.pem")])
def test_who_handles_keys_forbids_them_before_anything_else(module: str, arguments: str) -> None:
    """With settings that it refuses, it has come to nothing else yet."""
    program = (
        f"import {module}, ctypes, resource; code = {module}.main();"
        "print(code, ctypes.CDLL(None).prctl(3), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    environment = {"PATH": os.environ["PATH"], "ROOTBLOOD_LISTEN": "nowhere"}
    command = [sys.executable, "-c", program, *arguments.split()]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "1 0 (0, 0)"  # PR_GET_DUMPABLE is 3: prctl(2)


def test_the_server_can_still_look_at_itself() -> None:
    """Who is not dumpable has its /proc files owned by root; it needs those of itself."""
    program = (
        "from orchestrator import dumps; import os, sys;"
        "os.setuid(int(sys.argv[1])); dumps.forbid();"
        "print(len(os.listdir('/proc/self/fd')) > 2, 'VmRSS' in open('/proc/self/status').read(),"
        "      bool(open('/proc/self/mountinfo').read()), bool(os.readlink('/proc/self/ns/net')))"
    )
    for user in {os.geteuid(), 60999 if os.geteuid() == 0 else os.geteuid()}:
        command = [sys.executable, "-c", program, str(user)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "True True True True", (user, done.stderr)
