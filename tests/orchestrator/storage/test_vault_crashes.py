"""A server that is killed at any moment loses no synced file and leaves nothing half done."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
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

# Each line of its input starts a server, by fork, since importing takes longer than a server lives.
# That does everything a server does to a home, says on the output what is on the disk for certain,
# and is ended by the kernel, as by SIGKILL, when its time is over.
_SERVERS = """
import json, os, random, signal, sys
from dataclasses import replace
from pathlib import Path
from orchestrator.storage import Home
from orchestrator.storage.vault import VaultStorage

def say(*words):  # at one go: a line is whole, or was never begun
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

for line in sys.stdin:
    given = json.loads(line)
    child = os.fork()
    if not child:
        break
    say("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    sys.exit()

random.seed(given["seed"])
signal.setitimer(signal.ITIMER_REAL, given["life"])
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

vault.reconcile()
while True:
    size = random.choice([64, 64, 80, 300]) << 20
    vault.unlock(replace(home, capacity_bytes=size, reserved_bytes=random.randrange(9) << 20), key)
    tree = point / home.name / "home"
    for _ in range(3):
        number += 1
        synced(tree, number)
        say("synced", number)
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
        say("adopting", number)
        vault.adopt(home, key)
        say("synced", number)
    vault.lock(home.name)
"""


@pytest.fixture
def servers() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVERS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def live(servers: subprocess.Popen[str], given: dict[str, object]) -> list[list[str]]:
    """Let a server live, and return the lines that it said until it was killed."""
    assert servers.stdin is not None
    assert servers.stdout is not None
    servers.stdin.write(f"{json.dumps(given)}\n")
    servers.stdin.flush()
    said = []
    while (words := servers.stdout.readline().split())[0] != "ended":
        said.append(words)
    assert words[1] == str(-signal.SIGALRM)
    return said


@pytest.mark.timeout(400)
def test_a_server_killed_at_random_points_loses_nothing(
    make_vault: Callable[..., VaultStorage],
    mount_root: Path,
    tmp_path: Path,
    image: str,
    run_id: str,
    home: Home,
    key: bytes,
    tree: Path,
    raw: Path,
    servers: subprocess.Popen[str],
) -> None:
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
            "life": 0.001 + lives.random() * LONGEST_LIFE,
        }
        lines = live(servers, given)
        promised |= {int(line[1]) for line in lines if line[0] == "synced"}
        number = max([number, *(int(line[1]) for line in lines)])

        vault = make_vault()
        vault.reconcile()
        assert [file for file in mounts.loops().values() if ".making" in file.name] == []
        vault.unlock(replace(home, known=bool(promised)), key)
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
