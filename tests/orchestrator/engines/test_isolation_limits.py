"""What a workspace may use up, and whose files it sees, tried from inside one."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker.errors
import pytest
from docker import APIClient

from orchestrator.engines.docker import DockerEngine
from orchestrator.spec import Mount, Spec
from orchestrator.storage import Home
from orchestrator.storage.plain import PlainStorage
from tests.conftest import DOCKER_URL, PREFIX
from tests.orchestrator.engines.containers import LIMITS, OWNER

pytestmark = pytest.mark.engine

NEIGHBOUR = (OWNER[0] + 1, OWNER[1] + 1)


def shell(engine: DockerEngine, spec: Spec, script: str) -> str:
    """Run a script in a workspace; return what it writes, on either stream."""
    engine.run(spec)
    result = engine.exec(spec.name, ("sh", "-c", script))
    return (result.stdout + result.stderr).decode()


@pytest.fixture
def home(
    run_id: str, docker_client: APIClient, docker_engine: DockerEngine, image: str
) -> Iterator[Mount]:
    """The home of ``OWNER``."""
    name = f"home_test_{run_id}"
    storage = PlainStorage(DOCKER_URL, helper_image=image, instance=f"{PREFIX}{run_id}")
    storage.unlock(Home(name, OWNER, 64 << 20), bytes(32))
    yield storage.mount(name, "/home/ada")
    storage.close()
    for status in docker_engine.census():
        docker_engine.remove(status.name)
    with suppress(docker.errors.NotFound):
        docker_client.remove_volume(name, force=True)


def test_a_home_is_closed_to_everyone_else(
    docker_engine: DockerEngine, sleeper: Callable[..., Spec], home: Mount
) -> None:
    mine = sleeper("mine", mounts=(home,))
    assert "700" in shell(docker_engine, mine, "echo secret > /home/ada/f; stat -c %a /home/ada")
    other = sleeper("other", mounts=(home,), user=NEIGHBOUR)
    for attempt in ("ls /home/ada", "cat /home/ada/f", "touch /home/ada/g", "chmod 777 /home/ada"):
        found = shell(docker_engine, other, attempt)
        assert "denied" in found or "not permitted" in found, attempt
        assert "secret" not in found
    assert "secret" in shell(docker_engine, mine, "cat /home/ada/f"), "control: it is there"


def test_the_commons_is_read_only(
    docker_engine: DockerEngine, sleeper: Callable[..., Spec], tmp_path: Path
) -> None:
    (tmp_path / "hello").write_text("hello")
    tmp_path.chmod(0o777)  # only the mount keeps anybody from writing
    spec = sleeper(mounts=(Mount(str(tmp_path), "/global", read_only=True),))
    assert "Read-only" in shell(docker_engine, spec, "cat /global/hello; touch /global/x")
    assert [path.name for path in tmp_path.iterdir()] == ["hello"]


def test_the_host_would_rather_end_a_workspace_than_the_server(
    docker_engine: DockerEngine, sleeper: Callable[..., Spec]
) -> None:
    assert int(shell(docker_engine, sleeper(), "cat /proc/1/oom_score_adj")) == 500


def test_open_files_and_core_dumps_are_limited(
    docker_engine: DockerEngine, sleeper: Callable[..., Spec]
) -> None:
    found = shell(docker_engine, sleeper(), "ulimit -n; ulimit -Hn; ulimit -c; ulimit -Hc")
    assert found.split() == ["16384", "16384", "0", "0"]


def test_the_processor_quota_is_in_force(
    docker_engine: DockerEngine, sleeper: Callable[..., Spec]
) -> None:
    # cgroup v1 has two files, v2 has one: "<quota> <period>".
    read = (
        "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us"
        " || cat /sys/fs/cgroup/cpu.max"
    )
    numbers = [int(word) for word in shell(docker_engine, sleeper(), read).split()
               if word.isdigit()]  # fmt: skip
    assert numbers[0] / numbers[1] == LIMITS.cpus
