import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker.errors
import pytest
from docker import APIClient

from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_spec import INSTANCE_LABEL
from orchestrator.errors import EngineError, EngineUnreachable, HomeBusy, ImageMissing, StorageError
from orchestrator.spec import Limits, Spec
from orchestrator.storage import Home, ownership
from orchestrator.storage.plain import PlainStorage
from tests.conftest import DOCKER_URL, PREFIX
from tests.orchestrator.storage.conftest import MIB, OWNER

TARGET = "/home/alice"
KEY = bytes(32)

pytestmark = pytest.mark.engine


@pytest.fixture
def home(run_id: str, docker_client: APIClient) -> Iterator[Home]:
    name = f"home_test_{run_id}"
    yield Home(name, OWNER, 64 * MIB)
    for volume in (name, f"{name}.staged", f"{name}.adopting"):
        with suppress(docker.errors.NotFound):
            docker_client.remove_volume(volume, force=True)


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


def root_of(client: APIClient, home: Home) -> Path:
    return Path(client.inspect_volume(home.name)["Mountpoint"])


def ownership_of(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, found.st_mode & 0o7777


def test_a_crash_between_making_and_giving_is_made_good(
    storage: PlainStorage, home: Home, docker_client: APIClient, run_id: str
) -> None:
    docker_client.create_volume(home.name, labels={INSTANCE_LABEL: f"{PREFIX}{run_id}"})
    assert ownership_of(root_of(docker_client, home))[0] == 0
    storage.unlock(home, KEY)
    assert ownership_of(root_of(docker_client, home)) == (*OWNER, 0o700)


def test_nothing_but_the_volume_is_left_behind(
    storage: PlainStorage, home: Home, docker_client: APIClient, run_id: str
) -> None:
    storage.unlock(home, KEY)
    label = f"rootblood.helper={PREFIX}{run_id}"
    assert docker_client.containers(all=True, filters={"label": label}) == []


def test_the_owner_can_write_in_a_workspace_and_the_image_adds_nothing(
    storage: PlainStorage, home: Home, docker_engine: DockerEngine, image: str, run_id: str
) -> None:
    # On a directory of the image that has files: the engine would copy them into a fresh volume.
    storage.unlock(home, KEY)
    mount = storage.mount(home.name, "/etc/skel")
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


def test_a_home_in_use_is_not_destroyed(
    storage: PlainStorage, home: Home, docker_engine: DockerEngine, image: str, run_id: str
) -> None:
    storage.unlock(home, KEY)
    mount = storage.mount(home.name, TARGET)
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
    with pytest.raises(HomeBusy):
        storage.destroy(home.name)


def test_a_volume_of_somebody_else_is_neither_used_nor_destroyed(
    storage: PlainStorage, home: Home, docker_client: APIClient
) -> None:
    docker_client.create_volume(home.name)
    with pytest.raises(EngineError, match="not one of"):
        storage.unlock(home, KEY)
    with pytest.raises(EngineError, match="not one of"):
        storage.destroy(home.name)
    assert ownership_of(root_of(docker_client, home))[0] == 0


def test_a_link_in_the_volumes_place_is_not_followed(
    tmp_path: Path, make_storage: Callable[..., PlainStorage]
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "_data").symlink_to(tmp_path / "real")
    assert ownership.give(tmp_path / "_data", OWNER) is False
    assert ownership_of(tmp_path / "real")[0] == os.getuid()


def test_a_missing_helper_image_is_named(
    make_storage: Callable[..., PlainStorage], home: Home
) -> None:
    storage = make_storage(reach_volumes=False, helper_image="rootblood/no-such:1")
    with pytest.raises(ImageMissing, match="rootblood/no-such:1"):
        storage.unlock(home, KEY)


def test_no_answer_is_told(home: Home) -> None:
    storage = PlainStorage("unix:///nowhere.sock", helper_image="x")
    with pytest.raises(EngineUnreachable):
        storage.unlock(home, KEY)
    with pytest.raises(EngineUnreachable):
        storage.destroy(home.name)


def test_usage_is_not_known_cheaply(storage: PlainStorage, home: Home) -> None:
    assert storage.usage(home.name) is None


def test_a_copy_that_was_cut_short_is_finished_by_whoever_comes_next(
    storage: PlainStorage,
    home: Home,
    docker_client: APIClient,
    make_storage: Callable[..., PlainStorage],
    run_id: str,
) -> None:
    storage.unlock(home, KEY)
    root = root_of(docker_client, home)
    (root / "old").write_text("old")
    storage.stage(home, KEY)
    staged = Path(docker_client.inspect_volume(f"{home.name}.staged")["Mountpoint"])
    (staged / "new").write_text("new")
    labels = {INSTANCE_LABEL: f"{PREFIX}{run_id}"}
    docker_client.create_volume(f"{home.name}.adopting", labels=labels)
    assert home.name not in storage.unlocked(), "it is neither the old nor the new one"
    (root / "half").write_text("copied")
    later = make_storage()
    later.reconcile()
    assert [path.name for path in root.iterdir()] == ["new"]
    assert ownership_of(root) == (*OWNER, 0o700)
    assert home.name in later.unlocked()
    assert docker_client.volumes(filters={"name": f"{home.name}."})["Volumes"] == []


def test_a_home_that_is_kept_in_a_vault_is_not_taken_for_a_plain_one(
    storage: PlainStorage, home: Home, docker_client: APIClient, run_id: str, tmp_path: Path
) -> None:
    docker_client.create_volume(
        home.name,
        driver_opts={"type": "none", "o": "bind", "device": str(tmp_path)},
        labels={INSTANCE_LABEL: f"{PREFIX}{run_id}"},
    )
    with pytest.raises(StorageError, match="vault"):
        storage.unlock(home, KEY)
