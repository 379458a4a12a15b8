"""Files in a container of the real engine, and a shell beside them as the same user."""

from collections.abc import Callable, Iterator

import pytest

from orchestrator.engines.docker import DockerEngine
from orchestrator.files.over_sftp import SftpFiles
from orchestrator.files.pool import Pool
from orchestrator.spec import Limits, Spec

HOME = "/tmp/home"
OWNER = (20001, 20001)
NAME = "rb-files-main"
Shell = Callable[..., str]


@pytest.fixture
def container(docker_engine: DockerEngine, image: str) -> str:
    """A container that runs, with a home in its own memory."""
    spec = Spec(
        name=NAME,
        image=image,
        user=OWNER,
        limits=Limits(cpus=2.0, memory_bytes=512 << 20, pids=64),
        entrypoint=("/bin/sh", "-c", f"mkdir {HOME}; exec sleep 1000"),
        network=False,
    )
    docker_engine.run(spec)
    return NAME


@pytest.fixture
def shell(docker_engine: DockerEngine, container: str) -> Shell:
    """Return ``shell(script)``: what it writes; it has to succeed."""

    def run(script: str, *, program: str = "/bin/sh") -> str:
        prelude = f"mkdir -p {HOME}; cd {HOME}; " if program == "/bin/sh" else ""
        result = docker_engine.exec(container, (program, "-c", prelude + script))
        assert result.exit_code == 0, result.stderr.decode()
        return result.stdout.decode(errors="surrogateescape")

    return run


@pytest.fixture
def pool(docker_engine: DockerEngine, container: str, shell: Shell) -> Iterator[Pool]:
    shell("true")
    made = Pool(docker_engine, container)
    yield made
    made.close()


@pytest.fixture
def files(pool: Pool) -> SftpFiles:
    return SftpFiles(pool, HOME)
