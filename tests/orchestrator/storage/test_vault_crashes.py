"""A server that is killed at any moment loses no synced file and leaves nothing half done."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.storage import Home, mounts
from orchestrator.storage.vault import VaultStorage
from tests.conftest import DOCKER_URL, PREFIX
from tests.orchestrator.storage.conftest import MIB

ROUNDS = 100
LONGEST_LIFE = 0.45

pytestmark = [pytest.mark.engine, pytest.mark.slow]

# Does everything a server does to a home, and says on its output what is on the disk for certain.
_SERVER = """
import json, os, random, sys
from dataclasses import replace
from pathlib import Path
from orchestrator.storage import Home
from orchestrator.storage.vault import VaultStorage

given = json.loads(sys.argv[1])
random.seed(given["seed"])
vault = VaultStorage(Path(given["directory"]), Path(given["mount_root"]), given["url"],
                     helper_image=given["image"], instance=given["instance"])
key = bytes.fromhex(given["key"])
home = Home(given["name"], (20011, 20012), 64 << 20)
point = Path(given["mount_root"])
number = given["number"]

def synced(directory, number):
    file = os.open(directory / f"file{number}", os.O_CREAT | os.O_WRONLY)
    os.write(file, str(number).encode() * 2000)
    os.fsync(file)
    root = os.open(directory, os.O_RDONLY)
    os.fsync(root)
    os.close(file)
    os.close(root)

print("begun", flush=True)
vault.reconcile()
while True:
    size = random.choice([64, 64, 80, 300]) << 20
    vault.unlock(replace(home, capacity_bytes=size, reserved_bytes=random.randrange(9) << 20), key)
    tree = point / home.name / "home"
    for _ in range(3):
        number += 1
        synced(tree, number)
        print("synced", number, flush=True)
    vault.reserve(home.name, random.randrange(9) << 20)
    vault.brake(home.name, True)
    vault.brake(home.name, False)
    if random.random() < 0.4:
        with vault.frozen(home.name):
            pass
    if random.random() < 0.5:
        # As a restore does: everything is in what takes the home's place, and one file more.
        vault.stage(home, key)
        staged = point / f"{home.name}.staged" / "home"
        for path in tree.iterdir():
            synced(staged, int(path.name.removeprefix("file")))
        number += 1
        synced(staged, number)
        print("adopting", number, flush=True)
        vault.adopt(home, key)
        print("synced", number, flush=True)
    vault.lock(home.name)
"""


@pytest.mark.timeout(400)
def test_a_server_killed_at_random_points_loses_nothing(
    make_vault: Callable[..., VaultStorage],
    mount_root: Path,
    tmp_path: Path,
    image: str,
    run_id: str,
    home: Home,
    key: bytes,
) -> None:
    tree = mount_root / home.name / "home"
    raw = tmp_path / "homes" / f"{home.name}.img"
    promised: set[int] = set()
    number, lives = 0, random.Random(7)
    for seed in range(ROUNDS):
        given = {
            "seed": seed,
            "directory": str(tmp_path / "homes"),
            "mount_root": str(mount_root),
            "url": DOCKER_URL,
            "image": image,
            "instance": f"{PREFIX}{run_id}",
            "key": key.hex(),
            "name": home.name,
            "number": number,
        }
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, json.dumps(given)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        assert server.stdout.readline() == "begun\n", server.stderr
        try:
            server.wait(timeout=lives.random() * LONGEST_LIFE)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGKILL)
        said, errors = server.communicate()
        assert server.returncode == -signal.SIGKILL, errors
        lines = [line.split() for line in said.splitlines()]
        promised |= {int(line[1]) for line in lines if line[0] == "synced"}
        number = max([number, *(int(line[1]) for line in lines)])

        vault = make_vault()
        vault.reconcile()
        assert [file for file in mounts.loops().values() if ".making" in file.name] == []
        vault.unlock(home, key)
        found = {int(path.name.removeprefix("file")): path.read_text() for path in tree.iterdir()}
        assert promised <= set(found), f"lost in round {seed}"
        assert all(found[one] == str(one) * 2000 for one in promised)
        for path in tree.iterdir():  # else they would fill the home in a hundred rounds
            if len(found) > 100:
                path.unlink()
                promised.discard(int(path.name.removeprefix("file")))
        if seed % 3:  # sometimes it was unlocked when the next server starts
            vault.lock(home.name)
            assert mounts.loops_of(raw) == []
        left = {file.name for file in raw.parent.glob("*.img*")}
        assert left == {raw.name}
    vault.unlock(replace(home, capacity_bytes=64 * MIB), key)
