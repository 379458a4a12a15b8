import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import docker.errors
import pytest
from docker import APIClient

from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_spec import INSTANCE_LABEL
from orchestrator.errors import Busy, EngineError, EngineUnreachable, ImageMissing
from orchestrator.spec import Limits, Spec
from orchestrator.storage import plain
from orchestrator.storage.plain import PlainStorage
from tests.conftest import DOCKER_URL, PREFIX

OWNER = (20011, 20012)
TARGET = "/home/alice"

pytestmark = pytest.mark.engine


@pytest.fixture
def home(run_id: str, docker_client: APIClient) -> Iterator[str]:
    name = f"home_test_{run_id}"
    yield name
    with suppress(docker.errors.NotFound):
        docker_client.remove_volume(name, force=True)


@pytest.fixture
def make_storage(run_id: str, image: str) -> Iterator[Callable[..., PlainStorage]]:
    made: list[PlainStorage] = []

    def make(**settings: object) -> PlainStorage:
        settings = {"helper_image": image, "instance": f"{PREFIX}{run_id}"} | settings
        made.append(PlainStorage(DOCKER_URL, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for storage in made:
        storage.close()


@pytest.fixture(params=["here", "through-the-daemon"])
def storage(
    request: pytest.FixtureRequest, make_storage: Callable[..., PlainStorage]
) -> PlainStorage:
    return make_storage(reach_volumes=request.param == "here")


def root_of(client: APIClient, home: str) -> Path:
    return Path(client.inspect_volume(home)["Mountpoint"])


def ownership(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, found.st_mode & 0o7777


def test_first_use_makes_a_home_that_is_its_owners_alone(
    storage: PlainStorage, home: str, docker_client: APIClient
) -> None:
    mount = storage.unlock(home, owner=OWNER, target=TARGET)
    assert (mount.source, mount.target, mount.volume, mount.read_only) == (
        home,
        TARGET,
        True,
        False,
    )
    assert ownership(root_of(docker_client, home)) == (*OWNER, 0o700)
    assert list(root_of(docker_client, home).iterdir()) == []


def test_later_use_changes_nothing(
    storage: PlainStorage, home: str, docker_client: APIClient
) -> None:
    storage.unlock(home, owner=OWNER, target=TARGET)
    root = root_of(docker_client, home)
    (root / "kept").write_text("x")
    root.chmod(0o755)
    storage.unlock(home, owner=OWNER, target=TARGET)
    assert (root / "kept").read_text() == "x"
    assert ownership(root) == (*OWNER, 0o755), "the mode is the owner's to choose"


def test_a_crash_between_making_and_giving_is_made_good(
    storage: PlainStorage, home: str, docker_client: APIClient, run_id: str
) -> None:
    docker_client.create_volume(home, labels={INSTANCE_LABEL: f"{PREFIX}{run_id}"})
    assert ownership(root_of(docker_client, home))[0] == 0
    storage.unlock(home, owner=OWNER, target=TARGET)
    assert ownership(root_of(docker_client, home)) == (*OWNER, 0o700)


def test_twenty_at_once_agree(storage: PlainStorage, home: str, docker_client: APIClient) -> None:
    with ThreadPoolExecutor(20) as pool:
        mounts = set(
            pool.map(lambda _: storage.unlock(home, owner=OWNER, target=TARGET), range(20))
        )
    assert len(mounts) == 1
    assert ownership(root_of(docker_client, home)) == (*OWNER, 0o700)


def test_nothing_but_the_volume_is_left_behind(
    storage: PlainStorage, home: str, docker_client: APIClient, run_id: str
) -> None:
    storage.unlock(home, owner=OWNER, target=TARGET)
    label = f"rootblood.helper={PREFIX}{run_id}"
    assert docker_client.containers(all=True, filters={"label": label}) == []


def test_the_owner_can_write_in_a_workspace_and_the_image_adds_nothing(
    storage: PlainStorage, home: str, docker_engine: DockerEngine, image: str, run_id: str
) -> None:
    # On a directory of the image that has files: the engine would copy them into a fresh volume.
    mount = storage.unlock(home, owner=OWNER, target="/etc/skel")
    spec = Spec(
        name=f"rb-{run_id}-home",
        image=image,
        user=OWNER,
        limits=Limits(1.0, 64 << 20, 32),
        entrypoint=("sleep", "1000"),
        mounts=(mount,),
    )
    docker_engine.run(spec)
    shown = docker_engine.exec(spec.name, ["sh", "-c", "cd /etc/skel && ls -A && touch mine && ls"])
    assert (shown.exit_code, shown.stdout) == (0, b"mine\n")


def test_destroying_removes_it_and_absent_is_success(
    storage: PlainStorage, home: str, docker_client: APIClient
) -> None:
    storage.unlock(home, owner=OWNER, target=TARGET)
    storage.destroy(home)
    with pytest.raises(docker.errors.NotFound):
        docker_client.inspect_volume(home)
    storage.destroy(home)
    storage.unlock(home, owner=OWNER, target=TARGET)
    assert ownership(root_of(docker_client, home)) == (*OWNER, 0o700)


def test_a_home_in_use_is_not_destroyed(
    storage: PlainStorage, home: str, docker_engine: DockerEngine, image: str, run_id: str
) -> None:
    mount = storage.unlock(home, owner=OWNER, target=TARGET)
    docker_engine.run(
        Spec(
            name=f"rb-{run_id}-user",
            image=image,
            user=OWNER,
            limits=Limits(1.0, 64 << 20, 32),
            entrypoint=("sleep", "1000"),
            mounts=(mount,),
        )
    )
    with pytest.raises(Busy):
        storage.destroy(home)


def test_a_volume_of_somebody_else_is_neither_used_nor_destroyed(
    storage: PlainStorage, home: str, docker_client: APIClient
) -> None:
    docker_client.create_volume(home)
    with pytest.raises(EngineError, match="not one of"):
        storage.unlock(home, owner=OWNER, target=TARGET)
    with pytest.raises(EngineError, match="not one of"):
        storage.destroy(home)
    assert ownership(root_of(docker_client, home))[0] == 0


def test_a_link_in_the_volumes_place_is_not_followed(
    tmp_path: Path, make_storage: Callable[..., PlainStorage]
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "_data").symlink_to(tmp_path / "real")
    assert plain._own(tmp_path / "_data", OWNER) is False
    assert ownership(tmp_path / "real")[0] == os.getuid()


def test_a_missing_helper_image_is_named(
    make_storage: Callable[..., PlainStorage], home: str
) -> None:
    storage = make_storage(reach_volumes=False, helper_image="rootblood/no-such:1")
    with pytest.raises(ImageMissing, match="rootblood/no-such:1"):
        storage.unlock(home, owner=OWNER, target=TARGET)


def test_no_answer_is_told(home: str) -> None:
    storage = PlainStorage("unix:///nowhere.sock", helper_image="x")
    with pytest.raises(EngineUnreachable):
        storage.unlock(home, owner=OWNER, target=TARGET)
    with pytest.raises(EngineUnreachable):
        storage.destroy(home)


def test_usage_is_not_known_cheaply(storage: PlainStorage, home: str) -> None:
    assert storage.usage(home) is None
