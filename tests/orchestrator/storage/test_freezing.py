import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.storage import Home, freezing
from orchestrator.storage.commands import run
from orchestrator.storage.vault import VaultStorage
from tests.orchestrator.engines.containers import eventually

MakeVault = Callable[..., VaultStorage]

pytestmark = pytest.mark.engine


def test_a_frozen_home_takes_no_write_until_it_thaws(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(home, key)
    with vault.frozen(home.name) as frozen:
        assert frozen
        writer = subprocess.Popen(["touch", str(tree / "late")])
        eventually(lambda: Path(f"/proc/{writer.pid}/stat").read_text().split()[2] == "D")
        vault.unlock(home, key)  # what is usable stays so
    assert writer.wait(timeout=10) == 0
    assert (tree / "late").exists()


def test_a_home_left_frozen_is_thawed_when_a_server_starts(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, make_vault: MakeVault
) -> None:
    vault.unlock(home, key)
    run("fsfreeze", "--freeze", str(tree.parent))
    make_vault().reconcile()
    (tree / "file").write_text("thawed")


def test_the_end_of_the_holder_thaws(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(home, key)
    read, write = os.pipe()
    root = os.open(tree.parent, os.O_RDONLY)
    child = subprocess.Popen(
        ["python3", "-I", "-S", "-c", freezing._CHILD, str(root)],
        stdin=read,
        stdout=subprocess.PIPE,
        pass_fds=(root,),
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.read(6) == b"frozen"
    for descriptor in (read, write, root):
        os.close(descriptor)
    assert child.wait(timeout=10) == 0
    (tree / "file").write_text("thawed")
