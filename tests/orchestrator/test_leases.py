import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import HomeBusy
from orchestrator.leases import Leases

NAME = "home_0123456789abcdef"


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    return Leases(tmp_path / "leases")


def test_many_share_a_home_and_none_can_have_it_alone(leases: Leases) -> None:
    one, other = leases.shared(NAME, patience=0), leases.shared(NAME, patience=0)
    with one, other, pytest.raises(HomeBusy), leases.alone(NAME):
        pass
    with leases.alone(NAME):
        pass


def test_who_has_it_alone_keeps_all_others_out(leases: Leases) -> None:
    with leases.alone(NAME):
        for wanted in (leases.alone(NAME), leases.shared(NAME, patience=0.05)):
            with pytest.raises(HomeBusy), wanted:
                pass
        with leases.alone("home_other"):
            pass


def test_a_failure_gives_it_back(leases: Leases) -> None:
    with pytest.raises(ZeroDivisionError), leases.alone(NAME):
        raise ZeroDivisionError
    with leases.alone(NAME):
        pass


HOLD = """
import sys, pathlib
from orchestrator.leases import Leases
with Leases(pathlib.Path(sys.argv[1])).alone(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_server_leaves_none_behind(leases: Leases, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "leases"), NAME]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(HomeBusy), leases.shared(NAME, patience=0):
            pass
        other.kill()
        other.wait()
        with leases.shared(NAME, patience=5):
            pass
