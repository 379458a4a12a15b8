"""How quickly repositories are cloned: from /global inside a workspace, and over HTTP.

Each is compared with git alone on the same disk and the same machine, measured beside it.
"""

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import docker, free_port, running, wait_until
from benchmarks.results import Result, compared
from benchmarks.server import Server, User

SIZE_BYTES = 200 << 20
FILES = 400
ROUNDS = 5
CLONE_LEAST, HTTP_LEAST = 0.9, 0.7


def run() -> list[Result]:
    """Measure both ways to a repository of ``SIZE_BYTES``."""
    with Server() as server, tempfile.TemporaryDirectory(dir=server.data_dir) as directory:
        place = Path(directory)
        # Repositories belong to the server's git, and only a file tells git's children to trust it.
        (place / "gitconfig").write_text("[safe]\n\tdirectory = *\n")
        os.environ["GIT_CONFIG_GLOBAL"] = str(place / "gitconfig")
        person = server.user("cloner")
        _publish(person, place / "tree")
        bare = server.data_dir / "commons" / "global" / person.name / "large.git"
        return [_local(server, person, bare), _http(person, bare, place)]


def _local(server: Server, person: User, bare: Path) -> Result:
    person.open_session()
    (name,) = docker("ps", "--format", "{{.Names}}", "--filter", f"network={server.instance}")
    home = f"/home/{person.name}"
    (mount,) = docker(
        "inspect", "-f", f'{{{{range .Mounts}}}}{{{{if eq .Destination "{home}"}}}}'
        "{{.Source}}{{end}}{{end}}", name,
    )  # fmt: skip
    copy, reference = f"{home}/copy", Path(mount) / "reference"
    clone = f"git clone -q /global/{person.name}/large {copy}"

    def outside() -> None:
        # Both write to the disk of the home, and neither shares objects by links.
        _git("clone", "-q", "--no-hardlinks", str(bare), str(reference))
        docker("exec", name, "true")  # the engine's own time counts on both sides

    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        ours.append(_speed(lambda: docker("exec", name, "sh", "-c", clone)))
        docker("exec", name, "rm", "-rf", copy)
        theirs.append(_speed(outside))
        shutil.rmtree(reference)
    return compared(
        "clone of 200 MB from /global", "MB/s", ours, "the same disk outside", theirs,
        least=CLONE_LEAST,
    )  # fmt: skip


def _http(person: User, bare: Path, place: Path) -> Result:
    url = f"http://{person.name}:{person.token}@127.0.0.1:{person.server.port}"
    target = place / "copy.git"
    ours: list[float] = []
    theirs: list[float] = []

    def clone(base: str) -> float:
        source = f"{base}/{person.name}/large.git"
        speed = _speed(lambda: _git("clone", "-q", "--bare", source, str(target)))
        shutil.rmtree(target)
        return speed

    with _daemon(bare.parent.parent) as reference:
        for _ in range(ROUNDS):
            ours.append(clone(f"{url}/git"))
            theirs.append(clone(reference))
    return compared(
        "clone of 200 MB over HTTP", "MB/s", ours, "git daemon", theirs, least=HTTP_LEAST
    )


def _publish(person: User, tree: Path) -> None:
    chance = random.Random(7)  # the same content each time
    _git("init", "-q", "-b", "main", str(tree))
    for number in range(FILES):
        (tree / f"file{number}.bin").write_bytes(chance.randbytes(SIZE_BYTES // FILES))
    _git("-C", str(tree), "add", ".")
    _git("-C", str(tree), "-c", "user.name=Ann", "-c", "user.email=ann@example.org",
         "commit", "-qm", "All of it")  # fmt: skip
    base = f"http://{person.name}:{person.token}@127.0.0.1:{person.server.port}"
    _git("-C", str(tree), "push", "-q", f"{base}/git/{person.name}/large.git", "main")


@contextmanager
def _daemon(root: Path) -> Iterator[str]:
    port = free_port()
    command = [
        "git", "daemon", "--listen=127.0.0.1", f"--port={port}",
        "--export-all", f"--base-path={root}", "--reuseaddr", str(root),
    ]  # fmt: skip

    def answers() -> bool:
        probe = ["git", "ls-remote", f"git://127.0.0.1:{port}/nothing"]
        said = subprocess.run(probe, capture_output=True, text=True, check=False).stderr
        return "refused" not in said

    with running(command, answers):
        wait_until(answers, "git daemon")
        yield f"git://127.0.0.1:{port}"


def _speed(action: Callable[[], object]) -> float:
    begin = time.monotonic()
    action()
    return SIZE_BYTES / 1e6 / (time.monotonic() - begin)


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)
